// Command kube is a Kubernetes cluster for tests: the real API server, controller manager, scheduler and etcd, and
// nodes that only pretend to run pods. It listens on 127.0.0.1 and on a Unix socket, needs no rights, and leaves nothing.
//
//	kube --version             the version of Kubernetes
//	kube serve --folder DIR    runs a cluster until nobody is connected to DIR/control.sock any more
//
// The program is all of the cluster's programs: which one it is, it sees from the name it was started by, since
// Kubernetes takes the names of field managers from there too.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"k8s.io/component-base/cli"
	"k8s.io/component-base/version"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"

	"cairn.test/kube/nodes"
)

func main() {
	switch filepath.Base(os.Args[0]) {
	case apiServer:
		os.Exit(cli.Run(apiserver.NewAPIServerCommand()))
	case controllerManager:
		os.Exit(cli.Run(controllermanager.NewControllerManagerCommand()))
	case schedulerName:
		os.Exit(cli.Run(scheduler.NewSchedulerCommand()))
	case etcd:
		exitOn(serveEtcd(os.Args[1]))
	case kubelet:
		exitOn(nodes.Run(context.Background(), os.Args[1]))
	default:
		exitOn(command(os.Args[1:]))
	}
}

func command(arguments []string) error {
	if len(arguments) == 1 && arguments[0] == "--version" {
		fmt.Println(version.Get())
		return nil
	}
	if len(arguments) == 0 || arguments[0] != "serve" {
		return fmt.Errorf("usage: kube serve --folder DIR")
	}
	flags := flag.NewFlagSet("kube serve", flag.ExitOnError)
	folder := flags.String("folder", "", "where the cluster keeps its files, which are removed in the end")
	linger := flags.Duration("linger", 0, "how long the cluster outlives its last connection")
	if err := flags.Parse(arguments[1:]); err != nil {
		return err
	}
	if *folder == "" {
		return fmt.Errorf("--folder is missing")
	}
	path, err := filepath.Abs(*folder)
	if err != nil {
		return err
	}
	return serve(path, *linger, time.Minute)
}

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}
