package plugin

import "slices"

// kickOutdated kicks the clients of a user that were verified by what no longer
// holds. Only sources that were asked about the password count, and where the
// answer is for one client only, that client.
func (e *Engine) kickOutdated(j *job, parts []part) {
	for id, s := range e.sessions.byName[j.name] {
		if s.foreign || !slices.Contains(j.vouchers, s.source) || id != j.clientID && e.work.chain.sources[s.source].perClient {
			continue
		}
		for _, p := range parts {
			if p.source != s.source || p.down || s.at.After(j.begun) {
				continue
			}
			s.at = j.begun
			if p.none || p.hash != s.hash {
				e.kick(s, id, "the account has gone, or its password has changed")
			}
		}
	}
}

// kick is a client that is to be disconnected.
type kick struct {
	session  *session
	clientID string
	why      string
}

// kick has a client disconnected in Tick: an ACL check may lead here, in which
// the broker must not lose the client that it asks about.
func (e *Engine) kick(s *session, clientID, why string) {
	e.kicks = append(e.kicks, kick{s, clientID, why})
	e.host.Wake()
}

// disconnect has the broker disconnect those that are to be kicked.
func (e *Engine) disconnect() {
	for len(e.kicks) > 0 {
		k := e.kicks[0]
		e.kicks = e.kicks[1:]
		if e.sessions.byID[k.clientID] != k.session || k.session.offline {
			continue // another client has the id now, or none
		}
		if found, known := e.host.Find(k.clientID); known && found != k.session.client {
			continue
		}
		e.counts.Kicked.Add(1)
		e.journal.logf(Notice, "user %s, client %s: disconnected, %s", clip(k.session.name), clip(k.clientID), k.why)
		e.sessions.remove(k.clientID)
		e.host.Kick(k.clientID)
	}
}
