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
	used  bool          // in that turn of the broker's loop, until
	until time.Time     // the end of the last wait
	row   time.Duration // waits that followed each other by then, less what was between them
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
// broker's loop. It is 0 if there was one in this turn already, or in the one before
// and without a pause since: what others sent during a wait is served before the
// next. Waits that follow each other may take as long as one, which is most, for
// others see them as one.
func (c *Credit) Available(turn uint64, most time.Duration) time.Duration {
	now := c.now()
	if c.used && (turn == c.turn || turn == c.turn+1 && now.Sub(c.until) < creditPause) {
		return 0
	}
	refill := time.Duration(now.Sub(c.since).Seconds() * float64(creditRefill))
	c.left = min(c.left+max(refill, 0), creditMax)
	c.since = now
	return max(min(c.left, most-c.rowAt(now)), 0)
}

// Spend takes away what a wait took that ends now. No wait is longer than a full
// credit; if it took longer, the machine stood still, which is no debt to be paid off
// for twenty times as long.
func (c *Credit) Spend(turn uint64, waited time.Duration) {
	now := c.now()
	waited = min(waited, creditMax)
	c.row = c.rowAt(now.Add(-waited)) + waited
	c.turn, c.used, c.until = turn, true, now
	c.left -= waited
}

// rowAt is what is left of the waits in a row: who was served between them waited
// for one only.
func (c *Credit) rowAt(now time.Time) time.Duration {
	return max(c.row-max(now.Sub(c.until), 0), 0)
}
