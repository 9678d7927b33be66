package nodes

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/utils/ptr"
)

// provisioner is what the classes name that are there from the start.
const provisioner = "disk.kubelet.test"

// How the controller manager asks for a volume, and the scheduler for one on a node.
const (
	wantedFrom   = "volume.kubernetes.io/storage-provisioner"
	wantedOnNode = "volume.kubernetes.io/selected-node"
)

const provisionedByAnnotation = "pv.kubernetes.io/provisioned-by"

// addStorageClasses makes `standard`, the default, whose volumes are bound at once, and `waits`, whose volumes are bound
// when a pod wants them.
func addStorageClasses(ctx context.Context, client kubernetes.Interface) error {
	for _, class := range []storagev1.StorageClass{
		{
			ObjectMeta: metav1.ObjectMeta{
				Name:        "standard",
				Annotations: map[string]string{"storageclass.kubernetes.io/is-default-class": "true"},
			},
			VolumeBindingMode: ptr.To(storagev1.VolumeBindingImmediate),
		},
		{
			ObjectMeta:        metav1.ObjectMeta{Name: "waits"},
			VolumeBindingMode: ptr.To(storagev1.VolumeBindingWaitForFirstConsumer),
		},
	} {
		class.Provisioner = provisioner
		class.AllowVolumeExpansion = ptr.To(true)
		_, err := client.StorageV1().StorageClasses().Create(ctx, &class, metav1.CreateOptions{})
		if err != nil && !apierrors.IsAlreadyExists(err) {
			return err
		}
	}
	return nil
}

// provisionVolumes makes a volume for each claim that the controller manager wants one for, and removes it with the claim.
// It is every provisioner: those that are installed only pretend to run.
func provisionVolumes(ctx context.Context, factory informers.SharedInformerFactory, client kubernetes.Interface) error {
	_, err := factory.Core().V1().PersistentVolumeClaims().Informer().AddEventHandler(onChange(func(claim *corev1.PersistentVolumeClaim) {
		provisionedBy := claim.Annotations[wantedFrom]
		if provisionedBy == "" || claim.Spec.VolumeName != "" || claim.Spec.StorageClassName == nil {
			return
		}
		class, err := client.StorageV1().StorageClasses().Get(ctx, *claim.Spec.StorageClassName, metav1.GetOptions{})
		if err != nil || class.ReclaimPolicy == nil {
			return
		}
		waits := class.VolumeBindingMode != nil && *class.VolumeBindingMode == storagev1.VolumeBindingWaitForFirstConsumer
		if waits && claim.Annotations[wantedOnNode] == "" {
			return
		}
		name := "pvc-" + string(claim.UID)
		_, _ = client.CoreV1().PersistentVolumes().Create(ctx, &corev1.PersistentVolume{
			ObjectMeta: metav1.ObjectMeta{
				Name:        name,
				Annotations: map[string]string{provisionedByAnnotation: provisionedBy},
			},
			Spec: corev1.PersistentVolumeSpec{
				Capacity:                      claim.Spec.Resources.Requests,
				AccessModes:                   claim.Spec.AccessModes,
				VolumeMode:                    claim.Spec.VolumeMode,
				StorageClassName:              class.Name,
				PersistentVolumeReclaimPolicy: *class.ReclaimPolicy,
				ClaimRef: &corev1.ObjectReference{
					APIVersion: "v1", Kind: "PersistentVolumeClaim",
					Namespace: claim.Namespace, Name: claim.Name, UID: claim.UID,
				},
				PersistentVolumeSource: corev1.PersistentVolumeSource{
					// A kind of volume that nothing has to be attached for.
					HostPath: &corev1.HostPathVolumeSource{Path: "/volumes/" + name},
				},
			},
		}, metav1.CreateOptions{})
	}))
	if err != nil {
		return err
	}
	_, err = factory.Core().V1().PersistentVolumes().Informer().AddEventHandler(onChange(func(volume *corev1.PersistentVolume) {
		released := volume.Status.Phase == corev1.VolumeReleased && volume.DeletionTimestamp == nil
		deletes := volume.Spec.PersistentVolumeReclaimPolicy == corev1.PersistentVolumeReclaimDelete
		if released && deletes && volume.Annotations[provisionedByAnnotation] != "" {
			_ = client.CoreV1().PersistentVolumes().Delete(ctx, volume.Name, metav1.DeleteOptions{})
		}
	}))
	return err
}

// onChange calls a function with each object that is there or changes.
func onChange[T any](call func(T)) cache.ResourceEventHandler {
	typed := func(object any) {
		if is, ok := object.(T); ok {
			call(is)
		}
	}
	return cache.ResourceEventHandlerFuncs{AddFunc: typed, UpdateFunc: func(_, object any) { typed(object) }}
}
