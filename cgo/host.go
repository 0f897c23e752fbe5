package main

/*
#include <stdlib.h>
#include <string.h>
#include "host.h"
*/
import "C"

import (
	"sync/atomic"
	"time"
	"unsafe"

	"mosquitto-go-auth/plugin"
)

// host is the broker, for one instance. It implements plugin.Host.
type host struct {
	instance  *C.struct_instance
	ticks     atomic.Uint64 // how often TICK has entered Go
	signalled atomic.Uint64 // for which of them a signal was sent last
	repeating atomic.Bool
	closed    atomic.Bool
	starter   *starter
}

var _ plugin.Host = (*host)(nil)

// logLine is how much of a line the broker's log takes: it cuts lines at 1000
// bytes, with its own time and prefix in them.
const logLine = 900

func (h *host) Log(level plugin.Level, text string) {
	for text = oneLine(text); text != ""; {
		n := min(len(text), logLine)
		h.logOne(level, text[:n])
		if text = text[n:]; text != "" {
			text = "go-auth: … " + text
		}
	}
}

func (h *host) logOne(level plugin.Level, text string) {
	c := C.CString(text)
	defer C.free(unsafe.Pointer(c))
	C.host_log(C.int(level), c)
}

func (h *host) Complete(clientID string, allow bool) {
	c := C.CString(clientID)
	defer C.free(unsafe.Pointer(c))
	C.host_complete(c, C.bool(allow))
}

func (h *host) Kick(clientID string) {
	c := C.CString(clientID)
	defer C.free(unsafe.Pointer(c))
	C.host_kick(c)
}

func (h *host) Find(clientID string) (plugin.Ref, bool) {
	c := C.CString(clientID)
	defer C.free(unsafe.Pointer(c))
	var known C.bool
	client := C.host_client(c, &known)
	return ref(client), bool(known)
}

func (h *host) SetUsername(client plugin.Ref, name string) {
	c := C.CString(name)
	defer C.free(unsafe.Pointer(c))
	C.host_set_username(C.uintptr_t(client), c)
}

func (h *host) Turn() uint64 { return uint64(C.host_turn) }

func (h *host) Delays() bool { return bool(C.host_can_delay()) }

// Wake has the next TICK enter Go, and ends the broker's sleep if it sleeps. One
// signal is enough for a TICK, which takes all that has come until then.
func (h *host) Wake() {
	C.instance_set_attention(h.instance, 1)
	if bool(C.host_is_main()) || h.closed.Load() {
		return
	}
	if next := h.ticks.Load() + 1; h.signalled.Swap(next) != next {
		C.host_signal()
	}
	if h.repeating.CompareAndSwap(false, true) {
		go h.repeat()
	}
}

// Start has f run in a goroutine.
func (h *host) Start(f func()) { h.starter.start(f) }

// ticked is told that TICK enters Go, before it takes anything.
func (h *host) ticked() { h.ticks.Add(1) }

const (
	firstRepeat = time.Millisecond
	lastRepeat  = 100 * time.Millisecond
)

// repeat signals until no TICK is wanted any more, since a signal that comes
// between TICK and the sleep is lost: less and less often while none comes.
func (h *host) repeat() {
	seen := h.ticks.Load()
	for pause := firstRepeat; ; pause = min(2*pause, lastRepeat) {
		time.Sleep(pause)
		if C.instance_attention(h.instance) == 0 || h.closed.Load() {
			break
		}
		C.host_signal()
		if ticks := h.ticks.Load(); ticks != seen {
			seen, pause = ticks, firstRepeat/2
		}
	}
	h.repeating.Store(false)
	if C.instance_attention(h.instance) != 0 && !h.closed.Load() {
		h.Wake() // something came between the last look and here
	}
}

// close ends the waking: the broker goes.
func (h *host) close() {
	h.closed.Store(true)
	h.starter.close()
}
