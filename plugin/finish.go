package plugin

import "time"

// finishLogin completes a delayed login, or keeps the result for the client that
// was told to come back.
func (e *Engine) finishLogin(r result) {
	j := r.job
	if j.ticket == 0 {
		if e.early.put(r) {
			e.remember(r)
			e.judgeEarly(j, r)
			if r.verdict == Unavailable {
				e.early.drop(j.key) // who comes back asks anew
			}
			if r.verdict != Accept {
				e.tellRefusal(j, "the check of a client that was told to come back ended: ", r)
			}
		}
		return
	}
	r.hashed = r.hashed || j.hashed
	if r.verdict == Accept && e.overtaken(r) {
		if e.startAgain(r) {
			return
		}
		r.verdict, r.why = Unavailable, "the account changes whenever it is checked"
	}
	if !e.tickets.redeem(j.clientID, j.ticket) {
		e.journal.logf(Debug, "user %s, client %s: the login was %s, but the client has gone, or was refused meanwhile", clip(j.name), clip(j.clientID), r.verdict)
		return
	}
	before := e.sessions.byID[j.clientID]
	v := e.conclude(j, r)
	e.host.Complete(j.clientID, v == Accept)
	switch found, known := e.host.Find(j.clientID); {
	case v != Accept || !known:
	case found == j.client:
		e.tickets.forget(j.client) // it may have a will from now on
	default:
		e.sessions.restore(j.clientID, found, before) // the client had gone
	}
}

// overtaken tells whether the source that verified a password was asked before it
// told of a change.
func (e *Engine) overtaken(r result) bool {
	_, inner := e.work.chain.route(r.job.name)
	return r.asked().Before(e.heard[r.source].of(inner))
}

// startAgain has a delayed login checked once more, which takes no other hash
// unless that has changed; but not for ever, should changes never end.
func (e *Engine) startAgain(r result) bool {
	j := r.job
	again := *j
	if again.first.IsZero() {
		again.first = j.begun
	}
	if time.Since(again.first) >= e.o.authTimeout || !e.tickets.pending(j.clientID, j.ticket) {
		return false
	}
	again.hashed, again.young = r.hashed, nil
	if !e.work.submit(&again) {
		return false
	}
	e.begun(&again)
	return true
}

// judgeEarly remembers what a login came to whose client may not come back, or
// not with the same client id.
func (e *Engine) judgeEarly(j *job, r result) {
	switch r.verdict {
	case Accept:
		e.proven.add(j.credentials)
	case Refuse:
		e.disproven(j)
	}
}

// remember keeps for this thread that a hash verified a password; only sources
// in memory are answered from it.
func (e *Engine) remember(r result) {
	if e.warm != nil && r.verdict == Accept && r.hashed && e.work.chain.sources[r.source].inMemory {
		e.warm.add(r.entry)
	}
}

// finishVerify kicks a client that is in, but would not be let in now.
func (e *Engine) finishVerify(r result) {
	j := r.job
	s := e.sessions.of(j.clientID, j.client)
	if s == nil || s.proof != j.key {
		return
	}
	if r.verdict != Unavailable && j.begun.Before(s.at) {
		return // something newer is known
	}
	switch r.verdict {
	case Accept:
		s.source, s.hash, s.at = r.source, r.hash, j.begun
		e.install(j.name, r.parts)
		e.check(j.name, s)
	case Refuse:
		e.kick(s, j.clientID, r.why)
	default:
		e.journal.logf(Debug, "user %s, client %s: could not be verified again: %s", clip(j.name), clip(j.clientID), r.why)
	}
}

// finishProfile installs rights, and kicks the clients of a user whose account
// has gone or whose password has changed.
func (e *Engine) finishProfile(r result) {
	j := r.job
	if e.fetching[j.name] == j {
		delete(e.fetching, j.name)
	}
	if r.verdict != Accept {
		return
	}
	e.kickOutdated(j, r.parts) // first: install puts newer parts in
	e.install(j.name, r.parts).clientID = j.clientID
	e.lookAgain(j.name)
}
