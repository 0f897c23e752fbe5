package plugin

import "time"

// overdueAfter is how many times auth_timeout a delayed login may take. Its worker
// has twice that time, and may begin again within the first (see startAgain); it
// keeps to that as far as the driver of the store does. This is for one that does not.
const overdueAfter = 3

// waiting are the logins that this instance has delayed, the oldest first, with some
// that have ended since.
type waiting struct {
	logins []delayed
	alarm  time.Time // when Tick is called for the first of them
}

// delayed is a login that is waited for.
type delayed struct {
	job *job
	due time.Time
}

// await has a login that is delayed now end in time.
func (e *Engine) await(j *job) {
	most := overdueAfter * e.o.authTimeout
	e.waiting.logins = append(e.waiting.logins, delayed{j, time.Now().Add(most)})
	e.callAfter(most)
}

// endOverdue ends the delayed logins whose workers do not come back: nothing else
// would, and their clients would be pending for ever.
func (e *Engine) endOverdue() {
	w := &e.waiting
	for len(w.logins) > 0 {
		j, left := w.logins[0].job, time.Until(w.logins[0].due)
		pending := e.tickets.pending(j.clientID, j.ticket)
		if pending && left > 0 {
			e.callAfter(left)
			return
		}
		w.logins = w.logins[1:]
		if pending {
			e.tickets.redeem(j.clientID, j.ticket)
			e.refused(j, result{verdict: Unavailable, why: "its check has not ended"})
			e.host.Complete(j.clientID, false)
		}
	}
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
