//go:build measure

package main

import "C"

import (
	"bytes"
	"runtime"
	"runtime/debug"
)

// goauthCollect frees what can be freed, and tells how many goroutines there are,
// idle workers apart, and how many bytes are in use on the heap. Only builds for
// test/soak have it.
//
//export goauthCollect
func goauthCollect(goroutines, heap *C.long) {
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	*goroutines, *heap = C.long(runtime.NumGoroutine()-idleWorkers()), C.long(m.HeapAlloc)
}

// idleMost is how many workers may wait for a job in the two instances of
// test/soak. How many do depends on how many were ever busy at once, which is
// for the scheduler to say; what is beyond is counted.
const idleMost = 2 * 16

// idleWorkers counts the goroutines that wait in the loop of the workers, and not
// in anything that a job calls.
func idleWorkers() int {
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	n := 0
	for stack := range bytes.SplitSeq(stacks, []byte("\n\n")) {
		if _, top, ok := bytes.Cut(stack, []byte("\n")); ok && bytes.HasPrefix(top, []byte("mosquitto-go-auth/plugin.(*workers).work(")) {
			n++
		}
	}
	return min(n, idleMost)
}
