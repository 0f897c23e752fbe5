package plugin

import (
	"slices"
	"time"
)

// session is what is remembered of a client that was let in. When it is told to
// reload, the broker asks about every session again, at once; it is answered
// from here, and the password verified again behind it.
type session struct {
	client  Ref
	name    string
	proof   mac       // of name, client id and password
	offline bool      // it has no connection now
	foreign bool      // let in by another way than a password: a certificate, another plugin
	source  int       // that verified the password
	hash    mac       // of the stored hash that it was verified with
	at      time.Time // the source was asked for that hash then, or later
}

// sessions are the clients that were let in, by their client ids. They are used
// on the broker's thread only.
type sessions struct {
	byID   map[string]*session
	byName map[string]map[string]*session // those that are connected, by user name first
	parked []parked                       // those that are not, the oldest first
}

// parked is a session whose client has gone, and may come back.
type parked struct {
	clientID string
	session  *session
}

// maxParked bounds the sessions that are remembered for clients that have gone:
// not every broker tells when such a session ends.
const maxParked = 100000

func newSessions() sessions {
	return sessions{byID: map[string]*session{}, byName: map[string]map[string]*session{}}
}

func (s *sessions) add(clientID string, n *session) {
	s.remove(clientID)
	s.byID[clientID] = n
	if s.byName[n.name] == nil {
		s.byName[n.name] = map[string]*session{}
	}
	s.byName[n.name][clientID] = n
}

// park keeps the session of a client that has gone: the broker may ask about it.
func (s *sessions) park(clientID string, n *session) {
	s.remove(clientID)
	n.offline = true
	s.byID[clientID] = n
	s.parked = append(s.parked, parked{clientID, n})
	if len(s.parked) > maxParked {
		if oldest := s.parked[0]; s.byID[oldest.clientID] == oldest.session {
			s.remove(oldest.clientID)
		}
		s.parked = s.parked[1:]
	}
}

func (s *sessions) remove(clientID string) {
	old := s.byID[clientID]
	if old == nil {
		return
	}
	delete(s.byID, clientID)
	if s.byName[old.name][clientID] != old {
		return
	}
	delete(s.byName[old.name], clientID)
	if len(s.byName[old.name]) == 0 {
		delete(s.byName, old.name)
	}
}

// restore undoes an add for a client that has gone: before is the session that
// was there, and counts if it is that of the client that has the id now.
func (s *sessions) restore(clientID string, now Ref, before *session) {
	s.remove(clientID)
	if before != nil && before.client == now {
		s.add(clientID, before)
	}
}

// of returns the session of one client, nil if it has none or the id is now
// another client's.
func (s *sessions) of(clientID string, client Ref) *session {
	if n := s.byID[clientID]; n != nil && n.client == client {
		return n
	}
	return nil
}

// vouchers returns the sources that verified a password of the user.
func (s *sessions) vouchers(name string) (sources []int) {
	for _, n := range s.byName[name] {
		if !n.foreign && !slices.Contains(sources, n.source) {
			sources = append(sources, n.source)
		}
	}
	return sources
}

// any returns the id of one of the user's clients.
func (s *sessions) any(name string) (clientID string, ok bool) {
	for id := range s.byName[name] {
		return id, true
	}
	return "", false
}
