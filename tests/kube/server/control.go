package main

import (
	"bufio"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"sync"
)

// control is the socket by which tests use a cluster. A connection is told the path of the kubeconfig when the cluster is
// ready, keeps the cluster alive, and may say `ACTION PROGRAM` or `fault KIND COUNT`, which is answered by `ok` or by what
// went wrong. The kernel closes the connections of a test that dies, however it dies.
type control struct {
	requests    chan request
	connections chan int
	// ready is closed when greeting holds what connections are told.
	ready    chan struct{}
	greeting string
	told     sync.WaitGroup
}

type request struct {
	action, what string
	answer       chan error
}

func listen(folder string) (*control, error) {
	listener, err := net.Listen("unix", filepath.Join(folder, "control.sock"))
	if err != nil {
		return nil, err
	}
	control := &control{
		requests:    make(chan request),
		connections: make(chan int),
		ready:       make(chan struct{}),
	}
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			control.told.Add(1)
			go control.converse(connection)
		}
	}()
	return control, nil
}

// accept tells all connections that the cluster is there.
func (c *control) accept(kubeconfig string) {
	c.greeting = "ready " + kubeconfig
	close(c.ready)
}

// refuse tells those who wait why there will be no cluster.
func (c *control) refuse(reason error) {
	c.greeting = "failed " + reason.Error()
	close(c.ready)
	c.told.Wait()
}

func (c *control) converse(connection net.Conn) {
	defer connection.Close()
	<-c.ready
	fmt.Fprintln(connection, c.greeting)
	c.told.Done()
	if strings.HasPrefix(c.greeting, "failed") {
		return
	}
	c.connections <- 1
	defer func() { c.connections <- -1 }()
	lines := bufio.NewScanner(connection)
	for lines.Scan() {
		action, what, _ := strings.Cut(lines.Text(), " ")
		answer := make(chan error)
		c.requests <- request{action, what, answer}
		if err := <-answer; err != nil {
			fmt.Fprintln(connection, "failed", err)
		} else {
			fmt.Fprintln(connection, "ok")
		}
	}
}
