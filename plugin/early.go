package plugin

import "time"

// earlyLife is how long a result waits for the client that was told to come
// back.
const earlyLife = 5 * time.Second

// early is a login whose client was told to come back.
type early struct {
	job   *job // the login
	under bool // it is still under way
	done  result
}

// earlies are the logins whose clients were told to come back, by name, client
// id and password. They are used on the broker's thread only.
type earlies struct {
	byKey map[mac]*early
	order []*job // the oldest first
}

func newEarlies() earlies { return earlies{byKey: map[mac]*early{}} }

// under returns the job under way for the same login, nil if there is none.
func (s *earlies) under(key mac) *job {
	if f := s.byKey[key]; f != nil && f.under {
		return f.job
	}
	return nil
}

// keep notes that a client may be told to come back, and forgets those who did
// not.
func (s *earlies) keep(j *job) {
	s.byKey[j.key] = &early{job: j, under: true}
	s.order = append(s.order, j)
	for len(s.order) > 0 {
		old := s.order[0]
		f := s.byKey[old.key]
		mine := f != nil && f.job == old
		if mine && (f.under || time.Since(f.done.at) < earlyLife) {
			return
		}
		if mine {
			delete(s.byKey, old.key)
		}
		s.order = s.order[1:]
	}
}

// put keeps a result for the client, unless it was dropped meanwhile.
func (s *earlies) put(r result) bool {
	f := s.byKey[r.job.key]
	if f == nil || f.job != r.job {
		return false
	}
	f.under, f.done = false, r
	return true
}

// take takes the result that waits for a client that came back. It answers one
// login.
func (s *earlies) take(key mac) (result, bool) {
	f := s.byKey[key]
	if f == nil || f.under {
		return result{}, false
	}
	s.drop(key)
	return f.done, time.Since(f.done.at) <= earlyLife
}

func (s *earlies) drop(key mac) { delete(s.byKey, key) }

// dropNames drops those of the users given.
func (s *earlies) dropNames(names map[string]bool) {
	for key, f := range s.byKey {
		if names[f.job.name] {
			delete(s.byKey, key)
		}
	}
}

// clear drops all: what they rest on may have changed.
func (s *earlies) clear() { clear(s.byKey) }
