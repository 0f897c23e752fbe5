//go:build measure

package main

import "C"

import (
	"runtime"
	"runtime/debug"
)

// goauthCollect frees what can be freed, and tells how many goroutines there are
// and how many bytes are in use on the heap. Only builds for test/soak have it.
//
//export goauthCollect
func goauthCollect(goroutines, heap *C.long) {
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	*goroutines, *heap = C.long(runtime.NumGoroutine()), C.long(m.HeapAlloc)
}
