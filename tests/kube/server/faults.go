package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

// faults stands in front of the API server, at an address of its own that wants no login, and treats the next requests as
// it was ordered to.
type faults struct {
	forward *httputil.ReverseProxy
	mutex   sync.Mutex
	kind    string
	left    int
}

// startFaults listens, and writes faults.kubeconfig.
func startFaults(folder, server string) (*faults, error) {
	transport, err := asAdmin(folder)
	if err != nil {
		return nil, err
	}
	target, err := url.Parse(server)
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	config := api.NewConfig()
	config.Clusters["test"] = &api.Cluster{Server: "http://" + listener.Addr().String()}
	config.AuthInfos["nobody"] = &api.AuthInfo{}
	config.Contexts["test"] = &api.Context{Cluster: "test", AuthInfo: "nobody"}
	config.CurrentContext = "test"
	if err := clientcmd.WriteToFile(*config, filepath.Join(folder, "faults.kubeconfig")); err != nil {
		return nil, err
	}
	proxy := &faults{forward: httputil.NewSingleHostReverseProxy(target)}
	proxy.forward.Transport = transport
	// Watches are passed on as they come.
	proxy.forward.FlushInterval = -1
	go func() { _ = http.Serve(listener, proxy) }()
	return proxy, nil
}

// asAdmin is how to reach the API server and be allowed everything.
func asAdmin(folder string) (*http.Transport, error) {
	authority, err := os.ReadFile(filepath.Join(folder, "ca.crt"))
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	certificate, err := tls.LoadX509KeyPair(filepath.Join(folder, "admin.crt"), filepath.Join(folder, "admin.key"))
	if err != nil {
		return nil, err
	}
	return &http.Transport{
		// Each question is one to a server that may just have been started anew.
		DisableKeepAlives: true,
		TLSClientConfig:   &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{certificate}},
	}, nil
}

// order takes `KIND COUNT`: `reset`, `hang` or an HTTP status, for so many requests.
func (f *faults) order(words string) error {
	kind, count, _ := strings.Cut(words, " ")
	left, err := strconv.Atoi(count)
	if err != nil {
		return fmt.Errorf("no number of requests in `%s`", words)
	}
	if _, err := strconv.Atoi(kind); err != nil && kind != "reset" && kind != "hang" {
		return fmt.Errorf("there is no fault `%s`", kind)
	}
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.kind, f.left = kind, left
	return nil
}

func (f *faults) next() string {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	if f.left == 0 {
		return ""
	}
	f.left--
	return f.kind
}

func (f *faults) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch kind := f.next(); kind {
	case "":
		f.forward.ServeHTTP(w, r)
	case "reset":
		panic(http.ErrAbortHandler)
	case "hang":
		<-r.Context().Done()
	default:
		status, _ := strconv.Atoi(kind)
		if status == http.StatusTooManyRequests {
			w.Header().Set("Retry-After", "1")
		}
		// As the API server's own filters answer: in words, not as an object.
		http.Error(w, http.StatusText(status)+", please try again later.", status)
	}
}
