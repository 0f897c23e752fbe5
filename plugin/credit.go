package plugin

import "time"

// Credit is how long the broker's thread may wait for workers, so that no storm
// of logins stalls the broker for longer. There is one for the process; it is
// used on the broker's thread only.
type Credit struct {
	now   func() time.Time
	left  time.Duration
	since time.Time
	turn  uint64
	used  bool // in that turn of the broker's loop, until
	until time.Time
}

const (
	creditMax    = 250 * time.Millisecond
	creditRefill = 50 * time.Millisecond // a second
	creditPause  = 10 * time.Millisecond // after which the broker has slept, and served all
)

// NewCredit returns a full credit.
func NewCredit() *Credit { return newCredit(time.Now) }

func newCredit(now func() time.Time) *Credit {
	return &Credit{now: now, left: creditMax, since: now()}
}

// Available is how long a wait may last that begins now, in this turn of the
// broker's loop: 0 if there was one in this turn already, or in the one before
// and without a pause since. What others sent during a wait is then served
// before the next.
func (c *Credit) Available(turn uint64) time.Duration {
	now := c.now()
	if c.used && (turn == c.turn || turn == c.turn+1 && now.Sub(c.until) < creditPause) {
		return 0
	}
	refill := time.Duration(now.Sub(c.since).Seconds() * float64(creditRefill))
	c.left = min(c.left+max(refill, 0), creditMax)
	c.since = now
	return max(c.left, 0)
}

// Spend takes away what a wait took.
func (c *Credit) Spend(turn uint64, waited time.Duration) {
	c.turn, c.used, c.until = turn, true, c.now()
	c.left -= waited
}
