package plugin

import (
	"context"
	"errors"
	"time"

	"mosquitto-go-auth/backends"
)

const (
	probeTimeout = 10 * time.Second
	probeAgain   = 5 * time.Second
)

// probe has a source examine its queries and settings against the live store,
// in a goroutine, and logs what it finds. It tries until the store answers.
// name is a user of it, "" if none is known yet.
func (w *workers) probe(i int, name string) {
	s := w.chain.sources[i]
	p, ok := s.Backend.(backends.Prober)
	if !ok {
		return
	}
	go func() {
		defer func() {
			if fault := recover(); fault != nil {
				w.fault(fault)
			}
		}()
		for !w.probeOnce(s, p, name) {
			select {
			case <-w.ctx.Done():
				return
			case <-time.After(probeAgain):
			}
		}
	}()
}

// probeOnce tells whether the store answered.
func (w *workers) probeOnce(s *source, p backends.Prober, name string) bool {
	ctx, cancel := context.WithTimeout(w.ctx, probeTimeout)
	defer cancel()
	notes, err := p.Probe(ctx, name)
	faults, err := queryFaults(err)
	for _, f := range faults {
		notes = append(notes, f.Error())
	}
	for _, n := range notes {
		if s.told.first(w.key.sum("note", n)) {
			w.journal.logf(Warning, "%s: %s", s.name, n)
		}
	}
	if err != nil {
		w.failed(s, "", err)
		return false
	}
	if s.down.CompareAndSwap(true, false) {
		w.journal.logf(Notice, "%s answers again", s.name)
	}
	return true
}

// queryFaults takes apart what a Prober returned: the faults of its queries, and
// the error that says that its store did not answer, if any.
func queryFaults(err error) (faults []error, down error) {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		if errors.Is(err, backends.ErrBadAnswer) {
			return []error{err}, nil
		}
		return nil, err
	}
	for _, e := range joined.Unwrap() {
		more, d := queryFaults(e)
		faults = append(faults, more...)
		if down == nil {
			down = d
		}
	}
	return faults, down
}

// probe examines a source once more when the first of its users has logged in:
// what depends on a name that exists can be found out then.
func (e *Engine) probe(source int, name string) {
	if !e.probed[source] {
		e.probed[source] = true
		_, inner := e.work.chain.route(name)
		e.work.probe(source, inner)
	}
}
