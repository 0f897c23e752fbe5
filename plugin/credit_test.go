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
		turns     uint64
		spend     time.Duration
		available time.Duration // before it is spent
	}{
		{"full", 0, 2, 100, 250},
		{"once per turn", 0, 0, 0, 0},
		{"nor in the next", 0, 1, 0, 0},
		{"the rest", 0, 1, 100, 150},
		{"in the next after a pause", 20 * time.Millisecond, 1, 51, 51},
		{"spent", 0, 2, 0, 0},
		{"refills by 50 ms a second", time.Second, 2, 50, 50},
		{"spent again", 0, 2, 0, 0},
		{"a little", 100 * time.Millisecond, 2, 20, 5},
		{"overdrawn", 200 * time.Millisecond, 2, 0, 0},
		{"paid back", 300 * time.Millisecond, 2, 0, 10},
		{"never more than 250 ms", time.Hour, 2, 0, 250},
		{"nor less, if the clock goes back", -time.Hour, 2, 250, 250},
		{"spent", 0, 2, 0, 0},
		{"goes on from there", 2 * time.Second, 2, 0, 100},
	} {
		now = now.Add(step.pass)
		turn += step.turns
		if got := c.Available(turn); got != step.available*time.Millisecond {
			t.Errorf("%s: %v, want %v", step.what, got, step.available*time.Millisecond)
		}
		if step.spend > 0 {
			c.Spend(turn, step.spend*time.Millisecond)
		}
	}
}
