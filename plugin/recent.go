package plugin

import "time"

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
