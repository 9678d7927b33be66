// Package nodes pretends: nodes that are ready and run no pod, but report of each what a kubelet would, storage that is
// there at once, and load balancers with an address.
//
// What a container does is said by its image, see behaviour.go.
package nodes

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/utils/ptr"
)

// Names of the nodes.
var Names = []string{"node-1", "node-2", "node-3"}

const (
	leaseNamespace = "kube-node-lease"
	// A kubelet renews its lease as often, and says as often that it is well.
	leaseEvery  = 10 * time.Second
	statusEvery = time.Minute
	// version is what the nodes say they run.
	version = "v1.36.3"
)

// Run pretends until the context ends. The folder holds keys and a kubeconfig.
func Run(ctx context.Context, folder string) error {
	config, err := clientcmd.BuildConfigFromFlags("", filepath.Join(folder, "kubelet.kubeconfig"))
	if err != nil {
		return err
	}
	config.QPS, config.Burst = 1000, 2000
	kubelets, err := clientFor(config, "kubelet")
	if err != nil {
		return err
	}
	logs, err := serveLogs(folder, kubelets)
	if err != nil {
		return err
	}
	for _, name := range Names {
		if err := register(ctx, kubelets, name, logs); err != nil {
			return fmt.Errorf("node %s: %w", name, err)
		}
		go heartbeat(ctx, kubelets, name)
	}
	provisioner, err := clientFor(config, "csi-provisioner")
	if err != nil {
		return err
	}
	if err := addStorageClasses(ctx, provisioner); err != nil {
		return err
	}
	cloud, err := clientFor(config, "cloud-controller-manager")
	if err != nil {
		return err
	}
	factory := informers.NewSharedInformerFactory(kubelets, 0)
	pods := newPodWorkers(factory, kubelets)
	if err := provisionVolumes(ctx, factory, provisioner); err != nil {
		return err
	}
	if err := balanceLoads(ctx, factory, cloud); err != nil {
		return err
	}
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	pods.run(ctx)
	return nil
}

// clientFor makes a client whose writes are those of the manager of that name.
func clientFor(config *rest.Config, name string) (kubernetes.Interface, error) {
	named := rest.CopyConfig(config)
	named.UserAgent = name + "/" + version
	return kubernetes.NewForConfig(named)
}

func register(ctx context.Context, client kubernetes.Interface, name string, logsPort int32) error {
	node := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{
			Name: name,
			Labels: map[string]string{
				corev1.LabelHostname:       name,
				corev1.LabelOSStable:       "linux",
				corev1.LabelArchStable:     "amd64",
				corev1.LabelTopologyZone:   "zone-" + name[len(name)-1:],
				corev1.LabelTopologyRegion: "region-1",
			},
		},
	}
	node, err := client.CoreV1().Nodes().Create(ctx, node, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		node, err = client.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
	}
	if err != nil {
		return err
	}
	node.Status = nodeStatus(name, logsPort)
	_, err = client.CoreV1().Nodes().UpdateStatus(ctx, node, metav1.UpdateOptions{})
	return err
}

func nodeStatus(name string, logsPort int32) corev1.NodeStatus {
	resources := corev1.ResourceList{
		corev1.ResourceCPU:              resource.MustParse("16"),
		corev1.ResourceMemory:           resource.MustParse("64Gi"),
		corev1.ResourceEphemeralStorage: resource.MustParse("500Gi"),
		corev1.ResourcePods:             resource.MustParse("2000"),
	}
	return corev1.NodeStatus{
		Capacity:    resources,
		Allocatable: resources,
		Conditions:  nodeConditions(),
		Addresses: []corev1.NodeAddress{
			{Type: corev1.NodeInternalIP, Address: "127.0.0.1"},
			{Type: corev1.NodeHostName, Address: name},
		},
		DaemonEndpoints: corev1.NodeDaemonEndpoints{KubeletEndpoint: corev1.DaemonEndpoint{Port: logsPort}},
		NodeInfo: corev1.NodeSystemInfo{
			KubeletVersion:          version,
			KernelVersion:           "6.12.0",
			OSImage:                 "Debian GNU/Linux 12 (bookworm)",
			ContainerRuntimeVersion: "containerd://2.2.0",
			OperatingSystem:         "linux",
			Architecture:            "amd64",
		},
	}
}

func nodeConditions() []corev1.NodeCondition {
	now := metav1.Now()
	condition := func(kind corev1.NodeConditionType, status corev1.ConditionStatus, reason string) corev1.NodeCondition {
		return corev1.NodeCondition{Type: kind, Status: status, Reason: reason, LastHeartbeatTime: now, LastTransitionTime: now}
	}
	return []corev1.NodeCondition{
		condition(corev1.NodeMemoryPressure, corev1.ConditionFalse, "KubeletHasSufficientMemory"),
		condition(corev1.NodeDiskPressure, corev1.ConditionFalse, "KubeletHasNoDiskPressure"),
		condition(corev1.NodePIDPressure, corev1.ConditionFalse, "KubeletHasSufficientPID"),
		condition(corev1.NodeReady, corev1.ConditionTrue, "KubeletReady"),
	}
}

// heartbeat says that a node is well: often by its lease, now and then by its status. What fails is tried again.
func heartbeat(ctx context.Context, client kubernetes.Interface, name string) {
	saidWell := time.Now()
	wait.UntilWithContext(ctx, func(ctx context.Context) {
		_ = renewLease(ctx, client, name)
		if time.Since(saidWell) < statusEvery {
			return
		}
		if node, err := client.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{}); err == nil {
			for i := range node.Status.Conditions {
				if node.Status.Conditions[i].Type == corev1.NodeReady && node.Status.Conditions[i].Status != corev1.ConditionTrue {
					node.Status.Conditions = nodeConditions()
					break
				}
				node.Status.Conditions[i].LastHeartbeatTime = metav1.Now()
			}
			if _, err := client.CoreV1().Nodes().UpdateStatus(ctx, node, metav1.UpdateOptions{}); err == nil {
				saidWell = time.Now()
			}
		}
	}, leaseEvery)
}

func renewLease(ctx context.Context, client kubernetes.Interface, name string) error {
	leases := client.CoordinationV1().Leases(leaseNamespace)
	now := metav1.NowMicro()
	lease, err := leases.Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		_, err = leases.Create(ctx, &coordinationv1.Lease{
			ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: leaseNamespace},
			Spec: coordinationv1.LeaseSpec{
				HolderIdentity:       ptr.To(name),
				LeaseDurationSeconds: ptr.To[int32](40),
				RenewTime:            &now,
			},
		}, metav1.CreateOptions{})
		return err
	}
	if err != nil {
		return err
	}
	lease.Spec.RenewTime = &now
	_, err = leases.Update(ctx, lease, metav1.UpdateOptions{})
	return err
}
