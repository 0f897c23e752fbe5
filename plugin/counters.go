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
	TimedOut    atomic.Int64 // questions to stores that auth_timeout has ended
	BadHashes   atomic.Int64 // stored hashes that cannot be used, for the hash_max_ options or otherwise

	Notices     atomic.Int64 // of changes, from the stores
	WatchesLost atomic.Int64 // that failed and had worked, or did not begin to

	Checks        atomic.Int64 // ACL checks that came as far as the engine
	UnknownRights atomic.Int64 // of these, denied for want of the user's rights

	Postponed atomic.Int64 // times that refresh_rate or queue_max put off a refresh
	Outlived  atomic.Int64 // users some of whose rights ended by max_stale
	Dropped   atomic.Int64 // users whose rights made room for others, by profiles_max
}

func (c *Counters) String() string {
	return fmt.Sprintf("logins: %d accepted, %d refused, %d unavailable, %d delayed, "+
		"%d told to come back (%d for queue_max, %d for address_max, %d for want of credit), %d questions ended by auth_timeout, %d hashes that cannot be used; "+
		"%d ACL checks answered in Go, %d of them denied for want of the rights; "+
		"rights: %d refreshes put off for refresh_rate or queue_max, %d users' ended by max_stale, %d users' dropped for profiles_max; "+
		"%d notices of changes, %d clients kicked, %d faults",
		c.Accepted.Load(), c.Refused.Load(), c.Unavailable.Load(), c.Delayed.Load(),
		c.ComeBack.Load(), c.QueueFull.Load(), c.AddressFull.Load(), c.NoCredit.Load(), c.TimedOut.Load(), c.BadHashes.Load(),
		c.Checks.Load(), c.UnknownRights.Load(),
		c.Postponed.Load(), c.Outlived.Load(), c.Dropped.Load(),
		c.Notices.Load(), c.Kicked.Load(), c.Panics.Load())
}

// tellCounts logs the counters, also those of the gates.
func (e *Engine) tellCounts() {
	e.journal.logf(Info, "%s; waits: %d for fetch_limit, %d for hash_limit (with other instances)",
		&e.counts, e.work.fetches.waited.Load(), e.work.hashing.waited.Load())
}
