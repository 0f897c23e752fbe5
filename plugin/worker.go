package plugin

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"sync/atomic"
	"time"

	"mosquitto-go-auth/backends"
)

type jobKind uint8

const (
	jobLogin   jobKind = iota // verify a password, and fetch the rights
	jobVerify                 // the same for a client that is in already
	jobProfile                // fetch the rights
	jobReload                 // have the backends read their sources again
)

// job is work for a worker: values only, copied from what the broker said.
type job struct {
	kind        jobKind
	name        string // the user, or anonymous
	clientID    string
	client      Ref
	password    string
	address     string
	network     string // the address, or for IPv6 the network: see networkOf
	key         mac    // of name, client id and password
	credentials mac    // of name and password
	late        bool   // others go first
	ticket      uint64 // of a delayed login, 0 for others
	begun       time.Time
	vouchers    []int       // jobProfile: the sources whose stored hash is wanted too
	costly      bool        // jobLogin: see underWay
	first       time.Time   // jobLogin: when it began, if it was started once more since the account changed meanwhile
	hashed      bool        // and a hash was computed before
	young       []part      // jobLogin: rights that need not be fetched again
	sources     []int       // jobReload: the backends that are to read again
	told        bool        // jobReload: the broker was told to
	reply       chan result // for a caller on a thread of its own; nil: to Tick
}

// enter waits for the job's turn at a gate.
func (j *job) enter(ctx context.Context, g *Gate) error {
	if j.late {
		return g.EnterBehind(ctx, j.network)
	}
	return g.Enter(ctx, j.network)
}

// youngPart returns what a source said of the user's rights lately, if it is to be
// asked for the password only.
func (j *job) youngPart(source int) (part, bool) {
	k := slices.IndexFunc(j.young, func(p part) bool { return p.source == source && !p.none })
	if k < 0 {
		return part{}, false
	}
	return j.young[k], true
}

// result is what a worker found.
type result struct {
	job     *job
	verdict Verdict
	why     string // the reason, for the log
	source  int    // that verified the password
	hash    mac    // of the stored hash that it was verified with
	entry   mac    // in the memo
	hashed  bool   // a hash was computed for it
	parts   []part
	at      time.Time
	done    []int // jobReload: the backends that were read again
}

// workers answer the questions that take time. Their methods run in goroutines
// of their own, but for submit, and where it is said.
type workers struct {
	chain   *chain
	o       *options
	journal *journal
	faults  *brake // of stored accounts, and of queries
	counts  *Counters
	hashing *Gate // of the process
	threads *threads
	fetches *Gate
	memo    *memo
	key     macKey

	ctx      context.Context
	stop     context.CancelFunc
	jobs     chan *job // to those that are idle
	idle     atomic.Int64
	inFlight atomic.Int64
	results  chan result // has room for all that is in flight
	wake     func()
	start    func(func()) // see Host.Start
	hashTook atomic.Int64 // the time of the last hash, in nanoseconds
	dollar   atomic.Bool  // the note about wildcards and $ was logged
}

// NewHashGate returns the gate that limits the hashes computed at once in the
// process: n, or if it is 0 one less than the processors, so that the broker
// keeps one.
func NewHashGate(n int) *Gate {
	if n == 0 {
		n = runtime.GOMAXPROCS(0) - 1
	}
	return NewGate(n)
}

// refreshRoom is how many jobs have room beside a full queue of logins, so that
// a storm does not keep rights from being fetched again.
const refreshRoom = 100

// room is how many jobs may be under way for one of this kind to be added. There
// is always room for the one that reloads.
func (w *workers) room(k jobKind) int64 {
	switch k {
	case jobProfile:
		return int64(w.o.queueMax + refreshRoom)
	case jobReload:
		return int64(w.o.queueMax + refreshRoom + 1)
	}
	return int64(w.o.queueMax)
}

// submit hands over a job; it fails if too many are under way. It may be called
// on the broker's thread.
func (w *workers) submit(j *job) bool {
	if w.inFlight.Add(1) > w.room(j.kind) {
		w.inFlight.Add(-1)
		return false
	}
	j.begun = time.Now()
	if j.kind == jobLogin && j.ticket == 0 {
		w.hand(j) // the broker's thread is likely to wait for it, which makes a processor free
	} else {
		w.start(func() { w.hand(j) })
	}
	return true
}

// hand gives a job to a goroutine that is idle, or to a new one.
func (w *workers) hand(j *job) {
	defer func() {
		if p := recover(); p != nil {
			w.fault(p)
		}
	}()
	select {
	case w.jobs <- j:
	default:
		go w.work(j)
	}
}

// idleMax is how many goroutines wait for a next job: their stacks have grown
// already.
const idleMax = 16

// work does a job, and what else comes, until there are enough who do.
func (w *workers) work(j *job) {
	for {
		w.conclude(j, w.run(j))
		if w.idle.Add(1) > idleMax {
			w.idle.Add(-1)
			return
		}
		select {
		case j = <-w.jobs:
			w.idle.Add(-1)
		case <-w.ctx.Done():
			return
		}
	}
}

// conclude hands over what a job came to.
func (w *workers) conclude(j *job, r result) {
	r.at = time.Now()
	if j.reply != nil {
		j.password = ""
		w.inFlight.Add(-1) // first, so that who asks again finds room
		j.reply <- r
	} else {
		w.results <- r
	}
	w.wake() // also where there is but room for the backlog
}

// run does a job. Whatever happens in it ends as a result.
func (w *workers) run(j *job) (r result) {
	defer func() {
		if p := recover(); p != nil {
			w.fault(p)
			r = result{job: j, verdict: Unavailable, why: errFault.Error()}
		}
	}()
	ctx, cancel := w.limit(j)
	defer cancel()
	switch j.kind {
	case jobLogin, jobVerify:
		return w.login(ctx, j)
	case jobReload:
		return w.reload(ctx, j)
	}
	return result{job: j, verdict: Accept, parts: w.parts(ctx, j, nil)}
}

// limit is how long a job may take that somebody waits for; others may take their
// turn. A delayed login is expected to take no longer than auth_timeout; the rest is
// for when that was wrong.
func (w *workers) limit(j *job) (context.Context, context.CancelFunc) {
	switch {
	case j.ticket != 0:
		return context.WithTimeout(w.ctx, 2*w.o.authTimeout)
	case j.reply != nil:
		return context.WithTimeout(w.ctx, w.o.authTimeout)
	}
	return w.ctx, func() {}
}

// errFault stands for a panic. It is a fault of one question, so that the store
// is not taken to be down.
var errFault = fmt.Errorf("%w: a fault in the plugin itself", backends.ErrBadAnswer)

// fault counts and logs a panic that was recovered from. What it was called with
// is shown only where the runtime wrote it: anything else could hold a secret.
func (w *workers) fault(p any) {
	w.counts.Panics.Add(1)
	what := fmt.Sprintf("%T", p)
	if err, ok := p.(runtime.Error); ok {
		what = err.Error()
	}
	stack := debug.Stack()
	w.journal.logf(Error, "a fault in the plugin itself, please report it: %s at %s", what, stack[:min(len(stack), 2000)])
}

// login asks the sources in turn, until one verifies the password.
func (w *workers) login(ctx context.Context, j *job) result {
	r := result{job: j, verdict: Refuse, source: -1}
	in, inner := w.chain.route(j.name)
	var known []part // what the sources said so far
	tried := false   // the time of a hash was spent
	for n, i := range w.chain.downLast(in) {
		s := w.chain.sources[i]
		if !s.asked(backends.CheckUser) {
			continue
		}
		asked := time.Now()
		young, isYoung := j.youngPart(i)
		l := backends.Lookup{Name: inner, ClientID: j.clientID, PasswordOnly: isYoung}
		account, err := w.fetchShare(ctx, len(in)-n, s, j, l)
		if errors.Is(err, backends.ErrNoUser) {
			j.young = slices.DeleteFunc(j.young, func(p part) bool { return p.source == i })
			continue
		}
		if err != nil {
			r.verdict, r.why = Unavailable, err.Error()
			continue
		}
		if !isYoung {
			young = w.judge(i, inner, account, asked)
		}
		young.hash = w.hashMAC(account)
		known = append(known, young)
		c := w.verify(ctx, s, j, account)
		tried = tried || c.hashed
		switch {
		case c.err != nil:
			r.verdict, r.why = Unavailable, s.wrap(c.err).Error()
		case c.ok:
			return w.admit(ctx, j, known, c)
		case r.verdict == Refuse:
			r.why = c.why + " (" + s.name + ")"
		}
	}
	if r.verdict == Refuse && len(known) == 0 {
		r.why = w.chain.unknown(in)
	}
	if !tried && r.verdict == Refuse {
		w.spend(ctx, j, in)
	}
	if r.verdict == Refuse && j.network != "" { // what comes from there has to let others go first now
		w.fetches.Demote(j.network)
		w.hashing.Demote(j.network)
	}
	return r
}

// admit is the result for a user whose password the last of the known parts'
// sources has verified.
func (w *workers) admit(ctx context.Context, j *job, known []part, c comparison) result {
	p := known[len(known)-1]
	return result{job: j, verdict: Accept, why: "password right (" + w.chain.sources[p.source].name + ")", source: p.source,
		hash: p.hash, entry: c.entry, hashed: c.hashed, parts: w.rest(ctx, j, known)}
}
