package plugin

import "time"

// recent is a set of names that are forgotten after a while. It is bounded: the
// oldest goes first. It is not safe for concurrent use.
type recent struct {
	life  time.Duration
	size  int
	until map[string]time.Time
	order []string
}

func newRecent(life time.Duration, size int) recent {
	return recent{life: life, size: size, until: map[string]time.Time{}}
}

func (r *recent) has(name string) bool {
	until, ok := r.until[name]
	return ok && time.Now().Before(until)
}

func (r *recent) add(name string) {
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
func (r *recent) remove(name string) {
	if _, ok := r.until[name]; ok {
		r.until[name] = time.Time{}
	}
}
