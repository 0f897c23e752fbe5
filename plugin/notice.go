package plugin

import (
	"sync"
	"sync/atomic"
	"time"

	"mosquitto-go-auth/backends"
)

// changes are the notices of one store that the broker's thread has not taken
// yet. They are bounded: too many names become "all". The zero value is ready,
// and safe for concurrent use.
type changes struct {
	some  atomic.Bool
	mu    sync.Mutex
	names map[string]bool
	bytes int
	all   bool
}

// The most names that are kept, and the bytes in them: of those that wait for the
// broker's thread, and of those that it has taken.
const (
	maxChanged      = 1000
	maxChangedBytes = 1 << 18
	maxHeard        = 10000
	maxHeardBytes   = 1 << 20
)

// add notes that an account has changed, or all for "". It tells whether there was
// nothing noted before.
func (c *changes) add(name string) (first bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	first = !c.some.Swap(true)
	if c.all || c.names[name] {
		return first
	}
	if name == "" || len(c.names) >= maxChanged || c.bytes+len(name) > maxChangedBytes {
		c.all, c.names, c.bytes = true, nil, 0
		return first
	}
	if c.names == nil {
		c.names = map[string]bool{}
	}
	c.names[name] = true
	c.bytes += len(name)
	return first
}

// take takes what was noted.
func (c *changes) take() (names map[string]bool, all bool) {
	if !c.some.Load() {
		return nil, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	names, all = c.names, c.all
	c.names, c.bytes, c.all = nil, 0, false
	c.some.Store(false)
	return names, all
}

// heard is when the broker's thread heard last of changes in one store. What the
// store was asked before may be the old.
type heard struct {
	all   time.Time
	names map[string]time.Time // as the store spells them
	bytes int
}

// everything notes a change of all accounts.
func (h *heard) everything(now time.Time) { *h = heard{all: now} }

// one notes a change of an account. Where there are too many, all are taken to
// have changed, which costs no more than some needless questions.
func (h *heard) one(name string, now time.Time) {
	if _, ok := h.names[name]; !ok {
		if len(h.names) >= maxHeard || h.bytes+len(name) > maxHeardBytes {
			h.everything(now)
			return
		}
		if h.names == nil {
			h.names = map[string]time.Time{}
		}
		h.bytes += len(name)
	}
	h.names[name] = now
}

// of is when an account changed last, zero if that was never heard.
func (h *heard) of(name string) time.Time {
	if at, ok := h.names[name]; ok {
		return at // after all
	}
	return h.all
}

// notices are what the broker's thread made of the changes that the stores told.
type notices struct {
	heard  []heard // by source
	urgent pace    // of the users that were named

	unswept    int // so many of the profiles, the first in order, are yet to be looked at
	sweepAgain bool
	sweepTook  time.Duration
	sweepNext  time.Time // not before
}

// sweepShare is how many times as long as it took a look at all profiles is not
// repeated: notices without end take a tenth of the broker's thread at most.
const sweepShare = 9

func newNotices(sources, rate int) notices {
	return notices{heard: make([]heard, sources), urgent: newPace(rate)}
}

// heed takes the notices that came. What rests on what changed is looked up again:
// at once for a user that is named, in its time for all.
func (e *Engine) heed() {
	var named map[string]bool
	for i, s := range e.work.chain.sources {
		names, all := s.changes.take()
		switch {
		case len(names) == 0 && !all:
		case s.rereads():
			e.forgetEarly()
			e.readAgain([]int{i}, false)
		case all:
			e.forgetEarly()
			e.changed(i)
		default:
			if named == nil {
				named = map[string]bool{}
			}
			e.changedNames(i, names, named)
		}
	}
	if named == nil {
		return
	}
	e.early.dropNames(named)
	e.wrong.clear()
	for name := range named {
		e.lookAgain(name)
	}
}

// rereads tells whether a source keeps a copy in memory of what it watches.
func (s *source) rereads() bool {
	_, ok := s.Backend.(backends.Reloader)
	return ok && s.inMemory
}

// forgetEarly drops the answers that wait for clients.
func (e *Engine) forgetEarly() {
	e.early.clear()
	e.wrong.clear()
}

// changed notes that all of a source may have changed.
func (e *Engine) changed(source int) {
	e.heard[source].everything(time.Now())
	e.sweepAgain = true
}

// changedNames notes which accounts of a source have changed, and adds the users
// that these are.
func (e *Engine) changedNames(source int, names, users map[string]bool) {
	now := time.Now()
	for inner := range names {
		e.heard[source].one(inner, now)
		for _, name := range e.work.chain.users(source, inner) {
			users[name] = true
		}
	}
}

// current tells whether a part still holds for all that was heard: the source was
// asked since.
func (e *Engine) current(p part, inner string) bool {
	return !p.at.Before(e.heard[p.source].of(inner))
}

// outdated tells whether a source was asked about a user, or verified the password
// of one of the user's clients, before it told of a change; one that is down is
// asked again anyway. clientID is of a client that the source is to be asked about.
func (e *Engine) outdated(name string) (clientID string, is bool) {
	_, inner := e.work.chain.route(name)
	p := e.profiles[name]
	for id, s := range e.sessions.byName[name] {
		if !s.foreign && s.at.Before(e.heard[s.source].of(inner)) && !p.isDown(s.source) {
			return id, true
		}
		clientID = id
	}
	if p == nil {
		return clientID, false
	}
	if clientID == "" {
		clientID = p.clientID
	}
	return clientID, e.hasOutdated(p)
}

// check has a client verified again that was verified by what the source said
// before it told of a change.
func (e *Engine) check(name string, s *session) {
	if _, inner := e.work.chain.route(name); s.at.Before(e.heard[s.source].of(inner)) {
		e.lookAgain(name)
	}
}

// asked is a time after which the sources were asked for what led to the result.
func (r result) asked() time.Time {
	if r.job.begun.IsZero() {
		return time.Now() // it was found in memory, in this call
	}
	return r.job.begun
}

// hasOutdated tells whether a part of a profile is outdated.
func (e *Engine) hasOutdated(p *profile) bool {
	_, inner := e.work.chain.route(p.name)
	for _, q := range p.parts {
		if !q.down && !e.current(q, inner) {
			return true
		}
	}
	return false
}

// isDown tells whether a source could not answer when the profile was fetched.
func (p *profile) isDown(source int) bool {
	if p != nil {
		for _, q := range p.parts {
			if q.source == source {
				return q.down
			}
		}
	}
	return false
}

// lookAgain has what is known of a user fetched again, at once, if it is outdated.
// The old rights answer until the new ones have come.
func (e *Engine) lookAgain(name string) {
	clientID, is := e.outdated(name)
	p := e.profiles[name]
	switch {
	case !is || e.fetching[name] != nil: // it is looked at again when that ends
	case e.work.chain.inMemory(name):
		e.reread = append(e.reread, name)
		e.host.Wake()
	case p != nil && !e.urgent.take(time.Now()):
		e.makeDue(p)
	case e.fetchProfile(name, clientID, false) != nil:
	case p != nil:
		e.postpone(p)
	default:
		j := &job{kind: jobProfile, name: name, clientID: clientID, vouchers: e.sessions.vouchers(name)}
		e.fetching[name] = j
		e.later(j)
	}
}

// makeDue has a profile fetched again in its turn: of a user with clients as the
// pace allows, of others when somebody asks for it.
func (e *Engine) makeDue(p *profile) {
	if now := time.Now(); p.next.After(now) {
		p.next = now
		e.show(p)
		e.watch(p)
	}
}

// sweep looks at all profiles for such as are outdated, for as long as one turn may
// take.
func (e *Engine) sweep() {
	start := time.Now()
	if e.unswept == 0 {
		if !e.sweepAgain || start.Before(e.sweepNext) {
			return
		}
		e.unswept, e.sweepAgain, e.sweepTook = len(e.order), false, 0
	}
	for e.unswept > 0 && time.Since(start) <= turnTime {
		e.unswept--
		e.sweepOne(e.order[e.unswept])
	}
	e.sweepTook += time.Since(start)
	if e.unswept == 0 {
		pause := sweepShare * e.sweepTook
		e.sweepNext = time.Now().Add(pause)
		time.AfterFunc(pause, e.alarm.ring) // there may be something new by then
	}
}

// sweepOne looks at one profile. What is in memory costs less to read than to ask
// whether it has changed.
func (e *Engine) sweepOne(p *profile) {
	if e.work.chain.inMemory(p.name) {
		e.rereadOne(p.name)
		return
	}
	if _, is := e.outdated(p.name); is && e.fetching[p.name] == nil {
		e.makeDue(p)
	}
}
