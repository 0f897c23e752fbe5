package plugin

import "time"

const (
	suspectsSize = 100000
	suspectsLife = time.Minute
)

// suspects are the user names and the network addresses of which a login failed
// lately: the broker does not wait for them. What clients chose is kept as a
// digest, so that long names take no more memory than short ones.
type suspects struct {
	key              macKey
	names, addresses recent[mac]
}

func newSuspects() suspects {
	return suspects{newMACKey(), newRecent[mac](suspectsLife, suspectsSize), newRecent[mac](suspectsLife, suspectsSize)}
}

func (s *suspects) has(j *job) bool {
	return s.hasName(j) || s.addresses.has(s.key.sum(j.network))
}

// hasName leaves the address aside, which many may share.
func (s *suspects) hasName(j *job) bool { return s.names.has(s.key.sum(j.name)) }

func (s *suspects) add(j *job) {
	s.names.add(s.key.sum(j.name))
	if j.network != "" { // clients without one do not answer for each other
		s.addresses.add(s.key.sum(j.network))
	}
}

func (s *suspects) remove(j *job) {
	s.names.remove(s.key.sum(j.name))
	s.addresses.remove(s.key.sum(j.network))
}
