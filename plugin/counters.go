package plugin

import (
	"fmt"
	"sync/atomic"
)

// Counters count what the engine did since it started. They may be read at any
// time.
type Counters struct {
	Accepted, Refused, Unavailable, ComeBack, Delayed, Kicked, Panics atomic.Int64

	QueueFull   atomic.Int64 // logins turned away by queue_max
	AddressFull atomic.Int64 // by address_max
	NoCredit    atomic.Int64 // that the broker could not wait for

	Notices     atomic.Int64 // of changes, from the stores
	WatchesLost atomic.Int64 // that failed and had worked, or did not begin to

	Checks        atomic.Int64 // ACL checks that came as far as the engine
	UnknownRights atomic.Int64 // of these, denied for want of the user's rights
}

func (c *Counters) String() string {
	return fmt.Sprintf("logins: %d accepted, %d refused, %d unavailable, %d delayed, "+
		"%d told to come back (%d for queue_max, %d for address_max, %d for want of credit); "+
		"%d ACL checks answered in Go, %d of them denied for want of the rights; %d notices of changes, %d clients kicked, %d faults",
		c.Accepted.Load(), c.Refused.Load(), c.Unavailable.Load(), c.Delayed.Load(),
		c.ComeBack.Load(), c.QueueFull.Load(), c.AddressFull.Load(), c.NoCredit.Load(),
		c.Checks.Load(), c.UnknownRights.Load(), c.Notices.Load(), c.Kicked.Load(), c.Panics.Load())
}
