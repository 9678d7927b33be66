package nodes

import (
	"fmt"
	"hash/fnv"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

// How long things take. A kubelet waits 10 s before it tries anything again, twice as long each time; nobody wants to
// wait for that in tests.
const (
	creating     = 50 * time.Millisecond
	starting     = 50 * time.Millisecond
	pulling      = 200 * time.Millisecond
	working      = 200 * time.Millisecond
	slowStart    = 3 * time.Second
	firstBackOff = 300 * time.Millisecond
	longBackOff  = 5 * time.Second
)

// never is the time until something that will not happen.
const never = time.Duration(1<<63 - 1)

// life is one container at one moment.
type life struct {
	status corev1.ContainerStatus
	// ended: it has done what it was for.
	ended bool
	// failed: it has ended for ever, and not well.
	failed bool
	// next is how long it stays as it is.
	next time.Duration
}

// statusOf is what a kubelet would say of a pod that it has had for so long, and for how long that stays true. It depends
// on nothing else, so that a kubelet that is started anew goes on where the other stopped.
func statusOf(pod *corev1.Pod, node string, since time.Time, age time.Duration) (corev1.PodStatus, time.Duration) {
	status := *pod.Status.DeepCopy()
	status.ObservedGeneration = pod.Generation
	start := metav1.NewTime(since)
	status.StartTime = &start
	status.HostIP = "127.0.0.1"
	status.HostIPs = []corev1.HostIP{{IP: status.HostIP}}
	status.QOSClass = pod.Status.QOSClass
	next := never
	sooner := func(in time.Duration) {
		if in < next {
			next = in
		}
	}

	if age < creating {
		status.Phase = corev1.PodPending
		status.InitContainerStatuses = waitingAll(pod.Spec.InitContainers, "PodInitializing")
		status.ContainerStatuses = waitingAll(pod.Spec.Containers, "ContainerCreating")
		setConditions(pod, &status, since, false, false)
		return status, creating - age
	}
	status.PodIP = podAddress(pod)
	if pod.Spec.HostNetwork {
		status.PodIP = status.HostIP
	}
	status.PodIPs = []corev1.PodIP{{IP: status.PodIP}}

	// Containers that initialise the pod run one after the other; those that stay run beside the rest.
	left, initialised, failed := age-creating, true, false
	status.InitContainerStatuses = waitingAll(pod.Spec.InitContainers, "PodInitializing")
	for i := range pod.Spec.InitContainers {
		container := &pod.Spec.InitContainers[i]
		stays := container.RestartPolicy != nil && *container.RestartPolicy == corev1.ContainerRestartPolicyAlways
		now := lifeOf(pod, container, since.Add(age-left), left, !stays)
		status.InitContainerStatuses[i] = now.status
		sooner(now.next)
		if now.failed {
			failed = true
		}
		if !(now.ended && !now.failed) && !(stays && *now.status.Started) {
			initialised = false
			break
		}
		left -= starting
		if !stays {
			left -= working
		}
		if left < 0 {
			left = 0
		}
	}

	status.ContainerStatuses = waitingAll(pod.Spec.Containers, "PodInitializing")
	ready, ended, begun := initialised, initialised, false
	if initialised {
		ends := pod.Spec.RestartPolicy != corev1.RestartPolicyAlways
		for i := range pod.Spec.Containers {
			now := lifeOf(pod, &pod.Spec.Containers[i], since.Add(age-left), left, ends)
			status.ContainerStatuses[i] = now.status
			sooner(now.next)
			ready = ready && now.status.Ready
			ended = ended && now.ended
			failed = failed || now.failed
			begun = begun || now.status.State.Waiting == nil || now.status.LastTerminationState.Terminated != nil
		}
	}
	switch {
	case failed && (ended || !initialised):
		status.Phase = corev1.PodFailed
	case ended:
		status.Phase = corev1.PodSucceeded
	case begun:
		status.Phase = corev1.PodRunning
	default:
		status.Phase = corev1.PodPending
	}
	setConditions(pod, &status, since, initialised, ready)
	return status, next
}

// lifeOf follows one container. `ends`: it is one that ends when its work is done.
func lifeOf(pod *corev1.Pod, container *corev1.Container, since time.Time, age time.Duration, ends bool) life {
	does := behaviourOf(pod, container)
	now := life{next: never, status: corev1.ContainerStatus{
		Name:    container.Name,
		Image:   container.Image,
		Started: ptr.To(false),
	}}
	if does == pullFails {
		now.status.State, now.next = pullState(container.Image, age)
		return now
	}
	identifier := func(restarts int) string {
		return fmt.Sprintf("containerd://%016x%032x", hash(string(pod.UID)+container.Name), restarts)
	}
	now.status.ImageID = fmt.Sprintf("%s@sha256:%064x", container.Image, hash(container.Image))

	crashesLeft, backOff, began := does.crashesUntil(), firstBackOff, time.Duration(0)
	restarts := 0
	mayRestart := pod.Spec.RestartPolicy != corev1.RestartPolicyNever
	for crashesLeft != 0 {
		diedAt := began + starting
		if age < diedAt {
			break
		}
		code, reason := does.exit()
		death := &corev1.ContainerStateTerminated{
			ExitCode:    code,
			Reason:      reason,
			StartedAt:   metav1.NewTime(since.Add(began)),
			FinishedAt:  metav1.NewTime(since.Add(diedAt)),
			ContainerID: identifier(restarts),
		}
		now.status.ContainerID = death.ContainerID
		now.status.RestartCount = int32(restarts)
		if !mayRestart {
			now.status.State.Terminated = death
			now.ended, now.failed = true, true
			return now
		}
		now.status.LastTerminationState.Terminated = death
		if age < diedAt+backOff {
			now.status.State.Waiting = &corev1.ContainerStateWaiting{
				Reason: "CrashLoopBackOff",
				Message: fmt.Sprintf("back-off %s restarting failed container=%s pod=%s_%s(%s)",
					backOff, container.Name, pod.Name, pod.Namespace, pod.UID),
			}
			now.next = diedAt + backOff - age
			return now
		}
		began = diedAt + backOff
		backOff = min(2*backOff, longBackOff)
		restarts++
		crashesLeft--
	}

	alive := age - began
	now.status.ContainerID = identifier(restarts)
	now.status.RestartCount = int32(restarts)
	now.status.State.Running = &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(since.Add(began))}
	now.status.Started = ptr.To(true)
	if crashesLeft != 0 {
		now.next = starting - alive
		return now
	}
	if ends && does != runs {
		if alive >= starting+working {
			now.status.State = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
				Reason:      "Completed",
				StartedAt:   metav1.NewTime(since.Add(began)),
				FinishedAt:  metav1.NewTime(since.Add(began + starting + working)),
				ContainerID: now.status.ContainerID,
			}}
			now.status.Started = ptr.To(false)
			now.ended = true
			return now
		}
		now.next = starting + working - alive
	}
	readyAfter := time.Duration(0)
	switch {
	case does == neverReady:
		return now
	case does == slow:
		readyAfter = slowStart
	case container.ReadinessProbe != nil:
		readyAfter = starting
	}
	if alive < readyAfter {
		now.next = min(now.next, readyAfter-alive)
		return now
	}
	now.status.Ready = true
	return now
}

// pullState is an image that cannot be pulled: it fails, and then it is waited until the next attempt.
func pullState(image string, age time.Duration) (corev1.ContainerState, time.Duration) {
	waiting := func(reason, message string) corev1.ContainerState {
		return corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}
	}
	failure := fmt.Sprintf("rpc error: code = NotFound desc = failed to pull and unpack image %q: not found", image)
	switch {
	case age < pulling:
		return waiting("ContainerCreating", ""), pulling - age
	case age < 2*pulling:
		return waiting("ErrImagePull", failure), 2*pulling - age
	default:
		return waiting("ImagePullBackOff", fmt.Sprintf("Back-off pulling image %q: ErrImagePull: %s", image, failure)), never
	}
}

func waitingAll(containers []corev1.Container, reason string) []corev1.ContainerStatus {
	var all []corev1.ContainerStatus
	for _, container := range containers {
		all = append(all, corev1.ContainerStatus{
			Name:    container.Name,
			Image:   container.Image,
			Started: ptr.To(false),
			State:   corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason}},
		})
	}
	return all
}

func setConditions(pod *corev1.Pod, status *corev1.PodStatus, since time.Time, initialised, ready bool) {
	notReady := ""
	if !ready {
		notReady = "ContainersNotReady"
		if status.Phase == corev1.PodSucceeded {
			notReady = "PodCompleted"
		}
	}
	set(status, corev1.PodReadyToStartContainers, status.PodIP != "", "")
	set(status, corev1.PodInitialized, initialised, map[bool]string{false: "ContainersNotInitialized"}[initialised])
	set(status, corev1.ContainersReady, ready, notReady)
	for _, gate := range pod.Spec.ReadinessGates {
		if ready && !isTrue(status, gate.ConditionType) {
			ready, notReady = false, "ReadinessGatesNotReady"
		}
	}
	set(status, corev1.PodReady, ready, notReady)
}

func set(status *corev1.PodStatus, kind corev1.PodConditionType, holds bool, reason string) {
	value := corev1.ConditionFalse
	if holds {
		value = corev1.ConditionTrue
	}
	for i := range status.Conditions {
		condition := &status.Conditions[i]
		if condition.Type != kind {
			continue
		}
		if condition.Status != value {
			condition.LastTransitionTime = metav1.Now()
		}
		condition.Status, condition.Reason = value, reason
		return
	}
	status.Conditions = append(status.Conditions, corev1.PodCondition{
		Type: kind, Status: value, Reason: reason, LastTransitionTime: metav1.Now(),
	})
}

func isTrue(status *corev1.PodStatus, kind corev1.PodConditionType) bool {
	for _, condition := range status.Conditions {
		if condition.Type == kind {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}

func podAddress(pod *corev1.Pod) string {
	number := hash(string(pod.UID))
	return fmt.Sprintf("10.%d.%d.%d", 128+number%64, number>>8&0xff, 1+number>>16&0x7f)
}

func hash(text string) uint64 {
	sum := fnv.New64a()
	_, _ = sum.Write([]byte(text))
	return sum.Sum64()
}
