package plugin

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"mosquitto-go-auth/backends"
)

// fetchShare asks one of so many sources that are left. Where somebody waits it has
// its share of the time that is left, so that one that hangs does not take that of
// the others.
func (w *workers) fetchShare(ctx context.Context, left int, s *source, j *job, l backends.Lookup) (backends.Account, error) {
	if j.ticket != 0 || j.reply != nil {
		left := time.Until(j.begun.Add(w.o.authTimeout)) / time.Duration(left)
		left = max(left, w.o.authTimeout/4) // where a hash took long
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, left)
		defer cancel()
	}
	return w.fetch(ctx, s, j, l)
}

// fetch asks a source for an account.
func (w *workers) fetch(ctx context.Context, s *source, j *job, l backends.Lookup) (backends.Account, error) {
	if s.inMemory {
		asked := time.Now()
		a, err := w.ask(ctx, s, l)
		w.toldAccount(s, j, err, asked)
		if err != nil && !errors.Is(err, backends.ErrNoUser) {
			err = s.wrap(err)
		}
		return a, err
	}
	if err := j.enter(ctx, w.fetches); err != nil {
		w.countTime(ctx)
		return backends.Account{}, s.wrap(fmt.Errorf("too many questions are waiting: %w", err))
	}
	defer w.fetches.Leave()
	ctx, cancel := context.WithTimeout(ctx, w.o.authTimeout)
	defer cancel()
	start := time.Now()
	end, _ := ctx.Deadline()
	hurried := end.Sub(start) < w.o.authTimeout/4
	a, err := w.ask(ctx, s, l)
	s.took.Store(int64(time.Since(start)))
	w.countTime(ctx)
	w.toldAccount(s, j, err, start)
	if err != nil && !errors.Is(err, backends.ErrNoUser) {
		if !hurried || ctx.Err() == nil { // else a store that is merely slow would count as down
			w.failed(s, j.name, err)
		}
		return a, s.wrap(err)
	}
	if s.down.CompareAndSwap(true, false) {
		w.journal.logf(Notice, "%s answers again", s.name)
	}
	return a, err
}

// countTime counts what auth_timeout has ended.
func (w *workers) countTime(ctx context.Context) {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		w.counts.TimedOut.Add(1)
	}
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
		w.faults.logf(s.name+": faults of its answers", "user %s: %v", clip(name), s.wrap(err))
		return
	}
	s.tried.Store(time.Now().UnixNano())
	if w.ctx.Err() == nil && s.down.CompareAndSwap(false, true) {
		w.journal.logf(Warning, "%v; logins that need it are refused as unavailable until it answers", s.wrap(err))
	}
}

// reloadTimeout is how long the reading may take.
const reloadTimeout = time.Minute

// reload has backends read their sources again.
func (w *workers) reload(ctx context.Context, j *job) result {
	ctx, cancel := context.WithTimeout(ctx, reloadTimeout)
	defer cancel()
	r := result{job: j, verdict: Accept}
	for _, i := range j.sources {
		s := w.chain.sources[i]
		b, ok := s.Backend.(backends.Reloader)
		if !ok {
			continue
		}
		notes, err := b.Reload(ctx)
		w.report(s, notes, err, j.told)
		if err == nil {
			s.compiled.clear()
			r.done = append(r.done, i)
		}
	}
	return r
}

// report logs what came out of reading again. Unless an operator waits for it, what
// was said the last time is not said once more: a store that is being edited may
// tell of many changes.
func (w *workers) report(s *source, notes []string, err error, always bool) {
	said := strings.Join(notes, "\n")
	if err != nil {
		said = err.Error()
	}
	again := said == s.said && !always
	s.said = said
	switch {
	case again:
	case err != nil:
		w.journal.logf(Error, "%v; what was read before stays in force", s.wrap(err))
	default:
		for _, n := range notes {
			w.journal.logf(Warning, "%s: %s", s.name, n)
		}
	}
}

// allDown tells whether there is no source that could be asked for a password now.
func (w *workers) allDown(name string) bool {
	in, _ := w.chain.route(name)
	return !slices.ContainsFunc(in, func(i int) bool {
		s := w.chain.sources[i]
		return s.asked(backends.CheckUser) && !s.down.Load()
	})
}

// downFor names the sources that are down and would be asked for a password.
func (w *workers) downFor(name string) string {
	in, _ := w.chain.route(name)
	var names []string
	for _, i := range in {
		if s := w.chain.sources[i]; s.asked(backends.CheckUser) && s.down.Load() {
			names = append(names, s.name)
		}
	}
	return strings.Join(names, ", ")
}

// expectAnswer is how long a login that begins now is likely to take up to the
// stores' answer, if so many share the places.
func (w *workers) expectAnswer(name string, sharing int64) time.Duration {
	return w.expectFetch(name) * time.Duration(1+sharing/int64(w.fetches.Size()))
}

// expectHash is how long it is likely to take from there, if so many hashes may be
// computed before its own of which the gate does not know yet, and so many from
// its address are under way.
func (w *workers) expectHash(late bool, before, own int) time.Duration {
	ahead, places := w.hashing.Ahead(late, own), float64(w.hashing.Size())
	rounds := max(ahead, float64(before)/places-min(ahead, 0.5)) // those inside are half done
	return time.Duration(float64(w.hashTime()) * (1 + rounds))
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
