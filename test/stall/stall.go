// Package stall measures how long something takes, for tests of what is promised in
// seconds. A machine that is shared may stand still for as long; what is promised is
// about one that runs. What takes less than a second is no matter for it: there, a
// stall of the test's process may be the doing of what is tested.
package stall

import (
	"sync"
	"time"
)

const (
	glance = 5 * time.Millisecond   // between two looks at the clock
	least  = 200 * time.Millisecond // between two that tell of a machine that stood still
)

// A Clock leaves out the times for which this process was not let run at all, when they
// are so long that, most likely, no other was either.
type Clock struct {
	mu      sync.Mutex
	last    time.Time     // the last look
	took    time.Duration // by then
	stood   time.Duration
	stopped chan struct{}
	stop    func()
}

// Start starts a clock. Took stops it.
func Start() *Clock {
	c := &Clock{last: time.Now(), stopped: make(chan struct{})}
	c.stop = sync.OnceFunc(func() { close(c.stopped) })
	go func() {
		tick := time.NewTicker(glance)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				c.look(time.Now())
			case <-c.stopped:
				return
			}
		}
	}()
	return c
}

// Took tells how long it has been since the start.
func (c *Clock) Took() time.Duration {
	c.stop()
	took, _ := c.look(time.Now())
	return took
}

// Stood tells for how long the machine has stood still since the start: what happens
// within a time may not happen within that.
func (c *Clock) Stood() time.Duration {
	_, stood := c.look(time.Now())
	return stood
}

func (c *Clock) look(now time.Time) (took, stood time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	passed := max(now.Sub(c.last), 0)
	if passed > least {
		c.stood += passed - glance
		passed = glance
	}
	c.took += passed
	c.last = now
	return c.took, c.stood
}
