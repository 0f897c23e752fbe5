package plugin

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"mosquitto-go-auth/backends"
	"mosquitto-go-auth/conf"
)

// Engine is one instance of the plugin. Its methods are called on the broker's
// thread, but for those whose names end in Elsewhere.
type Engine struct {
	host    Host
	o       *options
	work    *workers
	journal *journal
	alarm   *alarm
	counts  Counters
	credit  *Credit

	admits bool // there are backends for users
	judges bool // there are sources of rules

	rights   Rights
	profiles map[string]*profile
	fetching map[string]*job // the jobs that fetch a profile, by user name
	sessions sessions
	tickets  tickets
	early    earlies
	warm     *memo // like the workers' memo, but of this thread alone
	suspects suspects
	proven   recent[mac]    // names and passwords that were verified
	wrong    recent[mac]    // and those that were refused a moment ago
	underWay map[string]int // logins by address
	dues     dues
	pace     pace // of refreshes
	timer    *time.Timer
	timerAt  time.Time      // when it rings
	unknown  recent[string] // users whose rights were not known in time
	arrived  []result
	backlog  []*job // clients to verify again, as there is room
	kicks    []kick // for the next Tick
	probed   map[int]bool

	reasking    bool // the broker is asking about all sessions (2.0)
	reloading   bool // a worker has the backends read their sources again
	reloadAgain bool
	spread      int
}

// Counters count what the engine did since it started. They may be read at any
// time.
type Counters struct {
	Accepted, Refused, Unavailable, ComeBack, Delayed, Kicked, Panics atomic.Int64

	QueueFull   atomic.Int64 // logins turned away by queue_max
	AddressFull atomic.Int64 // by address_max
	NoCredit    atomic.Int64 // that the broker could not wait for

	UnknownRights atomic.Int64 // ACL checks denied for want of the user's rights
}

func (c *Counters) String() string {
	return fmt.Sprintf("logins: %d accepted, %d refused, %d unavailable, %d delayed, "+
		"%d told to come back (%d for queue_max, %d for address_max, %d for want of credit); "+
		"%d ACL checks denied for want of the rights; %d clients kicked, %d faults",
		c.Accepted.Load(), c.Refused.Load(), c.Unavailable.Load(), c.Delayed.Load(),
		c.ComeBack.Load(), c.QueueFull.Load(), c.AddressFull.Load(), c.NoCredit.Load(),
		c.UnknownRights.Load(), c.Kicked.Load(), c.Panics.Load())
}

// Process is what the instances in one broker share.
type Process struct {
	Credit  *Credit
	Hashing *Gate // nil until the first instance sets it
}

const (
	memoSize    = 100000
	unknownSize = 100000
	unknownLife = time.Minute
)

// New makes an instance from the options that the broker handed over. The error
// is [conf.Faults] where the configuration is at fault. What is to be told
// besides goes to the host's log.
func New(host Host, process *Process, rights Rights, drivers []backends.Driver, lines []conf.Line) (*Engine, error) {
	set := conf.NewSet()
	o, open := Declare(set, drivers)
	set.Parse(lines)
	chain, notes := openChain(set, o, drivers, open)
	o.check(set)
	warnings, faults := set.Result()
	for _, w := range warnings {
		host.Log(Warning, "go-auth: "+w.String())
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults, chain.close())
	}
	e := &Engine{host: host, alarm: &alarm{wake: host.Wake}, o: o, credit: process.Credit, rights: rights,
		profiles: map[string]*profile{}, fetching: map[string]*job{}, sessions: newSessions(), tickets: newTickets(),
		early: newEarlies(), proven: newRecent[mac](o.memoSeconds, memoSize), wrong: newRecent[mac](earlyLife, suspectsSize), underWay: map[string]int{}, pace: pace{rate: float64(o.refreshRate), left: float64(o.refreshRate), since: time.Now()}, probed: map[int]bool{},
		suspects: newSuspects(), unknown: newRecent[string](unknownLife, unknownSize)}
	var err error
	e.journal, err = newJournal(&o.log, e.alarm.ring)
	if err != nil {
		host.Log(Warning, "go-auth: "+err.Error()+"; logging to the broker's log instead")
	}
	for _, n := range notes {
		e.journal.logf(Warning, "%s", n)
	}
	e.employ(process, chain)
	e.admits = chain.provides(backends.CheckUser)
	e.judges = chain.provides(backends.CheckACL|backends.CheckSuperuser) || chain.glob != ""
	e.journal.drain(host)
	return e, nil
}

// check finds faults that lie between options.
func (o *options) check(set *conf.Set) {
	if o.log.dest == "file" && o.log.file == "" {
		set.Fault("log_dest", "log_dest file needs log_file")
	}
	if o.log.file != "" && o.log.dest != "file" {
		set.Warn("log_file", "has no effect without log_dest file")
	}
}

// employ sets up the workers.
func (e *Engine) employ(process *Process, c *chain) {
	if process.Hashing == nil {
		process.Hashing = NewHashGate(e.o.hashLimit)
	}
	key := newMACKey()
	w := &workers{chain: c, o: e.o, journal: e.journal, counts: &e.counts, hashing: process.Hashing,
		fetches: NewGate(e.o.fetchLimit), key: key, results: make(chan result, e.o.queueMax+1), wake: e.alarm.ring}
	if e.o.memo {
		w.memo = newMemo(key, e.o.memoSeconds, memoSize)
		e.warm = newMemo(key, e.o.memoSeconds, memoSize)
	}
	w.ctx, w.stop = context.WithCancel(context.Background())
	e.work = w
	for i := range c.sources {
		w.probe(i, "")
	}
}

// Admits tells whether logins are to be asked of the engine.
func (e *Engine) Admits() bool { return e.admits }

// Judges tells whether there are sources of rules.
func (e *Engine) Judges() bool { return e.judges }

// DeniesSpecial tells whether names and client ids with + or # are refused.
func (e *Engine) DeniesSpecial() bool { return e.o.denySpecial }

// Guarding tells whether there are clients that must not publish: pending ones,
// and some that were a moment ago.
func (e *Engine) Guarding() bool { return len(e.tickets.guards) > 0 }

// Counts returns the engine's counters.
func (e *Engine) Counts() *Counters { return &e.counts }

// Connected is told of a client that has been let in, by whatever way.
func (e *Engine) Connected(client Ref, clientID string) {
	if e.sessions.of(clientID, client) == nil {
		e.sessions.add(clientID, &session{client: client, foreign: true})
	}
}

// Disconnected is told of a client that has gone. Where its session stays, the
// broker may ask about it again.
func (e *Engine) Disconnected(client Ref, clientID string, sessionStays bool) {
	if s := e.sessions.of(clientID, client); s != nil && !sessionStays {
		e.sessions.remove(clientID)
	}
}

// Reload has the backends read their sources again, and prepares for the broker
// to ask about every session. The admissions that it makes meanwhile are
// verified when the backends are done.
func (e *Engine) Reload() {
	e.reasking = true
	e.early.clear()
	if e.reloading {
		e.reloadAgain = true // the reading under way may have begun before the change
		return
	}
	e.readAgain()
}

func (e *Engine) readAgain() {
	e.reloading, e.reloadAgain = true, false
	e.work.submit(&job{kind: jobReload}) // for which there is always room
}

// Tick installs what workers have found, and completes the logins that were
// delayed. It tells whether it is to be called in the next turn of the broker's
// loop even if nothing wakes it.
func (e *Engine) Tick() (again bool) {
	e.tickets.turn()
	e.reasking = false
	e.take()
	for start := time.Now(); len(e.arrived) > 0 && time.Since(start) <= turnTime; {
		r := e.arrived[0]
		e.arrived = e.arrived[1:]
		e.landed(r)
		e.deliver(r)
	}
	e.disconnect()
	e.refreshDue()
	e.work.backlog(e)
	e.journal.drain(e.host)
	return e.tickets.busy() || len(e.arrived) > 0 // what waits in the backlog waits for a result
}

// turnTime is how long results are worked on in one turn of the broker's loop,
// unless a single one takes longer.
const turnTime = time.Millisecond

// take adds the results that have come to those that arrived before.
func (e *Engine) take() {
	for {
		select {
		case r := <-e.work.results:
			e.arrived = append(e.arrived, r)
		default:
			return
		}
	}
}

func (e *Engine) deliver(r result) {
	switch r.job.kind {
	case jobLogin:
		e.finishLogin(r)
	case jobVerify:
		e.finishVerify(r)
	case jobProfile:
		e.finishProfile(r)
	case jobReload:
		e.finishReload(r)
	}
}

// finishLogin completes a delayed login, or keeps the result for the client that
// was told to come back.
func (e *Engine) finishLogin(r result) {
	j := r.job
	if j.ticket == 0 {
		if e.early.put(r) {
			e.remember(r)
			e.judgeEarly(j, r)
		}
		return
	}
	if !e.tickets.redeem(j.clientID, j.ticket) {
		e.journal.logf(Debug, "user %q, client %q: the login was %s, but the client has gone", j.name, j.clientID, r.verdict)
		return
	}
	before := e.sessions.byID[j.clientID]
	v := e.conclude(j, r)
	e.host.Complete(j.clientID, v == Accept)
	if found, known := e.host.Find(j.clientID); v == Accept && known && found != j.client {
		e.sessions.restore(j.clientID, found, before) // the client had gone
	}
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
	switch r.verdict {
	case Accept:
		s.source, s.hash = r.source, r.hash
		if e.judges {
			e.install(j.name, r.parts)
		}
	case Refuse:
		e.kick(s, j.clientID, r.why)
	default:
		e.journal.logf(Debug, "user %q, client %q: could not be verified again: %s", j.name, j.clientID, r.why)
	}
}

// finishProfile installs rights, and kicks the clients of a user whose account
// has gone or whose password has changed.
func (e *Engine) finishProfile(r result) {
	j := r.job
	if e.fetching[j.name] == j {
		delete(e.fetching, j.name)
	}
	if p := e.profiles[j.name]; r.verdict != Accept || p != nil && p.installed.After(j.begun) {
		return // a login brought newer ones meanwhile
	}
	e.install(j.name, r.parts)
	e.kickOutdated(j, r.parts)
}

// kickOutdated kicks the clients of a user that were verified by what no longer
// holds. Only sources that were asked about the password count.
func (e *Engine) kickOutdated(j *job, parts []part) {
	for id, s := range e.sessions.byName[j.name] {
		if s.foreign || !slices.Contains(j.vouchers, s.source) {
			continue
		}
		for _, p := range parts {
			if p.source == s.source && !p.down && (p.none || p.hash != s.hash) {
				e.kick(s, id, "the account has gone, or its password has changed")
			}
		}
	}
}

// kick is a client that is to be disconnected.
type kick struct {
	session  *session
	clientID string
	why      string
}

// kick has a client disconnected in Tick: an ACL check may lead here, in which
// the broker must not lose the client that it asks about.
func (e *Engine) kick(s *session, clientID, why string) {
	e.kicks = append(e.kicks, kick{s, clientID, why})
	e.host.Wake()
}

// disconnect has the broker disconnect those that are to be kicked.
func (e *Engine) disconnect() {
	for len(e.kicks) > 0 {
		k := e.kicks[0]
		e.kicks = e.kicks[1:]
		if e.sessions.byID[k.clientID] != k.session {
			continue // another client has the id now
		}
		if found, known := e.host.Find(k.clientID); known && found != k.session.client {
			continue
		}
		e.counts.Kicked.Add(1)
		e.journal.logf(Notice, "user %q, client %q: disconnected, %s", k.session.name, k.clientID, k.why)
		e.sessions.remove(k.clientID)
		e.host.Kick(k.clientID)
	}
}

// finishReload has everything that rests on the backends that were read again
// looked up anew.
func (e *Engine) finishReload(r result) {
	if len(r.done) > 0 {
		e.journal.logf(Info, "read again: %s", strings.Join(r.done, ", "))
	}
	if e.reloadAgain {
		e.readAgain()
		return
	}
	e.reloading = false
	for _, p := range e.profiles {
		p.next = time.Time{}
		e.refreshNow(p)
	}
}

// refreshNow fetches a profile at once where that needs no waiting.
func (e *Engine) refreshNow(p *profile) {
	if !e.work.chain.inMemory(p.name) {
		return
	}
	j := &job{kind: jobProfile, name: p.name, begun: time.Now(), vouchers: e.sessions.vouchers(p.name)}
	e.finishProfile(result{job: j, verdict: Accept, parts: e.work.parts(context.Background(), j, nil)})
}

// backlog hands over the clients to be verified again, and leaves half of the
// room for logins.
func (w *workers) backlog(e *Engine) {
	for len(e.backlog) > 0 && !e.reloading && w.inFlight.Load() < int64(w.o.queueMax/2+1) {
		if !w.submit(e.backlog[0]) {
			return
		}
		e.backlog = e.backlog[1:]
	}
}

// Close ends the instance. It does not wait for workers; those that are still at
// work end when their store lets them, and do not call the host any more.
func (e *Engine) Close() {
	e.work.stop()
	if e.timer != nil {
		e.timer.Stop()
	}
	if err := e.work.chain.close(); err != nil {
		e.journal.logf(Warning, "closing: %v", err)
	}
	e.journal.logf(Info, "%s", &e.counts)
	e.journal.close(e.host)
	e.alarm.silence()
}

// Forget is told of a client that logs in by a way that is not ours: a guard for
// its address was another's.
func (e *Engine) Forget(client Ref) { e.tickets.forget(client) }
