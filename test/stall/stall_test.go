package stall

import (
	"testing"
	"testing/synctest"
	"time"
)

// On a machine that runs, the clock is like any other.
func TestTook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := Start()
		time.Sleep(1234 * time.Millisecond)
		if took := c.Took(); took != 1234*time.Millisecond {
			t.Errorf("it took %v", took)
		}
	})
}

// A look that comes too late shows a stall, also one that has just ended.
func TestStalls(t *testing.T) {
	begin := time.Now()
	c := &Clock{last: begin}
	for _, look := range []struct{ at, took, stood time.Duration }{
		{5 * time.Millisecond, 5 * time.Millisecond, 0},
		{205 * time.Millisecond, 205 * time.Millisecond, 0}, // a busy machine, or what is tested
		{2 * time.Second, 210 * time.Millisecond, 1790 * time.Millisecond},
		{2005 * time.Millisecond, 215 * time.Millisecond, 1790 * time.Millisecond},
	} {
		if took, stood := c.look(begin.Add(look.at)); took != look.took || stood != look.stood {
			t.Errorf("after %v: took %v and stood %v, want %v and %v", look.at, took, stood, look.took, look.stood)
		}
	}
}
