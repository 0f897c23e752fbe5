package plugin

import (
	"time"

	"mosquitto-go-auth/backends"
)

// The broker may ask from a thread other than its own: Mosquitto 2.1 does for
// its HTTP API. Such questions touch nothing that belongs to the broker's
// thread; they are answered by a worker, and that thread may wait.

// LoginElsewhere answers a login on a thread that is not the broker's. It never
// answers Pending.
func (e *Engine) LoginElsewhere(l Login) Verdict {
	v, _ := e.TryElsewhere(l)
	return v
}

// TryElsewhere is LoginElsewhere that tells the reason of the answer, too.
func (e *Engine) TryElsewhere(l Login) (v Verdict, why string) {
	name, v, why := e.identify(&l)
	if v == Defer {
		return v, why
	}
	r := result{verdict: v, why: why}
	j := e.jobFor(&l, name)
	if v == Pending {
		r = e.work.elsewhere(j)
	}
	if r.verdict != Accept {
		e.tellRefusal(j, "", r)
	}
	return r.verdict, r.why
}

// CheckElsewhere answers an ACL check on a thread that is not the broker's.
func (e *Engine) CheckElsewhere(clientID, username string, hasUsername bool, topic string, access backends.Access) Answer {
	if !e.judges {
		return NotJudged
	}
	if access == Unsubscribe {
		return Granted
	}
	name, ok := e.subject(clientID, username, hasUsername)
	if !ok {
		return Denied
	}
	r := e.work.elsewhere(&job{kind: jobProfile, name: name, clientID: clientID})
	if r.verdict == Accept && e.work.grants(name, r.parts, time.Now()).Allows(clientID, topic, access) {
		return Granted
	}
	return Denied
}

// elsewhere does a job and waits for the result.
func (w *workers) elsewhere(j *job) result {
	j.reply = make(chan result, 1)
	if !w.submit(j) {
		return result{job: j, verdict: ComeBack, why: "too many logins are waiting"}
	}
	timeout := time.NewTimer(w.o.authTimeout + time.Second)
	defer timeout.Stop()
	select {
	case r := <-j.reply:
		return r
	case <-timeout.C:
		return result{job: j, verdict: Unavailable, why: "the check did not end in time"}
	}
}
