package plugin

import (
	"context"
	"runtime"
	"sync/atomic"
)

// threads run what keeps a processor busy for long, each on a thread of the
// operating system that does nothing else and stays on its processor. What Go
// moves from thread to thread gets in the way of the broker's now on this
// processor, now on that.
type threads struct {
	ctx   context.Context // ends them
	begin func()          // called first on each
	most  int64
	count atomic.Int64
	calls chan call
}

type call struct {
	run  func()
	done chan struct{}
}

// newThreads starts none: one begins when the others are busy, up to most.
func newThreads(ctx context.Context, most int, begin func()) *threads {
	return &threads{ctx: ctx, begin: begin, most: int64(most), calls: make(chan call)}
}

// run returns when f has. The error is that of the threads' end, and f was then
// not run. f must not panic.
func (t *threads) run(f func()) error {
	c := call{f, make(chan struct{})}
	if err := t.hand(c); err != nil {
		return err
	}
	<-c.done
	return nil
}

func (t *threads) hand(c call) error {
	if err := t.ctx.Err(); err != nil {
		return err
	}
	select {
	case t.calls <- c: // one is idle
		return nil
	default:
	}
	if t.count.Add(1) <= t.most {
		go t.serve(c)
		return nil
	}
	t.count.Add(-1)
	select {
	case t.calls <- c:
		return nil
	case <-t.ctx.Done():
		return t.ctx.Err()
	}
}

// serve is one thread, which ends with the goroutine since that keeps it.
func (t *threads) serve(c call) {
	runtime.LockOSThread()
	t.begin()
	for {
		c.run()
		close(c.done)
		select {
		case c = <-t.calls:
		case <-t.ctx.Done():
			return
		}
	}
}
