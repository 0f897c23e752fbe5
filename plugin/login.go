package plugin

import (
	"context"
	"slices"
	"time"

	"mosquitto-go-auth/backends"
)

// Login answers a client that wants in. It is called on the broker's thread,
// and waits for a worker only within the stall credit.
func (e *Engine) Login(l Login) Verdict {
	e.tickets.forget(l.Client)
	again, in := e.askedAgain(&l)
	name, v, why := e.identify(&l)
	j := e.jobFor(&l, name)
	switch {
	case v == Defer:
		return v
	case in == nil && e.restored(&l, again):
		return Accept
	case in != nil && (in.foreign || in.offline && in.proof == j.key):
		return Accept // see askedAgain
	case v != Pending:
		return e.refused(j, result{verdict: v, why: why})
	case in != nil:
		return e.stays(j, in)
	}
	if e.o.clientIDAsName {
		e.host.SetUsername(l.Client, name)
	}
	e.tickets.supersede(l.ClientID)
	if r, ok := e.early.take(j.key); ok {
		return e.admit(j, r)
	}
	if r, ok := e.fromMemory(j); ok {
		return e.conclude(j, r)
	}
	j.late = e.suspects.has(j)
	if !again && e.delays(&l) && e.early.under(j.key) == nil && e.inTime(j) {
		return e.delay(j)
	}
	return e.hurry(j)
}

func (e *Engine) jobFor(l *Login, name string) *job {
	return &job{kind: jobLogin, name: name, clientID: l.ClientID, client: l.Client, password: l.Password,
		address: l.Address, network: networkOf(l.Address), key: e.work.key.sum("login", name, l.ClientID, l.Password),
		credentials: e.work.key.sum("credentials", name, l.Password)}
}

// askedAgain tells whether the broker asks about a client that is in already, as
// it does about every session after SIGHUP: such a login must not be delayed. in
// is nil if the session is not known, or the broker could not tell.
//
// One without a connection is left as it is: it proves itself when it comes
// back, and to refuse an offline session of MQTT 5 corrupts the memory of
// Mosquitto 2.0.
func (e *Engine) askedAgain(l *Login) (again bool, in *session) {
	found, known := e.host.Find(l.ClientID)
	again = known && found == l.Client
	if again || !known && time.Now().Before(e.reaskEnd) {
		in = e.sessions.of(l.ClientID, l.Client)
	}
	return again, in
}

// restored tells whether the broker asks, after a reload, about a session that it
// has read from its disk: there is no password and no connection, and nobody is let
// in. To refuse it costs the session, and in Mosquitto 2.0 corrupts the memory where
// it is one of MQTT 5. Whoever comes for it has to log in. Where the broker cannot tell
// which sessions it has (2.0), a new client on a unix socket has no address either, but
// comes in no turn of the broker's loop in which that asks about sessions.
func (e *Engine) restored(l *Login, again bool) bool {
	if !l.HasUsername || l.HasPassword || l.Address != "" {
		return false
	}
	_, known := e.host.Find(l.ClientID)
	return again || !known && e.reaskTurn == e.host.Turn()
}

// stays answers for a client that is in already. The password is verified again
// behind the answer.
func (e *Engine) stays(j *job, in *session) Verdict {
	if in.proof != j.key {
		return e.refused(j, result{verdict: Refuse, why: "the session was opened with another password"})
	}
	j.kind, j.late = jobVerify, true
	e.later(j)
	return Accept
}

// fromMemory answers at once where that needs no store and no hash: all the
// sources are in memory, and the password was verified against this very hash
// before.
func (e *Engine) fromMemory(j *job) (r result, ok bool) {
	if e.warm == nil || !e.work.chain.inMemory(j.name) {
		return r, false
	}
	ctx := context.Background()
	var found []func() part // compiled only for who is let in
	in, inner := e.work.chain.route(j.name)
	for _, i := range in {
		s := e.work.chain.sources[i]
		if !s.asked(backends.CheckUser) {
			continue
		}
		asked := time.Now()
		a, err := e.work.fetch(ctx, s, j, backends.Lookup{Name: inner, ClientID: j.clientID})
		if err != nil {
			continue
		}
		found = append(found, func() part { return e.work.judge(i, inner, a, asked) })
		c, sure := recall(a, j.password, e.warm)
		if c.ok {
			e.work.toldMemo(s, j)
			known := make([]part, len(found))
			for k, judge := range found {
				known[k] = judge()
			}
			return e.work.admit(ctx, j, known, c), true
		}
		if !sure {
			return r, false
		}
	}
	return r, false
}

// delays tells whether a login can be delayed without risk to the broker. In
// Mosquitto 2.1.0 to 2.1.2 a pending client with MQTT 5 or a persistent session
// can corrupt its memory. A client that went while it was pending may be one
// that sends more before it is answered, which the broker does not allow to a
// pending client; it is not delayed the next time.
func (e *Engine) delays(l *Login) bool {
	return e.o.delay != "never" && e.host.Delays() && l.Version != 5 && l.Clean && !e.tickets.hasVanished(l.ClientID)
}

// inTime tells whether a login that is delayed now is likely to be checked within
// auth_timeout. If not, it is better not delayed: one that was can only be let in or
// refused, and many clients do not come back from a refusal, but do where the
// connection was closed without one. That is not for names that failed lately: who
// guesses may wait.
func (e *Engine) inTime(j *job) bool {
	if e.work.allDown(j.name) {
		return false
	}
	return e.suspects.hasName(j) || e.expect(j, nil) < e.o.authTimeout
}

func (e *Engine) delay(j *job) Verdict {
	j.ticket = e.tickets.issue(j.clientID, j.client)
	if why := e.start(j, e.proven.has(j.credentials)); why != "" {
		e.tickets.redeem(j.clientID, j.ticket)
		return e.refused(j, result{verdict: ComeBack, why: why})
	}
	e.await(j)
	e.counts.Delayed.Add(1)
	return Pending
}

// hurry answers a login that cannot be delayed. The broker's thread waits for
// the worker if the answer is likely to come in time, and the stall credit
// allows it; else the client is told to come back, and finds the answer then.
func (e *Engine) hurry(j *job) Verdict {
	under := e.early.under(j.key)
	joined := under != nil
	proven := e.proven.has(j.credentials)
	if j.late && !proven && e.wrong.has(j.credentials) {
		return e.refused(j, result{verdict: Refuse, why: "the same password was refused a moment ago"})
	}
	expected := e.expect(j, under)
	if !joined {
		if why := e.start(j, proven); why != "" {
			return e.refused(j, result{verdict: ComeBack, why: why})
		}
		e.early.keep(j)
		under = j
	}
	if j.late && !proven {
		return e.refused(j, result{verdict: ComeBack, why: "a login from there failed lately"})
	}
	r, ok := e.wait(under, expected, e.patience(j))
	if !ok && e.work.allDown(j.name) && expected <= creditMax { // they refuse, and do not hang
		return e.refused(j, result{verdict: Unavailable, why: e.work.downFor(j.name) + " did not answer the last time, and is asked again"})
	}
	if !ok {
		e.counts.NoCredit.Add(1)
		return e.refused(j, result{verdict: ComeBack, why: "the check takes longer than the broker can wait"})
	}
	e.early.drop(j.key)
	if joined {
		return e.admit(j, r) // it was fetched for the client's first try
	}
	return e.conclude(j, r)
}

// expect is how long a login is likely to take, which may be under way already. One
// whose password was verified lately will hardly need another hash.
func (e *Engine) expect(j, under *job) time.Duration {
	sharing := e.work.inFlight.Load()
	if !j.late {
		sharing -= int64(e.underWay.late)
	}
	answer := e.work.expectAnswer(j.name, sharing)
	if e.proven.has(j.credentials) {
		return answer
	}
	before, own := e.before(j)
	if under != nil && under.costly {
		before--
	}
	return answer + e.work.expectHash(j.late, before, own)
}

// admit lets a client in, or refuses it, with a result that is some seconds old.
// An admission is verified again behind it.
func (e *Engine) admit(j *job, r result) Verdict {
	if r.verdict == Accept {
		behind := *j
		behind.kind, behind.late = jobVerify, true
		e.later(&behind)
	}
	return e.conclude(j, r)
}

// later has a client that is in verified again, when there is room.
func (e *Engine) later(j *job) {
	e.backlog = append(e.backlog, j)
	e.host.Wake()
}

// wait blocks the broker's thread until the result of a job comes, for at most
// the stall credit and most, if it is likely to come in time. Results of
// other jobs that come meanwhile are left for Tick.
func (e *Engine) wait(j *job, expected, most time.Duration) (result, bool) {
	e.take()
	if i := slices.IndexFunc(e.arrived, func(r result) bool { return r.job == j }); i >= 0 {
		r := e.arrived[i]
		e.arrived = slices.Delete(e.arrived, i, i+1)
		e.landed(r)
		r.job.password = ""
		return r, true
	}
	turn := e.host.Turn()
	budget := e.credit.Available(turn, most)
	if budget <= 0 || expected < 0 || expected > budget {
		return result{}, false
	}
	start := time.Now()
	defer func() { e.credit.Spend(turn, time.Since(start)) }()
	timeout := time.NewTimer(budget)
	defer timeout.Stop()
	for {
		select {
		case r := <-e.work.results:
			if r.job == j {
				e.landed(r)
				r.job.password = ""
				return r, true
			}
			e.arrived = append(e.arrived, r)
		case <-timeout.C:
			return result{}, false
		}
	}
}

// downWait is the longest wait for a store that is down: for one that refuses at
// once, not for one that hangs.
const downWait = 5 * time.Millisecond

// patience is the longest wait for a login.
func (e *Engine) patience(j *job) time.Duration {
	if e.work.allDown(j.name) {
		return min(downWait, e.loginWait())
	}
	return e.loginWait()
}

// loginWait is the longest wait for one login where nothing is wrong.
func (e *Engine) loginWait() time.Duration {
	if e.o.loginWait > 0 {
		return e.o.loginWait
	}
	if e.work.hashTook.Load() == 0 {
		return creditMax // what a hash costs is not known yet
	}
	return min(max(2*e.work.hashTime(), 100*time.Millisecond), creditMax)
}

// conclude draws the consequences of a result for a client that is not pending.
func (e *Engine) conclude(j *job, r result) Verdict {
	switch r.verdict {
	case Accept:
		e.accepted(j, r)
		return Accept
	case Refuse:
		e.disproven(j)
	}
	return e.refused(j, r)
}

// accepted remembers a client that is let in, and what it may do.
func (e *Engine) accepted(j *job, r result) {
	e.counts.Accepted.Add(1)
	e.suspects.remove(j)
	e.proven.add(j.credentials)
	s := &session{client: j.client, name: j.name, proof: j.key, source: r.source, hash: r.hash, at: r.asked()}
	e.sessions.add(j.clientID, s)
	e.install(j.name, r.parts).clientID = j.clientID
	e.check(j.name, s)
	e.remember(r)
	e.journal.logf(Debug, "user %s, client %s%s: accepted, %s", clip(j.name), clip(j.clientID), j.from(), r.why)
	e.probe(r.source, j.name)
}

// disproven remembers where a login failed, and with what.
func (e *Engine) disproven(j *job) {
	e.suspects.add(j)
	e.proven.remove(j.credentials)
	e.wrong.add(j.credentials)
}

// refused counts and logs a login that is not let in.
func (e *Engine) refused(j *job, r result) Verdict {
	switch r.verdict {
	case Refuse:
		e.counts.Refused.Add(1)
	case Unavailable:
		e.counts.Unavailable.Add(1)
	case ComeBack:
		e.counts.ComeBack.Add(1)
	}
	e.tellRefusal(j, "", r)
	return r.verdict
}
