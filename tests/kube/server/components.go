package main

import (
	"fmt"
	"os"
	"path/filepath"
)

// The programs of a cluster. Their names are those they are started by.
const (
	etcd              = "etcd"
	apiServer         = "kube-apiserver"
	controllerManager = "kube-controller-manager"
	schedulerName     = "kube-scheduler"
	kubelet           = "kubelet"
)

// inOrder is how they are started.
var inOrder = []string{etcd, apiServer, controllerManager, schedulerName, kubelet}

const (
	serviceAddresses    = "10.96.0.0/16"
	firstServiceAddress = "10.96.0.1"
)

// auditPolicy has each request as one line, when it is answered.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
`

// prepare writes keys, certificates and kubeconfigs, and gives what each program is started with.
func prepare(folder string, port int) (map[string][]string, error) {
	ca, err := newAuthority(folder)
	if err != nil {
		return nil, err
	}
	if _, err := newKey(folder, "tokens"); err != nil {
		return nil, err
	}
	for _, server := range []identity{
		{file: "server", user: "kube-apiserver"},
		{file: "front-proxy", user: "front-proxy"},
		{file: "to-kubelet", user: "kube-apiserver-kubelet-client", groups: []string{"system:masters"}},
	} {
		if err := ca.issue(server); err != nil {
			return nil, err
		}
	}
	server := fmt.Sprintf("https://127.0.0.1:%d", port)
	for _, client := range []identity{
		{file: "admin", user: "admin", groups: []string{"system:masters"}},
		{file: "controller-manager", user: "system:kube-controller-manager"},
		{file: "scheduler", user: "system:kube-scheduler"},
		{file: "kubelet", user: "kubelet", groups: []string{"system:masters"}},
	} {
		if err := ca.kubeconfig(client, server); err != nil {
			return nil, err
		}
	}
	if err := os.WriteFile(ca.path("audit.yaml"), []byte(auditPolicy), 0o600); err != nil {
		return nil, err
	}
	store := filepath.Join(folder, "etcd")
	if err := os.Mkdir(store, 0o700); err != nil {
		return nil, err
	}
	return map[string][]string{
		etcd:              {store},
		apiServer:         apiServerArguments(ca, store, port),
		controllerManager: controllerManagerArguments(ca),
		schedulerName: {
			"--kubeconfig=" + ca.path("scheduler.kubeconfig"),
			"--leader-elect=false",
			"--secure-port=0",
			"--kube-api-qps=500",
			"--kube-api-burst=1000",
		},
		kubelet: {folder},
	}, nil
}

func apiServerArguments(ca *authority, store string, port int) []string {
	return []string{
		"--etcd-servers=unix://" + etcdSocket(store),
		"--bind-address=127.0.0.1",
		"--advertise-address=127.0.0.1",
		// Endpoints must not be on the loopback interface; the address of the API server is.
		"--endpoint-reconciler-type=none",
		fmt.Sprintf("--secure-port=%d", port),
		"--permit-port-sharing=true",
		"--tls-cert-file=" + ca.path("server.crt"),
		"--tls-private-key-file=" + ca.path("server.key"),
		"--client-ca-file=" + ca.path("ca.crt"),
		"--authorization-mode=Node,RBAC",
		"--allow-privileged=true",
		"--service-cluster-ip-range=" + serviceAddresses,
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + ca.path("tokens.key"),
		"--service-account-signing-key-file=" + ca.path("tokens.key"),
		"--kubelet-certificate-authority=" + ca.path("ca.crt"),
		"--kubelet-client-certificate=" + ca.path("to-kubelet.crt"),
		"--kubelet-client-key=" + ca.path("to-kubelet.key"),
		"--kubelet-preferred-address-types=InternalIP",
		"--requestheader-client-ca-file=" + ca.path("ca.crt"),
		"--requestheader-allowed-names=front-proxy",
		"--requestheader-username-headers=X-Remote-User",
		"--requestheader-group-headers=X-Remote-Group",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--proxy-client-cert-file=" + ca.path("front-proxy.crt"),
		"--proxy-client-key-file=" + ca.path("front-proxy.key"),
		"--enable-aggregator-routing=true",
		"--audit-policy-file=" + ca.path("audit.yaml"),
		"--audit-log-path=" + ca.path("audit.log"),
		"--profiling=false",
		// A server that was asked to end does so at once.
		"--shutdown-delay-duration=0s",
	}
}

func controllerManagerArguments(ca *authority) []string {
	return []string{
		"--kubeconfig=" + ca.path("controller-manager.kubeconfig"),
		"--leader-elect=false",
		"--secure-port=0",
		// Each controller is somebody of its own, for whom the API server has a role.
		"--use-service-account-credentials=true",
		"--root-ca-file=" + ca.path("ca.crt"),
		"--service-account-private-key-file=" + ca.path("tokens.key"),
		"--cluster-signing-cert-file=" + ca.path("ca.crt"),
		"--cluster-signing-key-file=" + ca.path("ca.key"),
		"--kube-api-qps=500",
		"--kube-api-burst=1000",
		// What these loops do only now and then, tests would wait for.
		"--pvclaimbinder-sync-period=1s",
		"--horizontal-pod-autoscaler-sync-period=2s",
		"--node-monitor-period=2s",
		"--profiling=false",
	}
}
