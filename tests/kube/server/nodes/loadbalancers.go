package nodes

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
)

// noAddress is the annotation of a load balancer that never gets an address.
const noAddress = "load-balancer.kubelet.test/no-address"

// balanceLoads gives each service that wants a load balancer the address of one, in a network for documentation.
func balanceLoads(ctx context.Context, factory informers.SharedInformerFactory, client kubernetes.Interface) error {
	_, err := factory.Core().V1().Services().Informer().AddEventHandler(onChange(func(service *corev1.Service) {
		_, without := service.Annotations[noAddress]
		if service.Spec.Type != corev1.ServiceTypeLoadBalancer || len(service.Status.LoadBalancer.Ingress) > 0 || without {
			return
		}
		changed := service.DeepCopy()
		address := fmt.Sprintf("198.18.%d.%d", hash(string(service.UID))&0xff, 1+hash(string(service.UID))>>8&0x7f)
		changed.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: address}}
		_, _ = client.CoreV1().Services(service.Namespace).UpdateStatus(ctx, changed, metav1.UpdateOptions{})
	}))
	return err
}
