package plugin

import (
	"errors"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"mosquitto-go-auth/backends"
)

// The pauses before a watch that failed is begun again: the first, and the
// longest.
const (
	firstWatchPause = 100 * time.Millisecond
	lastWatchPause  = 10 * time.Second
)

// watchSettled is how long a watch lasts before it is taken to work though it
// told of nothing: longer than a store takes to refuse it.
const watchSettled = 30 * time.Second

var errWatchEnded = errors.New("the watch for changes ended")

// watching keeps the watch of one source going, in a goroutine of its own.
type watching struct {
	*workers
	source  *source
	watcher backends.Watcher
	lost    atomic.Bool // it failed, and that was logged
	faulty  atomic.Bool // likewise a panic in it
}

// watch begins the watch of a source that can be watched.
func (w *workers) watch(s *source) {
	if b, ok := s.Backend.(backends.Watcher); ok {
		go (&watching{workers: w, source: s, watcher: b}).run()
	}
}

// run watches until the engine ends.
func (w *watching) run() {
	for pause := firstWatchPause; ; pause = min(2*pause, lastWatchPause) {
		begun := time.Now()
		if w.once() && time.Since(begun) > lastWatchPause {
			pause = firstWatchPause
		}
		if w.ctx.Err() != nil {
			return
		}
		select {
		case <-time.After(pause/2 + rand.N(pause/2)):
		case <-w.ctx.Done():
			return
		}
	}
}

// once watches until that fails. It tells whether it had worked.
func (w *watching) once() (worked bool) {
	t := &term{watching: w}
	settled := time.AfterFunc(watchSettled, t.works)
	err := t.watch()
	settled.Stop()
	worked = t.over()
	if w.ctx.Err() == nil && w.lost.CompareAndSwap(false, true) {
		w.counts.WatchesLost.Add(1)
		w.journal.logf(Warning, "%v; until the store tells of changes again, they count %s", w.source.wrap(err), w.source.otherwise())
	}
	return worked
}

// otherwise says when changes count of which the store does not tell.
func (s *source) otherwise() string {
	if s.rereads() {
		return "when the broker is told to reload (SIGHUP)"
	}
	return "when rights are fetched again, after acl_cache_seconds"
}

// term is one life of a watch.
type term struct {
	*watching
	state atomic.Int32
}

// The states of a term.
const (
	termBegun int32 = iota
	termWorks
	termOver
)

// watch calls the driver. A panic there is an error here, and is logged once in a
// row of failures.
func (t *term) watch() (err error) {
	defer func() {
		switch p := recover(); {
		case p == nil:
			return
		case t.faulty.Swap(true):
			t.counts.Panics.Add(1)
		default:
			t.fault(p)
		}
		err = errFault
	}()
	err = t.watcher.Watch(t.ctx, func(name string) {
		t.counts.Notices.Add(1)
		t.works()
		t.notice(t.source, name)
	})
	if err == nil {
		err = errWatchEnded
	}
	return err
}

// works notes that the watch has begun to work. What changed before that was not
// told.
func (t *term) works() {
	if !t.state.CompareAndSwap(termBegun, termWorks) {
		return
	}
	t.faulty.Store(false)
	if t.lost.CompareAndSwap(true, false) {
		t.journal.logf(Notice, "%s tells of changes again", t.source.name)
	}
	t.notice(t.source, "")
}

// over ends the term, and tells whether it had worked.
func (t *term) over() (worked bool) { return t.state.Swap(termOver) == termWorks }

// notice hands the name of an account that changed, or "" for all of them, to the
// broker's thread. It may be called on any goroutine, and does not wait.
func (w *workers) notice(s *source, name string) {
	if s.changes.add(name) {
		w.wake()
	}
}
