package plugin

import (
	"context"
	"strings"

	"mosquitto-go-auth/backends"
)

// Unsubscribe is the broker's number for a request to unsubscribe, which is
// always granted.
const Unsubscribe backends.Access = 8

// ACLCheck is a question whether a client may do something: an ACL_CHECK event.
// Its texts are only lent.
type ACLCheck struct {
	// Client is 0 for a stand-in that the broker made up, such as the author
	// of a retained message.
	Client      Ref
	ClientID    string
	Username    string
	HasUsername bool
	Topic       string // a filter where Access is Subscribe
	Access      backends.Access
	Offline     bool // the session never had a connection since the broker started
}

// Check answers an ACL check. It is called on the broker's thread, and waits for
// a worker only within the stall credit.
func (e *Engine) Check(c ACLCheck) Answer {
	if c.Access == backends.Write && e.tickets.guarded(e.host, c.Client, c.ClientID) {
		return Denied
	}
	if !e.judges {
		return NotJudged
	}
	if c.Access == Unsubscribe {
		return Granted
	}
	name, ok := e.subject(c.ClientID, c.Username, c.HasUsername)
	if !ok {
		return Denied
	}
	p := e.profiles[name]
	if p == nil {
		var a Answer
		if p, a = e.missed(name, c); p == nil {
			return a
		}
	}
	e.freshen(p, c.ClientID)
	if p.rights.Allows(c.ClientID, c.Topic, c.Access) || p.unheard() && e.passes(&c) {
		return Granted
	}
	return Denied
}

// passes tells whether a question is answered with yes as long as the rights are
// not known.
//
// The author of a retained message was allowed to publish it when he did. What is
// queued for a session without a connection is checked again by the broker when the
// client connects; to deny it now would lose it.
func (e *Engine) passes(c *ACLCheck) bool {
	author := c.Client == 0 && c.Access == backends.Write
	queued := c.Offline && c.Access == backends.Read && e.sessions.byID[c.ClientID] == nil
	return author || queued
}

// missed gets the profile of a user who did not log in through us lately: one
// with a certificate, one whose session was restored, the author of a retained
// message. Where it cannot be had in time, it answers itself. What passes anyway is
// not waited for: there may be thousands of authors at once.
func (e *Engine) missed(name string, c ACLCheck) (*profile, Answer) {
	name, clientID := strings.Clone(name), strings.Clone(c.ClientID) // they are only lent
	if e.work.chain.inMemory(name) {
		parts := e.work.parts(context.Background(), &job{kind: jobProfile, name: name, clientID: clientID}, nil)
		return e.install(name, parts), Denied
	}
	passes := e.passes(&c)
	j := e.fetchProfile(name, clientID, passes)
	if passes {
		return nil, Granted
	}
	if j != nil {
		if r, ok := e.wait(j, e.work.expectFetch(name), e.loginWait()); ok {
			e.finishProfile(r)
			return e.profiles[name], Denied
		}
	}
	e.counts.UnknownRights.Add(1)
	if k := e.work.key.sum("unknown", name); !e.unknown.has(k) {
		e.unknown.add(k)
		e.journal.logf(Warning, "user %s, client %s: the rights are not known yet and could not be fetched in time; denied", clip(name), clip(clientID))
	}
	return nil, Denied
}
