package main

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// inTime fails the test if a channel is not closed soon.
func inTime(t *testing.T, done chan struct{}) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatal("a function was not run")
	}
}

// Whatever comes from many threads is run, each once, also where the eventfd breaks
// or is closed meanwhile, or there was none.
func TestStarter(t *testing.T) {
	for _, c := range []struct {
		title string
		make  func() *starter
		spoil func(*starter)
	}{
		{"eventfd", newStarter, func(*starter) {}},
		{"breaks", newStarter, func(s *starter) { s.event.SetReadDeadline(time.Now()) }},
		{"is closed", newStarter, (*starter).close},
		{"none", func() *starter {
			s := &starter{todo: make(chan func(), startRoom)}
			s.broken.Store(true)
			return s
		}, func(*starter) {}},
	} {
		t.Run(c.title, func(t *testing.T) {
			s := c.make()
			defer s.close()
			const threads, each = 8, 3 * startRoom
			runs := make([]atomic.Int64, threads*each)
			var all sync.WaitGroup
			all.Add(len(runs))
			for i := range threads {
				go func() {
					for k := range each {
						if i == 0 && k == each/2 {
							c.spoil(s)
						}
						s.start(func() { runs[i*each+k].Add(1); all.Done() })
					}
				}()
			}
			done := make(chan struct{})
			go func() { all.Wait(); close(done) }()
			inTime(t, done)
			for i := range runs {
				if n := runs[i].Load(); n != 1 {
					t.Fatalf("function %d ran %d times", i, n)
				}
			}
		})
	}
}

// One for which there is no room is run all the same.
func TestStarterFull(t *testing.T) {
	s := newStarter()
	defer s.close()
	held, begun := make(chan struct{}), make(chan struct{})
	defer close(held)
	s.start(func() { close(begun); <-held }) // nothing else is looked at
	inTime(t, begun)
	for range startRoom {
		s.start(func() {})
	}
	done := make(chan struct{})
	s.start(func() { close(done) })
	inTime(t, done)
}

// Each that comes when all is at rest is run.
func TestStarterOneByOne(t *testing.T) {
	s := newStarter()
	defer s.close()
	for range 10000 {
		done := make(chan struct{})
		s.start(func() { close(done) })
		inTime(t, done)
	}
	if s.broken.Load() {
		t.Error("the eventfd is broken")
	}
}
