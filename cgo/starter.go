package main

// #include "host.h"
import "C"

import (
	"os"
	"sync/atomic"
)

// starter starts what goes on beside the broker's thread. A goroutine that this thread
// made ready itself would lie on the processor that Go keeps for it while it is back in
// C, until another thread has stolen it or Go's monitor has taken the processor away:
// 7 to 10 % of the broker's CPU time for a login. So it wakes one of Go's threads as
// the network does, through an eventfd.
type starter struct {
	event  *os.File // nil if there was none to be had
	todo   chan func()
	woken  atomic.Bool // the eventfd was written to, and todo not looked at since
	broken atomic.Bool // the eventfd is of no use
}

// startRoom is how many functions may wait. Those for whom there is no room are
// started as Go does it.
const startRoom = 1000

// newStarter returns one that is to be closed.
func newStarter() *starter {
	s := &starter{todo: make(chan func(), startRoom)}
	if fd := C.host_eventfd(); fd >= 0 {
		s.event = os.NewFile(uintptr(fd), "eventfd")
		go s.attend()
	} else {
		s.broken.Store(true)
	}
	return s
}

// attend works whenever the eventfd is written to, until it is closed.
func (s *starter) attend() {
	for count := make([]byte, 8); ; {
		if _, err := s.event.Read(count); err != nil {
			break
		}
		s.work()
	}
	s.broken.Store(true)
	s.work()
}

// start has f run soon, in a goroutine. f must not block or panic. It may be called on
// any thread, also after close.
func (s *starter) start(f func()) {
	if s.broken.Load() {
		go f()
		return
	}
	select {
	case s.todo <- f:
	default:
		go f()
		return
	}
	if !s.woken.Swap(true) {
		s.wake()
	}
	if s.broken.Load() {
		go s.work() // it broke since, and may have looked before
	}
}

// wake writes to the eventfd, which never blocks.
func (s *starter) wake() {
	if _, err := s.event.Write([]byte{1, 0, 0, 0, 0, 0, 0, 0}); err != nil {
		s.broken.Store(true)
	}
}

// work runs what there is to do.
func (s *starter) work() {
	s.woken.Store(false)
	for {
		select {
		case f := <-s.todo:
			f()
		default:
			return
		}
	}
}

// close ends the waiting. What was started before is run.
func (s *starter) close() {
	s.broken.Store(true)
	if s.event != nil {
		s.event.Close()
	}
}
