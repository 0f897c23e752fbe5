package main

// #include "host.h"
import "C"

import (
	"os"
	"sync"
	"sync/atomic"
	"syscall"
)

// starter starts what goes on beside the broker's thread. A goroutine that this thread
// made ready itself would lie on the processor that Go keeps for it while it is back in
// C, until another thread has stolen it or Go's monitor has taken the processor away,
// which is a tenth of the CPU time of a login. So it wakes one of Go's threads as the
// network does, through an eventfd.
type starter struct {
	todo   chan func()
	woken  atomic.Bool // the eventfd was written to, and todo not looked at since
	broken atomic.Bool // the eventfd is of no use

	open  sync.RWMutex // held for writing to close it only
	event *os.File
	fd    int
}

// startRoom is how many functions may wait. Those for whom there is no room are
// started as Go does it.
const startRoom = 1000

var oneEvent = []byte{1, 0, 0, 0, 0, 0, 0, 0}

// newStarter returns one that is to be closed.
func newStarter() *starter {
	s := &starter{fd: int(C.host_eventfd()), todo: make(chan func(), startRoom)}
	if s.fd < 0 {
		s.broken.Store(true)
		return s
	}
	s.event = os.NewFile(uintptr(s.fd), "eventfd")
	go s.attend(s.event)
	return s
}

// attend works whenever the eventfd is written to, until it is closed.
func (s *starter) attend(event *os.File) {
	if conn, err := event.SyscallConn(); err == nil {
		_ = conn.Read(func(uintptr) bool { s.work(); return false })
	}
	s.broken.Store(true)
	s.work()
}

// start has f run soon on another thread. f must not block or panic. It may be called
// on any thread, also after close.
func (s *starter) start(f func()) {
	s.open.RLock()
	defer s.open.RUnlock()
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
		_, _ = syscall.Write(s.fd, oneEvent) // it never blocks, and fails only after 2⁶⁴ events
	}
	if s.broken.Load() {
		s.work()
	}
}

// close ends the waiting.
func (s *starter) close() {
	s.open.Lock()
	defer s.open.Unlock()
	s.broken.Store(true)
	if s.event != nil {
		s.event.Close()
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
