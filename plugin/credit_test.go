package plugin

import (
	"testing"
	"time"
)

func TestCredit(t *testing.T) {
	now := time.Unix(1000, 0)
	c := newCredit(func() time.Time { return now })
	const most = 150 * time.Millisecond
	turn := uint64(1)
	for _, step := range []struct {
		what      string
		pass      time.Duration
		turns     uint64
		available time.Duration // in µs
		spend     time.Duration // in ms, during which the clock goes on
	}{
		{"full", 0, 2, 150000, 50},
		{"once per turn", 0, 0, 0, 0},
		{"nor in the next", 0, 1, 0, 0},
		{"the rest of a row", 0, 1, 100000, 60},
		{"less than one", 10 * time.Millisecond, 2, 50000, 50},
		{"the row is full", 0, 2, 0, 0},
		{"what was between does not count", 60 * time.Millisecond, 2, 60000, 60},
		{"in the next after a pause", 20 * time.Millisecond, 1, 20000, 0},
		{"the rest", 200 * time.Millisecond, 1, 55500, 45},
		{"spent", 0, 2, 12750, 12},
		{"refills by 50 ms a second", time.Second, 2, 51350, 60},
		{"overdrawn", 100 * time.Millisecond, 2, 0, 0},
		{"paid back", 300 * time.Millisecond, 2, 14350, 0},
		{"never more than one wait", time.Hour, 2, 150000, 0},
		{"nor less, if the clock goes back", -time.Hour, 2, 150000, 150},
		{"a wait in which the machine stands still", time.Hour, 2, 150000, 60000},
		{"is paid back as fast as any", time.Second, 2, 150000, 0},
	} {
		now = now.Add(step.pass)
		turn += step.turns
		if got := c.Available(turn, most); got != step.available*time.Microsecond {
			t.Errorf("%s: %v, want %v", step.what, got, step.available*time.Microsecond)
		}
		if step.spend > 0 {
			now = now.Add(step.spend * time.Millisecond)
			c.Spend(turn, step.spend*time.Millisecond)
		}
	}
}
