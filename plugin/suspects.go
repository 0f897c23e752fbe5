package plugin

import "time"

const (
	suspectsSize = 100000
	suspectsLife = time.Minute
)

// suspects are the user names and the network addresses of which a login failed
// lately: the broker does not wait for them.
type suspects struct{ names, addresses recent[string] }

func newSuspects() suspects {
	return suspects{newRecent[string](suspectsLife, suspectsSize), newRecent[string](suspectsLife, suspectsSize)}
}

func (s *suspects) has(j *job) bool { return s.names.has(j.name) || s.addresses.has(j.address) }

func (s *suspects) add(j *job) {
	s.names.add(j.name)
	if j.address != "" { // clients without one do not answer for each other
		s.addresses.add(j.address)
	}
}

func (s *suspects) remove(j *job) {
	s.names.remove(j.name)
	s.addresses.remove(j.address)
}
