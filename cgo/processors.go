package main

import (
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
