package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"

	"cairn.test/kube/nodes"
)

// patience is how long a program may take to be there.
const patience = 2 * time.Minute

// cluster is the programs of one cluster, each a child of this process.
type cluster struct {
	folder    string
	arguments map[string][]string
	running   map[string]*program
	// died tells of a program that ended without being asked to.
	died   chan error
	server string
	client *http.Client
	faults *faults
}

type program struct {
	process *os.Process
	ended   chan struct{}
	// expected is set before a program is ended.
	expected atomic.Bool
}

// serve runs a cluster until nobody has been connected to its socket for as long as it lingers; the first connection
// must come within `waiting`. All that happens to the programs happens in this goroutine.
func serve(folder string, linger, waiting time.Duration) error {
	// The kernel ends children together with the thread that started them.
	runtime.LockOSThread()
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	control, err := listen(folder)
	if err != nil {
		return err
	}
	// Who started this process may connect from now on.
	fmt.Println("listening")
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, unix.SIGINT, unix.SIGTERM)
	running, err := newCluster(folder)
	if err != nil {
		return err
	}
	defer running.end()
	for _, name := range inOrder {
		if err := running.start(name); err != nil {
			err = fmt.Errorf("%w: %s", err, running.lastWords(name))
			control.refuse(err)
			return err
		}
	}
	control.accept(filepath.Join(folder, "admin.kubeconfig"))
	connections := 0
	alone := time.NewTimer(waiting)
	for {
		select {
		case <-signals:
			return nil
		case err := <-running.died:
			return err
		case <-alone.C:
			if connections == 0 {
				return nil
			}
		case change := <-control.connections:
			connections += change
			if connections == 0 {
				alone.Reset(linger)
			}
		case request := <-control.requests:
			request.answer <- running.do(request.action, request.what)
		}
	}
}

func newCluster(folder string) (*cluster, error) {
	port, err := reservePort()
	if err != nil {
		return nil, err
	}
	arguments, err := prepare(folder, port)
	if err != nil {
		return nil, err
	}
	transport, err := asAdmin(folder)
	if err != nil {
		return nil, err
	}
	server := fmt.Sprintf("https://127.0.0.1:%d", port)
	proxy, err := startFaults(folder, server)
	if err != nil {
		return nil, err
	}
	return &cluster{
		folder:    folder,
		arguments: arguments,
		running:   map[string]*program{},
		died:      make(chan error, len(inOrder)),
		server:    server,
		client:    &http.Client{Timeout: 10 * time.Second, Transport: transport},
		faults:    proxy,
	}, nil
}

// do is what a connection may ask for.
func (c *cluster) do(action, name string) error {
	if action == "fault" {
		return c.faults.order(name)
	}
	if _, known := c.arguments[name]; !known {
		return fmt.Errorf("there is no program `%s`", name)
	}
	running := c.running[name]
	if action == "start" {
		if running != nil {
			return fmt.Errorf("`%s` is running", name)
		}
		return c.start(name)
	}
	if running == nil {
		return fmt.Errorf("`%s` is not running", name)
	}
	switch action {
	case "kill":
		return c.kill(name)
	case "stop":
		return running.process.Signal(unix.SIGSTOP)
	case "continue":
		return running.process.Signal(unix.SIGCONT)
	default:
		return fmt.Errorf("there is no action `%s`", action)
	}
}

// start starts a program and waits until it does its work.
func (c *cluster) start(name string) error {
	log, err := os.OpenFile(filepath.Join(c.folder, name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	self, err := os.Executable()
	if err != nil {
		return err
	}
	process, err := os.StartProcess(self, append([]string{name}, c.arguments[name]...), &os.ProcAttr{
		Dir:   c.folder,
		Env:   []string{"HOME=" + c.folder, "PATH=" + os.Getenv("PATH")},
		Files: []*os.File{nil, log, log},
		Sys:   &syscall.SysProcAttr{Pdeathsig: unix.SIGKILL},
	})
	if err != nil {
		return fmt.Errorf("`%s` did not start: %w", name, err)
	}
	started := &program{process: process, ended: make(chan struct{})}
	c.running[name] = started
	go func() {
		state, _ := process.Wait()
		close(started.ended)
		if !started.expected.Load() {
			c.died <- fmt.Errorf("`%s` ended with %v, see %s", name, state, log.Name())
		}
	}()
	return c.await(name, started)
}

// await asks the programs that can be asked whether they are ready.
func (c *cluster) await(name string, started *program) error {
	var isReady func() bool
	switch name {
	case apiServer:
		isReady = func() bool { return c.get("/readyz", nil) }
	case kubelet:
		isReady = c.takesPods
	default:
		return nil
	}
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		select {
		case <-started.ended:
			return fmt.Errorf("`%s` ended while it started", name)
		case <-time.After(50 * time.Millisecond):
		}
		if isReady() {
			return nil
		}
	}
	return fmt.Errorf("`%s` was not ready after %s", name, patience)
}

// takesPods is true when the controller manager has done what it does in a new cluster.
func (c *cluster) takesPods() bool {
	var found corev1.NodeList
	if !c.get("/api/v1/nodes", &found) || len(found.Items) != len(nodes.Names) {
		return false
	}
	for _, node := range found.Items {
		if len(node.Spec.Taints) > 0 {
			return false
		}
	}
	return c.get("/api/v1/namespaces/default/serviceaccounts/default", nil)
}

// get reads an answer into `into`, unless that is nil; false if there is none.
func (c *cluster) get(path string, into any) bool {
	answer, err := c.client.Get(c.server + path)
	if err != nil {
		return false
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		return false
	}
	return into == nil || json.Unmarshal(text, into) == nil
}

// lastWords is the end of what a program wrote, on one line.
func (c *cluster) lastWords(name string) string {
	text, _ := os.ReadFile(filepath.Join(c.folder, name+".log"))
	text = text[max(0, len(text)-2000):]
	return strings.ReplaceAll(strings.TrimSpace(string(text)), "\n", " | ")
}

func (c *cluster) kill(name string) error {
	running := c.running[name]
	running.expected.Store(true)
	if err := running.process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-running.ended
	delete(c.running, name)
	return nil
}

func (c *cluster) end() {
	for name := range c.running {
		_ = c.kill(name)
	}
}
