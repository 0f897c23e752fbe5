package plugin

import (
	"testing"
	"time"
)

func TestCredit(t *testing.T) {
	now := time.Unix(1000, 0)
	c := newCredit(func() time.Time { return now })
	turn := uint64(1)
	for _, step := range []struct {
		what      string
		pass      time.Duration
		sameTurn  bool
		spend     time.Duration
		available time.Duration // before it is spent
	}{
		{"full", 0, false, 100, 250},
		{"once per turn", 0, true, 0, 0},
		{"the rest", 0, false, 150, 150},
		{"spent", 0, false, 0, 0},
		{"refills by 50 ms a second", time.Second, false, 50, 50},
		{"spent again", 0, false, 0, 0},
		{"a little", 100 * time.Millisecond, false, 20, 5},
		{"overdrawn", 200 * time.Millisecond, false, 0, 0},
		{"paid back", 300 * time.Millisecond, false, 0, 10},
		{"never more than 250 ms", time.Hour, false, 0, 250},
		{"nor less, if the clock goes back", -time.Hour, false, 250, 250},
		{"spent", 0, false, 0, 0},
		{"goes on from there", 2 * time.Second, false, 0, 100},
	} {
		now = now.Add(step.pass)
		if !step.sameTurn {
			turn++
		}
		if got := c.Available(turn); got != step.available*time.Millisecond {
			t.Errorf("%s: %v, want %v", step.what, got, step.available*time.Millisecond)
		}
		if step.spend > 0 {
			c.Spend(turn, step.spend*time.Millisecond)
		}
	}
}
