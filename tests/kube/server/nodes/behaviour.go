package nodes

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// behaviour is what a container does. It is the end of its image's tag (`app:2.0-crashes`, `app:crashes`), or the pod's
// annotation `behaviour.kubelet.test/CONTAINER`. All other images are there, start at once and do what they should.
type behaviour string

const (
	wellBehaved behaviour = ""
	// pullFails: the image is not in its registry.
	pullFails behaviour = "pull-fails"
	// crashes: it ends with status 1 at once, each time.
	crashes behaviour = "crashes"
	// outOfMemory: the same, killed by the kernel.
	outOfMemory behaviour = "out-of-memory"
	// recovers: it crashes twice, then it runs.
	recovers behaviour = "recovers"
	// neverReady: it runs, and its readiness probe fails.
	neverReady behaviour = "never-ready"
	// slow: it is ready after three seconds.
	slow behaviour = "slow"
	// runs: it does not end, where others would: in a pod that is not to be restarted.
	runs behaviour = "runs"
)

const behaviourAnnotation = "behaviour.kubelet.test/"

var behaviours = []behaviour{pullFails, crashes, outOfMemory, recovers, neverReady, slow, runs}

func behaviourOf(pod *corev1.Pod, container *corev1.Container) behaviour {
	if named, ok := pod.Annotations[behaviourAnnotation+container.Name]; ok {
		return behaviour(named)
	}
	image, _, _ := strings.Cut(container.Image, "@")
	_, tag, found := strings.Cut(image[strings.LastIndex(image, "/")+1:], ":")
	if !found {
		return wellBehaved
	}
	for _, known := range behaviours {
		if tag == string(known) || strings.HasSuffix(tag, "-"+string(known)) {
			return known
		}
	}
	return wellBehaved
}

// crashesUntil is how often a container crashes before it runs; negative: always.
func (b behaviour) crashesUntil() int {
	switch b {
	case crashes, outOfMemory:
		return -1
	case recovers:
		return 2
	default:
		return 0
	}
}

// exit is how a crash looks.
func (b behaviour) exit() (code int32, reason string) {
	if b == outOfMemory {
		return 137, "OOMKilled"
	}
	return 1, "Error"
}

// output is what a container has written when it runs, or when it has crashed.
func (b behaviour) output(image string) []string {
	started := "starting " + image
	switch b {
	case crashes, recovers:
		return []string{started, "reading the configuration", "fatal: the configuration has no key `endpoint`"}
	case outOfMemory:
		return []string{started, "loading the index"}
	case neverReady:
		return []string{started, "waiting for the database"}
	default:
		return []string{started, "ready"}
	}
}
