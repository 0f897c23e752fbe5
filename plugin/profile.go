package plugin

import (
	"slices"
	"strings"
	"time"

	"mosquitto-go-auth/plugin/acl"
)

// Rights is the table of published rights, from which the host answers the
// frequent ACL checks without asking the engine. It is used on the broker's
// thread only.
type Rights interface {
	// Publish sets what a user may do. The table may answer until the given
	// time; then the engine wants to be asked.
	Publish(name string, p acl.Profile, until time.Time)
	// Forget removes a user.
	Forget(name string)
}

// Anonymous is the name under which the rights of clients without a user name
// are published. No MQTT string holds a NUL.
const Anonymous = "\x00"

// Table is a Rights in Go's memory, for hosts that ask the engine about
// everything.
type Table map[string]acl.Profile

// Publish implements Rights.
func (t Table) Publish(name string, p acl.Profile, _ time.Time) { t[name] = p }

// Forget implements Rights.
func (t Table) Forget(name string) { delete(t, name) }

// part is what one source said of a user's rights, and when.
type part struct {
	source int
	rights acl.Part
	at     time.Time // when the source was asked for its last answer; zero if it never gave one
	down   bool      // it could not answer the last time it was asked
	none   bool      // it answered that it knows nothing of the user
	hash   mac       // of the stored password hash, if the source vouches for the user
}

// profile is a user's rights as the engine keeps them.
type profile struct {
	name     string
	parts    []part
	rights   acl.Profile // what the parts grant together
	place    int         // in the order of all
	clientID string      // of the client about which the sources were asked last
	next     time.Time   // when something has to be done: a refresh, or the end of an old part
	used     bool        // asked since the last look for profiles to drop
	outlived bool        // a part is too old to grant anything
	checked  time.Time   // when the sources were asked last on behalf of all clients
}

// install keeps and publishes new parts. A part whose source could not answer
// keeps what it said before, until that is too old. What was asked for earlier
// than what is there does not count: a slow login may bring it late.
func (e *Engine) install(name string, parts []part) *profile {
	p := e.profiles[name]
	if p == nil {
		e.makeRoom()
		p = &profile{name: name, checked: time.Now()}
		e.keep(p)
	}
	for i, n := range parts {
		k := slices.IndexFunc(p.parts, func(o part) bool { return o.source == n.source })
		if k < 0 || !n.down && !p.parts[k].at.After(n.at) {
			continue
		}
		parts[i] = p.parts[k]
		parts[i].down = n.down || parts[i].down
	}
	p.parts = parts
	e.publish(p, e.oldest(p))
	if e.hasOutdated(p) {
		e.lookAgain(name)
	}
	return p
}

// oldest is when the sources were asked for the oldest of a user's rights.
func (e *Engine) oldest(p *profile) time.Time {
	asked := time.Now()
	for _, q := range p.parts {
		if !q.down && !e.work.chain.sources[q.source].inMemory && q.at.Before(asked) {
			asked = q.at
		}
	}
	return asked
}

// publish gives the table what is still valid, and says when to look again: the
// sources were asked at the given time.
func (e *Engine) publish(p *profile, asked time.Time) {
	now := time.Now()
	if p.checked.Before(asked) { // a login renews the rights, but compares no other client's hash
		asked = p.checked
	}
	p.next = asked.Add(e.o.refresh + e.jitter())
	if e.work.chain.inMemory(p.name) {
		p.next = now.Add(memoryRefresh) // Reload tells when there is something new
	}
	if slices.ContainsFunc(p.parts, func(q part) bool { return q.down }) {
		p.next = now.Add(retryAfter)
	}
	p.rights = e.work.grants(p.name, p.parts, now)
	outlived := slices.ContainsFunc(p.parts, func(q part) bool { return !q.at.IsZero() && e.work.tooOld(q, now) })
	if outlived && !p.outlived {
		e.counts.Outlived.Add(1)
	}
	p.outlived = outlived
	e.show(p)
	e.watch(p)
}

// unheard tells whether a source never said what the user may do: what the others
// grant is not all then.
func (p *profile) unheard() bool {
	return slices.ContainsFunc(p.parts, func(q part) bool { return q.down && q.at.IsZero() })
}

// show has the table answer for a user, unless the engine has to: see passes. It
// does not for users with clients that logged in, who are many and ask often.
func (e *Engine) show(p *profile) {
	if p.unheard() && len(e.sessions.byName[p.name]) == 0 {
		e.rights.Forget(p.name)
		return
	}
	e.rights.Publish(p.name, p.rights, p.next)
}

// memoryRefresh is the time between two refreshes from sources in memory.
const memoryRefresh = time.Hour

// grants puts together what the parts grant a user at a time.
func (w *workers) grants(name string, parts []part, now time.Time) acl.Profile {
	rights := make(acl.Profile, 0, len(parts)+1)
	for _, p := range parts {
		if !p.none && !p.at.IsZero() && !w.tooOld(p, now) {
			rights = append(rights, p.rights)
		}
	}
	if w.chain.superPattern(name) != "" {
		rights = append(rights, acl.Part{User: name, Everything: true})
	}
	return rights
}

// tooOld tells whether max_stale has ended what a source said.
func (w *workers) tooOld(p part, now time.Time) bool {
	return w.o.maxStale > 0 && now.Sub(p.at) > w.o.maxStale && !w.chain.sources[p.source].inMemory
}

// young returns what is known of a user's rights and need not be fetched again
// with a login. Where logins are few everything is, so that a new right counts at
// the next one; where they are many, the rights may be as old as those of clients
// that stay.
func (e *Engine) young(j *job) (young []part) {
	p := e.profiles[j.name]
	now := time.Now()
	if p == nil || !j.late && e.thorough.take(now) {
		return nil
	}
	_, inner := e.work.chain.route(j.name)
	for _, q := range p.parts {
		memory := e.work.chain.sources[q.source].inMemory
		if !memory && !q.down && now.Sub(q.at) < e.o.refresh && q.at.After(e.reloaded) && e.current(q, inner) {
			young = append(young, q)
		}
	}
	return young
}

// freshen has a profile fetched again if it is due. The old one answers until
// the new one has come.
func (e *Engine) freshen(p *profile, clientID string) {
	p.used = true
	switch now := time.Now(); {
	case now.Before(p.next):
	case e.pace.take(now):
		e.refresh(p, strings.Clone(clientID))
	default:
		e.postpone(p)
	}
}

// fetchProfile hands the fetching of a user's rights to a worker. It returns the
// job, or nil if there is no room for one. One that is late lets logins go first.
func (e *Engine) fetchProfile(name, clientID string, late bool) *job {
	if j := e.fetching[name]; j != nil {
		return j
	}
	j := &job{kind: jobProfile, name: name, clientID: clientID, late: late, vouchers: e.sessions.vouchers(name)}
	if !e.work.submit(j) {
		return nil
	}
	e.fetching[name] = j
	return j
}

// makeRoom drops a profile that was not asked lately, where there are too many.
// Those of users with clients stay: by them it is noticed that an account has gone.
func (e *Engine) makeRoom() {
	for len(e.profiles) >= e.o.profilesMax {
		name := e.leastUsed()
		if _, in := e.sessions.any(name); in {
			return
		}
		e.drop(e.profiles[name])
		e.counts.Dropped.Add(1)
	}
}

// keep adds a profile, as the last in the order.
func (e *Engine) keep(p *profile) {
	p.place = len(e.order)
	e.order = append(e.order, p)
	e.profiles[p.name] = p
}

// drop forgets a profile. The last in the order takes its place, so that those
// which are yet to be looked at (see sweep) stay the first.
func (e *Engine) drop(p *profile) {
	last := len(e.order) - 1
	e.order[p.place] = e.order[last]
	e.order[p.place].place = p.place
	e.order[last] = nil
	e.order = e.order[:last]
	e.unswept = min(e.unswept, last)
	delete(e.profiles, p.name)
	e.rights.Forget(p.name)
}

// sampled is how many profiles are looked at to find one to drop.
const sampled = 64

// leastUsed returns a user whose profile can be dropped: of some taken at random,
// one without clients if there is any, and not asked for lately.
func (e *Engine) leastUsed() (name string) {
	best, n := 3, 0
	for candidate, p := range e.profiles {
		rank := 0
		if _, in := e.sessions.any(candidate); in {
			rank += 2
		}
		if p.used {
			rank++
			p.used = false // spared once
		}
		if rank < best || name == "" {
			best, name = rank, candidate
		}
		if n++; best == 0 || n == sampled {
			break
		}
	}
	return name
}
