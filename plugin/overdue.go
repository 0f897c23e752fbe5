package plugin

import (
	"slices"
	"time"
)

// overdueAfter is how many times auth_timeout a delayed login may take. Its worker
// has twice that time, and may begin again within the first (see startAgain). It
// keeps to that as far as the driver of the store and the hash do; this is for where
// they do not.
const overdueAfter = 3

// waiting are the logins that this instance has delayed, the oldest first, with some
// that have ended since.
type waiting struct {
	logins []delayed
	alarm  time.Time // when Tick is called for the first of them
}

// delayed is a login that is waited for: what a line of the log needs, since the job
// is a worker's and may hold much.
type delayed struct {
	job job
	due time.Time
}

// await has a login that is delayed now end in time.
func (e *Engine) await(j *job) {
	w, most := &e.waiting, overdueAfter*e.o.authTimeout
	if len(w.logins) == cap(w.logins) { // else one that hangs would keep all that came after it
		w.logins = slices.DeleteFunc(w.logins, func(d delayed) bool { return !e.tickets.pending(d.job.clientID, d.job.ticket) })
		w.logins = slices.Grow(w.logins, len(w.logins)+1)
	}
	known := job{kind: j.kind, name: j.name, clientID: j.clientID, address: j.address, ticket: j.ticket}
	w.logins = append(w.logins, delayed{known, time.Now().Add(most)})
	e.callAfter(most)
}

// endOverdue ends the delayed logins whose workers do not come back: nothing else
// would, and their clients would be pending for ever. It tells whether there are
// more than it could end in its time.
func (e *Engine) endOverdue() (more bool) {
	start, w := time.Now(), &e.waiting
	for len(w.logins) > 0 && len(e.arrived) == 0 { // the answer could be among those that have arrived
		j, left := &w.logins[0].job, time.Until(w.logins[0].due)
		pending := e.tickets.pending(j.clientID, j.ticket)
		switch {
		case pending && left > 0:
			e.callAfter(left)
			return false
		case pending && time.Since(start) > turnTime:
			return true
		}
		w.logins = w.logins[1:]
		if e.tickets.redeem(j.clientID, j.ticket) {
			e.refused(j, result{verdict: Unavailable, why: "its check has not ended"})
			e.host.Complete(j.clientID, false)
		}
	}
	return false
}

// callAfter has Tick called after a while, unless it is to be called anyway.
func (e *Engine) callAfter(d time.Duration) {
	now := time.Now()
	if now.Before(e.waiting.alarm) {
		return
	}
	e.waiting.alarm = now.Add(d)
	time.AfterFunc(d, e.alarm.ring)
}
