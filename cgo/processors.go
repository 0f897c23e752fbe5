package main

// #include "host.h"
import "C"

import (
	"bytes"
	"os"
	"runtime"
	"sync"

	"mosquitto-go-auth/plugin"
)

// spareProcessor gives Go one processor more than there are, or than hashes are
// computed at once. The broker's thread needs one when it enters Go, and where
// all were taken it waited for a hash to be interrupted, for milliseconds; now
// the kernel shares the real ones out.
func spareProcessor(hashing *plugin.Gate) {
	runtime.GOMAXPROCS(max(runtime.GOMAXPROCS(0), hashing.Size()) + 1)
}

var spareOnce sync.Once // of the process

// hashThread has the broker's thread come before the one it is called on, which
// is to compute hashes. Where a filter judges system calls it asks for nothing:
// the filter could end the broker for it.
func hashThread() {
	status, err := os.ReadFile("/proc/thread-self/status")
	if err == nil && unfiltered(status) {
		C.host_yield()
	}
}

// unfiltered tells whether a thread's status, as the kernel shows it, says that
// no filter judges its system calls.
func unfiltered(status []byte) bool { return bytes.Contains(status, []byte("\nSeccomp:\t0\n")) }
