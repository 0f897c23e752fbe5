package plugin

import (
	"context"
	"slices"
	"strings"
	"time"
)

// reaskTime is how long after a reload a broker that cannot tell (2.0) is taken
// to ask about sessions that are there already. It asks at once.
const reaskTime = 2 * time.Second

// Reload has the backends read their sources again, and prepares for the broker
// to ask about every session. The admissions that it makes meanwhile are
// verified when the backends are done. It also tells what was counted since the
// start: there is no other way to ask for that.
func (e *Engine) Reload() {
	e.reaskEnd, e.reaskTurn = time.Now().Add(reaskTime), e.host.Turn()
	e.early.clear()
	e.wrong.clear()
	e.journal.reopen()
	e.tellCounts()
	e.readAgain(e.work.chain.all, true)
}

// readAgain has backends read their sources again, after the reading under way,
// which may have begun before the change. The broker was told to, or else the store
// told of a change.
func (e *Engine) readAgain(sources []int, told bool) {
	j := &job{kind: jobReload, sources: sources, told: told}
	switch {
	case e.next == nil || told:
		e.next = j
	case !slices.Contains(e.next.sources, sources[0]):
		e.next.sources = append(slices.Clone(e.next.sources), sources...)
	}
	e.readNext()
}

// readNext begins the next reading, if one is wanted and none under way. There is
// room for it, unless another thread takes that for a moment; then Tick does it.
func (e *Engine) readNext() {
	if e.next != nil && !e.reloading && e.work.submit(e.next) {
		e.next, e.reloading = nil, true
	}
}

// finishReload has everything that rests on the backends that were read again
// looked up anew: at once what is in memory, in its time what is not.
func (e *Engine) finishReload(r result) {
	var names []string
	for _, i := range r.done {
		s := e.work.chain.sources[i]
		if r.job.told || !e.heard[i].all.IsZero() { // a watch begins with a reading: no news
			names = append(names, s.name)
		}
		if s.inMemory {
			e.changed(i)
			e.forgetEarly() // they may have come from what was read before
		}
	}
	if len(names) > 0 {
		e.journal.logf(Info, "read again: %s", strings.Join(names, ", "))
	}
	e.reloaded = time.Now()
	e.reloading = false
	e.readNext()
}

// rereadSome looks up again what rests on sources in memory that have changed,
// for as long as one turn may take.
func (e *Engine) rereadSome() {
	for start := time.Now(); len(e.reread) > 0 && time.Since(start) <= turnTime; {
		name := e.reread[0]
		e.reread = e.reread[1:]
		e.rereadOne(name)
	}
}

func (e *Engine) rereadOne(name string) {
	clientID, _ := e.outdated(name)
	j := &job{kind: jobProfile, name: name, clientID: clientID, begun: time.Now(), vouchers: e.sessions.vouchers(name)}
	e.finishProfile(result{job: j, verdict: Accept, parts: e.work.parts(context.Background(), j, nil)})
}

// resume hands over the clients to be verified again, and leaves half of the
// room for logins.
func (e *Engine) resume() {
	for len(e.backlog) > 0 && !e.reloading && e.work.inFlight.Load() < int64(e.o.queueMax/2+1) {
		if !e.work.submit(e.backlog[0]) {
			return
		}
		e.backlog = e.backlog[1:]
	}
}
