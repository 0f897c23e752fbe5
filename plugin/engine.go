package plugin

import (
	"context"
	"errors"
	"math"
	"time"

	"mosquitto-go-auth/backends"
	"mosquitto-go-auth/conf"
)

// Engine is one instance of the plugin. Its methods are called on the broker's
// thread, but for those whose names end in Elsewhere.
type Engine struct {
	host     Host
	o        *options
	work     *workers
	journal  *journal
	alarm    *alarm
	refusals *brake
	counts   Counters
	credit   *Credit

	admits bool // there are backends for users
	judges bool // there are sources of rules

	// Logins.
	tickets   *Tickets  // of the process
	guardsEnd time.Time // when Tick looks at their guards
	waiting   waiting
	early     earlies
	warm      *memo // like the workers' memo, but of this thread alone
	suspects  suspects
	proven    recent[mac] // names and passwords that were verified
	wrong     recent[mac] // and those that were refused a moment ago
	underWay  underWay
	arrived   []result

	// Clients that are in.
	sessions sessions
	backlog  []*job // to be verified again, as there is room
	kicks    []kick // for the next Tick
	probed   map[int]bool

	// Rights.
	rights   Rights
	profiles map[string]*profile
	order    []*profile      // the same, each at its place
	fetching map[string]*job // the jobs that fetch a profile, by user name
	unknown  recent[mac]     // users whose rights were not known in time
	refreshes
	notices

	// Reloads.
	reaskEnd  time.Time // until when 2.0 asks about all sessions
	reaskTurn uint64    // the turn of the broker's loop in which it does
	reloading bool      // a worker has backends read their sources again
	next      *job      // the reading after that
	reloaded  time.Time
	reread    []string // users whose rights in memory are to be looked up again
}

// Process is what the instances in one broker share.
type Process struct {
	Credit  *Credit
	Tickets *Tickets
	Hashing *Gate // nil until the first instance sets it

	// HashThread is called at the begin of each thread that computes hashes.
	HashThread func()
}

// NewProcess returns what the instances in one broker are to share.
func NewProcess() *Process {
	return &Process{Credit: NewCredit(), Tickets: NewTickets(), HashThread: func() {}}
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
	e, err := build(host, process, rights, drivers, lines, func(*options) {})
	if err != nil {
		return nil, err
	}
	e.work.attend()
	e.journal.drain(host)
	return e, nil
}

// build makes an instance that does nothing yet. change may change the options.
func build(host Host, process *Process, rights Rights, drivers []backends.Driver, lines []conf.Line, change func(*options)) (*Engine, error) {
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
	change(o)
	e := &Engine{
		host: host, o: o, alarm: &alarm{wake: host.Wake}, credit: process.Credit, rights: rights,
		tickets: process.Tickets, early: newEarlies(), suspects: newSuspects(),
		proven: newRecent[mac](o.memoSeconds, memoSize), wrong: newRecent[mac](earlyLife, suspectsSize),
		underWay: underWay{from: map[string]int{}},
		sessions: newSessions(), probed: map[int]bool{},
		profiles: map[string]*profile{}, fetching: map[string]*job{},
		reaskTurn: math.MaxUint64,
		unknown:   newRecent[mac](unknownLife, unknownSize), refreshes: newRefreshes(o.refreshRate),
	}
	var err error
	e.journal, err = newJournal(&o.log, e.alarm.ring)
	if err != nil {
		host.Log(Warning, "go-auth: "+err.Error()+"; logging to the broker's log instead")
	}
	e.refusals = newBrake(e.journal, Info, refusalsWindow, refusalsTold, "refused logins")
	for _, n := range notes {
		e.journal.logf(Warning, "%s", n)
	}
	e.employ(process, chain)
	e.journal.logf(Notice, "asking %s", chain)
	e.admits = chain.provides(backends.CheckUser)
	e.judges = chain.judges()
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
	w := &workers{chain: c, o: e.o, journal: e.journal, faults: newBrake(e.journal, Warning, time.Second, 1, "faults of stored accounts"), counts: &e.counts, hashing: process.Hashing,
		fetches: NewGate(e.o.fetchLimit), key: key, jobs: make(chan *job), results: make(chan result, e.o.queueMax+refreshRoom+1), wake: e.alarm.ring, start: e.host.Start}
	if e.o.memo {
		w.memo = newMemo(key, e.o.memoSeconds, memoSize)
		e.warm = newMemo(key, e.o.memoSeconds, memoSize)
	}
	w.ctx, w.stop = context.WithCancel(context.Background())
	w.threads = newThreads(w.ctx, process.Hashing.Size(), process.HashThread)
	e.work = w
	e.notices = newNotices(len(c.sources), e.o.refreshRate)
}

// attend has each store examined once, and watched from now on.
func (w *workers) attend() {
	for i, s := range w.chain.sources {
		w.probe(i, "")
		w.watch(s)
	}
}

// Admits tells whether logins are to be asked of the engine.
func (e *Engine) Admits() bool { return e.admits }

// Judges tells whether there are sources of rules.
func (e *Engine) Judges() bool { return e.judges }

// DeniesSpecial tells whether names and client ids with + or # are refused.
func (e *Engine) DeniesSpecial() bool { return e.o.denySpecial }

// ClientIDAsName tells whether the client id is the user name.
func (e *Engine) ClientIDAsName() bool { return e.o.clientIDAsName }

// Counts returns the engine's counters.
func (e *Engine) Counts() *Counters { return &e.counts }

// Connected is told of a client that has been let in, by whatever way. The rights of
// one that did not log in through us, such as the holder of a certificate, are fetched
// ahead of its first question.
func (e *Engine) Connected(client Ref, clientID, username string, hasUsername bool) {
	if e.sessions.of(clientID, client) != nil {
		return
	}
	e.sessions.add(clientID, &session{client: client, foreign: true})
	name, ok := e.subject(clientID, username, hasUsername)
	if ok && e.judges && e.profiles[name] == nil && !e.work.chain.inMemory(name) {
		e.fetchProfile(name, clientID, false)
	}
}

// Disconnected is told of a client that has gone. Where its session stays, the
// broker may ask about it again.
func (e *Engine) Disconnected(client Ref, clientID string, sessionStays bool) {
	switch s := e.sessions.of(clientID, client); {
	case s == nil:
	case sessionStays:
		e.sessions.park(clientID, s)
	default:
		e.sessions.remove(clientID)
	}
}

// Tick installs what workers have found, and completes the logins that were
// delayed. It tells whether it is to be called in the next turn of the broker's
// loop even if nothing wakes it.
func (e *Engine) Tick() (again bool) {
	e.reaskEnd = time.Time{}
	return e.tick(true)
}

// TickAtLogin is Tick for a broker that does not call it, before a login. The
// broker may be asking about all sessions.
func (e *Engine) TickAtLogin() (again bool) { return e.tick(true) }

// TickWithin is the same within an ACL check, in which the broker must not lose a
// client, and would ask again for each line of its log that it publishes: nobody
// is kicked, and nothing logged.
func (e *Engine) TickWithin() (again bool) { return e.tick(false) }

func (e *Engine) tick(calls bool) (again bool) {
	e.tickets.turn()
	e.take()
	e.heed()
	for start := time.Now(); len(e.arrived) > 0 && time.Since(start) <= turnTime; {
		r := e.arrived[0]
		e.arrived = e.arrived[1:]
		e.landed(r)
		e.deliver(r)
		r.job.password = "" // it may be kept for a client that comes back
	}
	e.rereadSome()
	e.sweep()
	if calls {
		again = e.endOverdue()
		e.disconnect()
	}
	e.refreshDue()
	e.readNext()
	e.resume()
	if calls {
		e.journal.drain(e.host)
	}
	e.endGuards()
	return again || e.journal.waits() || len(e.kicks) > 0 || len(e.arrived) > 0 || len(e.reread) > 0 || e.unswept > 0 // what waits in the backlog waits for a result
}

// endGuards has Tick called when guards are to be removed.
func (e *Engine) endGuards() {
	now := time.Now()
	if !e.tickets.busy() || now.Before(e.guardsEnd) {
		return
	}
	e.guardsEnd = now.Add(guardTime)
	time.AfterFunc(guardTime, e.alarm.ring)
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

// Close ends the instance. It does not wait for workers; those that are still at
// work end when their store lets them, and do not call the host any more.
func (e *Engine) Close() {
	e.work.stop()
	e.refusals.end()
	e.work.faults.end()
	e.refreshes.stop()
	if err := e.work.chain.close(); err != nil {
		e.journal.logf(Warning, "closing: %v", err)
	}
	e.tellCounts()
	e.journal.close(e.host)
	e.alarm.silence()
}

// Forget is told of a client that logs in by a way that is not ours: a guard for
// its address was another's.
func (e *Engine) Forget(client Ref) { e.tickets.forget(client) }

// Fault reports a panic that the host recovered from. It may be called on any
// thread.
func (e *Engine) Fault(p any) { e.work.fault(p) }
