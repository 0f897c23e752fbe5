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
	"mosquitto-go-auth/hashing"
	"mosquitto-go-auth/plugin/acl"
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
	key         mac    // of name, client id and password
	credentials mac    // of name and password
	late        bool   // others go first
	ticket      uint64 // of a delayed login, 0 for others
	begun       time.Time
	vouchers    []int       // jobProfile: the sources whose stored hash is wanted too
	reply       chan result // for a caller on a thread of its own; nil: to Tick
}

// enter waits for the job's turn at a gate.
func (j *job) enter(ctx context.Context, g *Gate) error {
	if j.late {
		return g.EnterBehind(ctx, j.address)
	}
	return g.Enter(ctx, j.address)
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
	done    []string // jobReload: the backends that were read again
}

// workers answer the questions that take time. Their methods run in goroutines
// of their own, but for submit, and where it is said.
type workers struct {
	chain   *chain
	o       *options
	journal *journal
	counts  *Counters
	hashing *Gate // of the process
	fetches *Gate
	memo    *memo
	key     macKey

	ctx      context.Context
	stop     context.CancelFunc
	inFlight atomic.Int64
	results  chan result // has room for all that is in flight
	wake     func()
	hashTook atomic.Int64 // the time of the last hash, in nanoseconds
	dollar   atomic.Bool  // the note about wildcards and $ was logged
}

// firstHash is how long a hash is taken to last before one was measured.
const firstHash = 75 * time.Millisecond

// hashTime is how long one hash is taken to last.
func (w *workers) hashTime() time.Duration {
	if took := w.hashTook.Load(); took > 0 {
		return time.Duration(took)
	}
	return firstHash
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

// submit hands over a job; it fails if too many are under way, but not for the
// one that reloads. It may be called on the broker's thread.
func (w *workers) submit(j *job) bool {
	if w.inFlight.Add(1) > int64(w.o.queueMax) && j.kind != jobReload {
		w.inFlight.Add(-1)
		return false
	}
	j.begun = time.Now()
	go func() {
		r := w.run(j)
		j.password = ""
		r.at = time.Now()
		if j.reply != nil {
			j.reply <- r
			w.inFlight.Add(-1)
			w.wake() // there is room for the backlog
			return
		}
		w.results <- r
		w.wake()
	}()
	return true
}

// run does a job. Whatever happens in it ends as a result.
func (w *workers) run(j *job) (r result) {
	defer func() {
		if p := recover(); p != nil {
			w.fault(p)
			r = result{job: j, verdict: Unavailable, why: errFault.Error()}
		}
	}()
	ctx := w.ctx
	if j.ticket != 0 || j.reply != nil { // somebody waits; others may take their turn
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, w.o.authTimeout)
		defer cancel()
	}
	switch j.kind {
	case jobLogin, jobVerify:
		return w.login(ctx, j)
	case jobReload:
		return w.reload(ctx, j)
	}
	return result{job: j, verdict: Accept, parts: w.parts(ctx, j, nil)}
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
	r := result{job: j, verdict: Refuse, why: "no such user", source: -1}
	in, inner := w.chain.route(j.name)
	var known []part // what the sources said so far
	tried := false   // the time of a hash was spent
	for n, i := range w.chain.downLast(in) {
		s := w.chain.sources[i]
		if !s.asked(backends.CheckUser) {
			continue
		}
		asked := time.Now()
		account, err := w.fetchShare(ctx, len(in)-n, s, j, backends.Lookup{Name: inner, ClientID: j.clientID})
		if errors.Is(err, backends.ErrNoUser) {
			continue
		}
		if err != nil {
			r.verdict, r.why = Unavailable, err.Error()
			continue
		}
		known = append(known, w.judge(i, inner, account, asked))
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
	if !tried {
		w.spend(ctx, j, in)
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

// fetchShare asks one of so many sources that are left, and gives it its share
// of the time that is left, so that one that hangs does not take that of the
// others.
func (w *workers) fetchShare(ctx context.Context, left int, s *source, j *job, l backends.Lookup) (backends.Account, error) {
	if end, ok := ctx.Deadline(); ok && left > 1 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(end)/time.Duration(left))
		defer cancel()
	}
	return w.fetch(ctx, s, j, l)
}

// fetch asks a source for an account.
func (w *workers) fetch(ctx context.Context, s *source, j *job, l backends.Lookup) (backends.Account, error) {
	if s.inMemory {
		a, err := w.ask(ctx, s, l)
		if err != nil && !errors.Is(err, backends.ErrNoUser) {
			err = s.wrap(err)
		}
		return a, err
	}
	if err := j.enter(ctx, w.fetches); err != nil {
		return backends.Account{}, s.wrap(fmt.Errorf("too many questions are waiting: %w", err))
	}
	defer w.fetches.Leave()
	ctx, cancel := context.WithTimeout(ctx, w.o.authTimeout)
	defer cancel()
	start := time.Now()
	a, err := w.ask(ctx, s, l)
	s.took.Store(int64(time.Since(start)))
	if err != nil && !errors.Is(err, backends.ErrNoUser) {
		w.failed(s, j.name, err)
		return a, s.wrap(err)
	}
	if s.down.CompareAndSwap(true, false) {
		w.journal.logf(Notice, "%s answers again", s.name)
	}
	return a, err
}

// ask calls the driver. A panic there is an error here.
func (w *workers) ask(ctx context.Context, s *source, l backends.Lookup) (a backends.Account, err error) {
	defer func() {
		if p := recover(); p != nil {
			w.fault(p)
			a, err = backends.Account{}, errFault
		}
	}()
	if l.Name == Anonymous {
		return s.Backend.(backends.Anonymous).Anonymous(ctx) // see route
	}
	a, err = s.User(ctx, l)
	if err == nil && a.Name != "" && a.Name != l.Name {
		return backends.Account{}, backends.ErrNoUser // another user's row, by the store's idea of equality
	}
	return a, err
}

// failed notes that a source could not answer. Only the first of a row of
// failures is logged.
func (w *workers) failed(s *source, name string, err error) {
	if errors.Is(err, backends.ErrBadAnswer) {
		w.journal.logf(Warning, "user %q: %v", name, s.wrap(err))
		return
	}
	s.tried.Store(time.Now().UnixNano())
	if w.ctx.Err() == nil && s.down.CompareAndSwap(false, true) {
		w.journal.logf(Warning, "%v; logins that need it are refused as unavailable until it answers", s.wrap(err))
	}
}

// comparison is the outcome of comparing a password with a stored hash.
type comparison struct {
	ok     bool
	why    string // it is not
	err    error  // it could not be found out
	hashed bool   // a hash was computed
	entry  mac    // in the memo
}

// expired tells whether an account has come to its end.
func expired(a backends.Account) bool { return !a.Expires.IsZero() && time.Now().After(a.Expires) }

// recall compares a password with an account's stored hash as far as that takes
// no computing of a hash. m may be nil.
func recall(a backends.Account, password string, m *memo) (c comparison, sure bool) {
	switch {
	case expired(a):
		return comparison{why: "the account has expired"}, true
	case a.Hash == "":
		return comparison{why: "no password is stored"}, true
	case m == nil:
		return c, false
	}
	c.entry = m.entry(a.Hash, password)
	c.ok = m.verified(c.entry)
	return c, c.ok
}

// verify compares a password with an account's stored hash.
func (w *workers) verify(ctx context.Context, s *source, j *job, a backends.Account) comparison {
	c, sure := recall(a, j.password, w.memo)
	if sure {
		return c
	}
	h, err := hashing.Parse(a.Hash, s.salt, w.o.limits)
	if err != nil {
		w.journal.logf(Warning, "user %q: the password hash stored in %s cannot be used: %v", j.name, s.name, err)
		return comparison{why: "the stored hash cannot be used"}
	}
	if c.ok, c.err = w.hash(ctx, j, h); c.err != nil {
		return c
	}
	c.hashed = true
	c.why = "wrong password"
	decoy := h.Decoy()
	s.decoy.Store(&decoy)
	if c.ok && w.memo != nil {
		w.memo.add(c.entry)
	}
	return c
}

// hash computes one hash, in turn.
func (w *workers) hash(ctx context.Context, j *job, h hashing.Hash) (bool, error) {
	if err := j.enter(ctx, w.hashing); err != nil {
		return false, fmt.Errorf("too many hashes are waiting: %w", err)
	}
	defer w.hashing.Leave()
	start := time.Now()
	ok := h.Verify(j.password)
	w.hashTook.Store(int64(time.Since(start)))
	return ok, nil
}

// spend takes the time that a hash would have taken, so that an unknown name
// shows no sooner than a wrong password.
func (w *workers) spend(ctx context.Context, j *job, in []int) {
	for _, i := range in {
		if d := w.chain.sources[i].decoy.Load(); d != nil {
			_, _ = w.hash(ctx, j, *d)
			return
		}
	}
	d, err := firstDecoy()
	if err == nil {
		_, _ = w.hash(ctx, j, d)
	}
}

// firstDecoy stands in until a real hash was seen: bcrypt with cost 10.
func firstDecoy() (hashing.Hash, error) {
	h, err := hashing.Parse("$2a$10$abcdefghijklmnopqrstuu5Lo0g67CiD3M4RpN1BmBb4Crp5w7dbK", hashing.SaltAny, hashing.DefaultLimits())
	return h.Decoy(), err
}

// judge makes a part of a profile from an account, for which the source was asked
// at the given time.
func (w *workers) judge(i int, inner string, a backends.Account, asked time.Time) part {
	s := w.chain.sources[i]
	p := part{source: i, at: asked, hash: w.key.sum("hash", a.Hash)}
	if inner != Anonymous {
		p.rights.User = inner
	}
	p.rights.Everything = a.Super && s.asked(backends.CheckSuperuser) || a.AllowAll && s.asked(backends.CheckACL)
	if p.rights.Everything || !s.asked(backends.CheckACL) {
		return p
	}
	p.rights.Subscribes = a.Subscribes
	img, notes, err := acl.Compile(a.Sections, acl.Options{WildcardsMatchDollar: w.o.dollar})
	if err != nil {
		w.journal.logf(Warning, "user %q: the rules in %s cannot be used, and grant nothing: %v", inner, s.name, err)
	}
	for _, n := range notes {
		w.journal.logf(Warning, "user %q: %s: %s", inner, s.name, n)
	}
	w.noteDollar(a.Sections)
	p.rights.Image = img
	return p
}

// noteDollar says once that a rule does not reach as far as it did with the
// predecessor.
func (w *workers) noteDollar(sections []backends.Section) {
	if w.o.dollar || w.dollar.Load() {
		return
	}
	for _, s := range sections {
		for _, r := range s {
			if !r.Deny && acl.ReachesDollar(r.Pattern) && w.dollar.CompareAndSwap(false, true) {
				w.journal.logf(Notice, "rules that begin with # or + do not reach topics that begin with $, such as $SYS; "+
					"grant those by name, or set wildcards_match_dollar true")
			}
		}
	}
}

// othersWait is how long an admission waits for the rights in sources that did
// not verify the password.
const othersWait = 250 * time.Millisecond

// rest completes the parts of a user whose password was verified with what the
// other sources grant. One that does not answer soon is left for later.
func (w *workers) rest(ctx context.Context, j *job, known []part) []part {
	ctx, cancel := context.WithTimeout(ctx, othersWait)
	defer cancel()
	return w.parts(ctx, j, known)
}

// parts returns what each source grants a user: known holds what was found
// already. It does not wait for anything if all sources answer from memory.
func (w *workers) parts(ctx context.Context, j *job, known []part) []part {
	in, inner := w.chain.route(j.name)
	var parts []part
	for _, i := range in {
		if k := slices.IndexFunc(known, func(p part) bool { return p.source == i }); k >= 0 {
			parts = append(parts, known[k])
			continue
		}
		s := w.chain.sources[i]
		if s.asked(backends.CheckACL|backends.CheckSuperuser) || slices.Contains(j.vouchers, i) {
			parts = append(parts, w.part(ctx, i, inner, j))
		}
	}
	return parts
}

func (w *workers) part(ctx context.Context, i int, inner string, j *job) part {
	s := w.chain.sources[i]
	down := part{source: i, down: true}
	if j.kind != jobProfile && s.resting() {
		return down
	}
	l := backends.Lookup{Name: inner, ClientID: j.clientID, RulesOnly: !slices.Contains(j.vouchers, i)}
	asked := time.Now()
	account, err := w.fetch(ctx, s, j, l)
	switch {
	case errors.Is(err, backends.ErrNoUser), err == nil && expired(account):
		return part{source: i, at: asked, none: true}
	case err != nil:
		return down
	}
	return w.judge(i, inner, account, asked)
}

// reloadTimeout is how long the reading may take.
const reloadTimeout = time.Minute

// reload has the backends read their sources again.
func (w *workers) reload(ctx context.Context, j *job) result {
	ctx, cancel := context.WithTimeout(ctx, reloadTimeout)
	defer cancel()
	r := result{job: j, verdict: Accept}
	for _, s := range w.chain.sources {
		b, ok := s.Backend.(backends.Reloader)
		if !ok {
			continue
		}
		notes, err := b.Reload(ctx)
		for _, n := range notes {
			w.journal.logf(Warning, "%s: %s", s.name, n)
		}
		if err != nil {
			w.journal.logf(Error, "%v; what was read before stays in force", s.wrap(err))
			continue
		}
		r.done = append(r.done, s.name)
	}
	return r
}

// expectLogin is how long a login that begins now is likely to take.
func (w *workers) expectLogin(name string) time.Duration {
	return w.expectFetch(name) + w.hashTime()*time.Duration(1+w.hashing.Ahead())
}

// expectFetch is the same for the question to the stores alone: what their last
// answers took, errors included. One that is down is left alone where there is
// another.
func (w *workers) expectFetch(name string) time.Duration {
	var up, down time.Duration
	in, _ := w.chain.route(name)
	alone := true
	for _, i := range in {
		s := w.chain.sources[i]
		if s.down.Load() {
			down += time.Duration(s.took.Load())
			continue
		}
		alone = false
		up += time.Duration(s.took.Load())
	}
	if alone {
		return down
	}
	return up
}
