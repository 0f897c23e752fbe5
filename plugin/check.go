package plugin

import (
	"context"
	"strings"

	"mosquitto-go-auth/backends"
)

// Unsubscribe is the broker's number for a request to unsubscribe, which is
// always granted.
const Unsubscribe backends.Access = 8

// Check answers an ACL check. topic is a filter where access is Subscribe. The
// client is one of the broker's, or a stand-in that the broker made up, such as
// the author of a retained message.
func (e *Engine) Check(client Ref, clientID, username string, hasUsername bool, topic string, access backends.Access) Answer {
	if access == backends.Write && e.tickets.guarded(e.host, client, clientID) {
		return Denied
	}
	if !e.judges {
		return NotJudged
	}
	if access == Unsubscribe {
		return Granted
	}
	name, ok := e.subject(clientID, username, hasUsername)
	if !ok {
		return Denied
	}
	p := e.profiles[name]
	if p == nil {
		if p = e.missed(name, clientID); p == nil {
			return Denied
		}
	}
	e.freshen(p, clientID)
	if p.rights.Allows(clientID, topic, access) {
		return Granted
	}
	return Denied
}

// missed gets the profile of a user who did not log in through us lately: one
// with a certificate, one whose session was restored, the author of a retained
// message. It waits for a worker within the stall credit.
func (e *Engine) missed(name, clientID string) *profile {
	name, clientID = strings.Clone(name), strings.Clone(clientID) // they are only lent
	if e.work.chain.inMemory(name) {
		parts := e.work.parts(context.Background(), &job{kind: jobProfile, name: name, clientID: clientID}, nil)
		return e.install(name, parts)
	}
	j := e.fetchProfile(name, clientID, false)
	if j == nil {
		return nil
	}
	if r, ok := e.wait(j, e.work.expectFetch(name)); ok {
		e.finishProfile(r)
		return e.profiles[name]
	}
	if !e.unknown.has(name) {
		e.unknown.add(name)
		e.journal.logf(Warning, "user %q, client %q: the rights are not known yet and could not be fetched in time; denied", name, clientID)
	}
	return nil
}
