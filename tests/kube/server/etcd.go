package main

import (
	"net/url"
	"path/filepath"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
)

// serveEtcd keeps the cluster's objects in a folder, and listens on sockets there.
func serveEtcd(folder string) error {
	config := embed.NewConfig()
	config.Dir = filepath.Join(folder, "data")
	// What a test writes need not outlive the machine.
	config.UnsafeNoFsync = true
	config.LogLevel = "warn"
	config.WarningApplyDuration, config.WarningUnaryRequestDuration = time.Second, time.Second
	config.ListenClientUrls = []url.URL{{Scheme: "unix", Path: etcdSocket(folder)}}
	// Members of a cluster of one ask nobody; the name of this socket is relative.
	config.ListenPeerUrls = []url.URL{{Scheme: "unix", Host: "etcd-peers.sock"}}
	nobody := []url.URL{{Scheme: "http", Host: "localhost:1"}}
	config.AdvertiseClientUrls, config.AdvertisePeerUrls = nobody, nobody
	config.EnableGRPCGateway = false
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	server, err := embed.StartEtcd(config)
	if err != nil {
		return err
	}
	return <-server.Err()
}

func etcdSocket(folder string) string {
	return filepath.Join(folder, "clients.sock")
}
