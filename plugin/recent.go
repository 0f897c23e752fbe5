package plugin

import (
	"sync"
	"time"
)

// recent is a set of things that are forgotten after a while. It is bounded: the
// oldest goes first. It is not safe for concurrent use.
type recent[K comparable] struct {
	life  time.Duration
	size  int
	until map[K]time.Time
	order []K
}

func newRecent[K comparable](life time.Duration, size int) recent[K] {
	return recent[K]{life: life, size: size, until: map[K]time.Time{}}
}

func (r *recent[K]) has(name K) bool {
	until, ok := r.until[name]
	return ok && time.Now().Before(until)
}

func (r *recent[K]) add(name K) {
	if _, ok := r.until[name]; !ok {
		if len(r.order) >= r.size {
			delete(r.until, r.order[0])
			r.order = r.order[1:]
		}
		r.order = append(r.order, name)
	}
	r.until[name] = time.Now().Add(r.life)
}

// remove ends the time of a name at once.
func (r *recent[K]) remove(name K) {
	if _, ok := r.until[name]; ok {
		r.until[name] = time.Time{}
	}
}

// clear forgets all.
func (r *recent[K]) clear() {
	clear(r.until)
	r.order = nil
}

// said is what was said lately, for what need not be said again. It is bounded, and
// safe for concurrent use. The zero value is ready.
type said struct {
	mu     sync.Mutex
	recent *recent[mac]
}

const (
	saidLife = 24 * time.Hour
	saidSize = 10000
)

// first tells whether something was not said lately, and notes it.
func (s *said) first(what mac) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.recent == nil {
		r := newRecent[mac](saidLife, saidSize)
		s.recent = &r
	}
	if s.recent.has(what) {
		return false
	}
	s.recent.add(what)
	return true
}
