package nodes

import (
	"context"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/record"
	"k8s.io/client-go/util/workqueue"
)

// podWorkers report of the pods of all nodes.
type podWorkers struct {
	client kubernetes.Interface
	lister corelisters.PodLister
	queue  workqueue.TypedRateLimitingInterface[cache.ObjectName]
	events record.EventBroadcaster
	// seen is when each pod was first seen on its node.
	seen sync.Map
}

// workersCount is how many pods are reported of at once.
const workersCount = 8

func newPodWorkers(factory informers.SharedInformerFactory, client kubernetes.Interface) *podWorkers {
	informer := factory.Core().V1().Pods()
	workers := &podWorkers{
		client: client,
		lister: informer.Lister(),
		queue:  workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[cache.ObjectName]()),
		events: record.NewBroadcaster(),
	}
	add := func(object any) {
		if pod, ok := object.(*corev1.Pod); ok && pod.Spec.NodeName != "" {
			workers.queue.Add(cache.MetaObjectToName(pod))
		}
	}
	_, _ = informer.Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    add,
		UpdateFunc: func(_, pod any) { add(pod) },
		DeleteFunc: func(object any) {
			if pod, ok := object.(*corev1.Pod); ok {
				workers.seen.Delete(pod.UID)
			}
		},
	})
	return workers
}

func (w *podWorkers) run(ctx context.Context) {
	w.events.StartRecordingToSink(&typedcorev1.EventSinkImpl{Interface: w.client.CoreV1().Events("")})
	var workers sync.WaitGroup
	for range workersCount {
		workers.Go(func() {
			for w.next(ctx) {
			}
		})
	}
	<-ctx.Done()
	w.queue.ShutDown()
	workers.Wait()
}

func (w *podWorkers) next(ctx context.Context) bool {
	name, quit := w.queue.Get()
	if quit {
		return false
	}
	defer w.queue.Done(name)
	in, err := w.report(ctx, name)
	switch {
	case err != nil:
		w.queue.AddRateLimited(name)
		return true
	case in != never:
		w.queue.AddAfter(name, in)
	}
	w.queue.Forget(name)
	return true
}

// report says what is true of a pod now, and gives when it has to be said anew.
func (w *podWorkers) report(ctx context.Context, name cache.ObjectName) (time.Duration, error) {
	pod, err := w.lister.Pods(name.Namespace).Get(name.Name)
	if apierrors.IsNotFound(err) {
		return never, nil
	}
	if err != nil {
		return 0, err
	}
	pods := w.client.CoreV1().Pods(pod.Namespace)
	if pod.DeletionTimestamp != nil {
		uid := types.UID(pod.UID)
		var now int64
		err := pods.Delete(ctx, pod.Name, metav1.DeleteOptions{
			GracePeriodSeconds: &now,
			Preconditions:      &metav1.Preconditions{UID: &uid},
		})
		if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
			return never, nil
		}
		return never, err
	}
	if pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed {
		return never, nil
	}
	first := time.Now()
	if pod.Status.StartTime != nil {
		first = pod.Status.StartTime.Time
	}
	kept, _ := w.seen.LoadOrStore(pod.UID, first)
	since, _ := kept.(time.Time)
	status, next := statusOf(pod, pod.Spec.NodeName, since, time.Since(since))
	if saysTheSame(&pod.Status, &status) {
		return next, nil
	}
	changed := pod.DeepCopy()
	changed.Status = status
	if _, err := pods.UpdateStatus(ctx, changed, metav1.UpdateOptions{}); err != nil {
		if apierrors.IsNotFound(err) {
			return never, nil
		}
		return 0, err
	}
	w.tell(pod, &status)
	return next, nil
}

// saysTheSame leaves out what is rounded on its way through the API server.
func saysTheSame(old, new *corev1.PodStatus) bool {
	old, new = old.DeepCopy(), new.DeepCopy()
	for _, status := range []*corev1.PodStatus{old, new} {
		if status.StartTime != nil {
			status.StartTime = &metav1.Time{}
		}
		for i := range status.Conditions {
			status.Conditions[i].LastTransitionTime = metav1.Time{}
		}
		for _, containers := range [][]corev1.ContainerStatus{status.InitContainerStatuses, status.ContainerStatuses} {
			for i := range containers {
				withoutTimes(&containers[i].State)
				withoutTimes(&containers[i].LastTerminationState)
			}
		}
	}
	return equality.Semantic.DeepEqual(old, new)
}

func withoutTimes(state *corev1.ContainerState) {
	if state.Running != nil {
		state.Running.StartedAt = metav1.Time{}
	}
	if state.Terminated != nil {
		state.Terminated.StartedAt, state.Terminated.FinishedAt = metav1.Time{}, metav1.Time{}
	}
}

// tell makes the events that users look for when something is wrong.
func (w *podWorkers) tell(pod *corev1.Pod, status *corev1.PodStatus) {
	recorder := w.events.NewRecorder(scheme.Scheme, corev1.EventSource{Component: "kubelet", Host: pod.Spec.NodeName})
	for _, container := range append(status.InitContainerStatuses, status.ContainerStatuses...) {
		waiting := container.State.Waiting
		if waiting == nil {
			continue
		}
		switch waiting.Reason {
		case "ErrImagePull":
			recorder.Eventf(pod, corev1.EventTypeWarning, "Failed", "Failed to pull image %q: %s", container.Image, waiting.Message)
		case "ImagePullBackOff", "CrashLoopBackOff":
			recorder.Event(pod, corev1.EventTypeWarning, "BackOff", waiting.Message)
		}
	}
}
