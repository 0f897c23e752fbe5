package plugin

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
)

// All that is asked for is run, on no more threads than were allowed, and each
// is told that it begins.
func TestThreads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		var begun, ran, wrong atomic.Int64
		var own sync.Map
		pool := newThreads(ctx, 3, func() {
			begun.Add(1)
			own.Store(syscall.Gettid(), true)
		})
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() {
				err := pool.run(func() {
					ran.Add(1)
					if _, ok := own.Load(syscall.Gettid()); !ok {
						wrong.Add(1)
					}
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if ran.Load() != 100 || begun.Load() < 1 || begun.Load() > 3 || wrong.Load() > 0 {
			t.Errorf("%d of 100 were run, %d of them on other threads; %d threads", ran.Load(), wrong.Load(), begun.Load())
		}
		stop()
		synctest.Wait()
		if err := pool.run(func() { t.Error("run behind the end") }); !errors.Is(err, context.Canceled) {
			t.Errorf("behind the end: %v", err)
		}
	})
}

// The end does not wait for a thread that is busy, and nobody waits for one then.
func TestThreadsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		pool := newThreads(ctx, 1, func() {})
		first, second, release := make(chan error, 1), make(chan error, 1), make(chan struct{})
		go func() { first <- pool.run(func() { <-release }) }()
		synctest.Wait()
		go func() { second <- pool.run(func() { t.Error("run behind the end") }) }()
		synctest.Wait()
		stop()
		if err := <-second; !errors.Is(err, context.Canceled) {
			t.Errorf("the one that waits: %v", err)
		}
		close(release)
		if err := <-first; err != nil {
			t.Errorf("the one that is run: %v", err)
		}
	})
}
