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
// verified when the backends are done.
func (e *Engine) Reload() {
	e.reaskEnd = time.Now().Add(reaskTime)
	e.early.clear()
	e.wrong.clear()
	e.journal.reopen()
	if e.reloading {
		e.reloadAgain = true // the reading under way may have begun before the change
		return
	}
	e.readAgain()
}

func (e *Engine) readAgain() {
	e.reloading, e.reloadAgain = true, false
	e.work.submit(&job{kind: jobReload}) // for which there is always room
}

// finishReload has everything that rests on the backends that were read again
// looked up anew: at once what is in memory, in its time what is not.
func (e *Engine) finishReload(r result) {
	if len(r.done) > 0 {
		e.journal.logf(Info, "read again: %s", strings.Join(r.done, ", "))
	}
	if e.reloadAgain {
		e.readAgain()
		return
	}
	e.reloading = false
	e.reloaded = time.Now()
	for name := range e.profiles {
		e.reread = append(e.reread, name)
	}
}

// rereadSome looks up again what rests on sources in memory that were read
// again, for as long as one turn may take.
func (e *Engine) rereadSome() {
	for start := time.Now(); len(e.reread) > 0 && time.Since(start) <= turnTime; {
		name := e.reread[0]
		e.reread = e.reread[1:]
		if e.profiles[name] == nil || !e.work.chain.inMemory(name) {
			continue
		}
		j := &job{kind: jobProfile, name: name, begun: time.Now(), vouchers: e.sessions.vouchers(name)}
		e.finishProfile(result{job: j, verdict: Accept, parts: e.work.parts(context.Background(), j, nil)})
	}
}

// outrun tells whether parts were read from memory before the last reload.
func (e *Engine) outrun(parts []part) bool {
	return slices.ContainsFunc(parts, func(p part) bool {
		return e.work.chain.sources[p.source].inMemory && !p.down && p.at.Before(e.reloaded)
	})
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
