package nodes

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// serveLogs answers what the API server asks kubelets when somebody wants the output of a container; the port it does so at.
func serveLogs(folder string, client kubernetes.Interface) (int32, error) {
	certificate, err := tls.LoadX509KeyPair(filepath.Join(folder, "server.crt"), filepath.Join(folder, "server.key"))
	if err != nil {
		return 0, err
	}
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{certificate}})
	if err != nil {
		return 0, err
	}
	address, ok := listener.Addr().(*net.TCPAddr)
	if !ok {
		return 0, fmt.Errorf("the listener has no address")
	}
	routes := http.NewServeMux()
	routes.HandleFunc("GET /containerLogs/{namespace}/{pod}/{container}", func(w http.ResponseWriter, r *http.Request) {
		pod, err := client.CoreV1().Pods(r.PathValue("namespace")).Get(r.Context(), r.PathValue("pod"), metav1.GetOptions{})
		if err != nil {
			http.Error(w, err.Error(), http.StatusNotFound)
			return
		}
		lines, err := output(pod, r.PathValue("container"), r.FormValue("previous") == "true")
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if tail, err := strconv.Atoi(r.FormValue("tailLines")); err == nil && tail < len(lines) {
			lines = lines[len(lines)-tail:]
		}
		var text bytes.Buffer
		for _, line := range lines {
			fmt.Fprintln(&text, line)
		}
		_, _ = w.Write(text.Bytes())
	})
	go func() { _ = http.Serve(listener, routes) }()
	return int32(address.Port), nil
}

// output is what a container has written since it started, or the one before it.
func output(pod *corev1.Pod, name string, previous bool) ([]string, error) {
	containers := append(append([]corev1.Container{}, pod.Spec.InitContainers...), pod.Spec.Containers...)
	statuses := append(append([]corev1.ContainerStatus{}, pod.Status.InitContainerStatuses...), pod.Status.ContainerStatuses...)
	for i := range containers {
		if containers[i].Name != name || i >= len(statuses) {
			continue
		}
		status := statuses[i]
		switch {
		case previous && status.LastTerminationState.Terminated == nil:
			return nil, fmt.Errorf("previous terminated container %q in pod %q not found", name, pod.Name)
		case status.State.Waiting != nil && status.LastTerminationState.Terminated == nil:
			return nil, fmt.Errorf("container %q in pod %q is waiting to start: %s", name, pod.Name, status.State.Waiting.Reason)
		}
		does := behaviourOf(pod, &containers[i])
		if does == recovers && status.State.Running != nil && !previous {
			does = wellBehaved
		}
		return does.output(containers[i].Image), nil
	}
	return nil, fmt.Errorf("container %s is not valid for pod %s", name, pod.Name)
}
