package plugin

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"time"
)

// brake keeps lines that are alike from filling the log: of each kind it lets some
// through in a window of time, and then counts. What was counted is told when the
// window ends. It is safe for concurrent use, and waits for nobody.
type brake struct {
	journal *journal
	level   Level
	window  time.Duration
	burst   int    // lines of one kind in a window
	what    string // is counted, for the kinds that there is no room for

	mu     sync.Mutex
	kinds  map[string]*counted // in this window
	others int                 // lines of the kinds that are too many
	timer  *time.Timer         // ends the window; nil if there is none
}

type counted struct{ shown, left int }

const (
	kindsMax  = 200 // kinds that are told apart in one window
	kindsTold = 20  // of which something is told at its end
)

func newBrake(j *journal, level Level, window time.Duration, burst int, what string) *brake {
	return &brake{journal: j, level: level, window: window, burst: burst, what: what, kinds: map[string]*counted{}}
}

// logf logs a line, or counts it. kind must say by itself what is counted, and like
// the arguments hold text that clients chose only through clip.
func (b *brake) logf(kind, format string, args ...any) {
	if b.journal.shows(b.level) && b.passes(kind) {
		b.journal.logf(b.level, format, args...)
	}
}

func (b *brake) passes(kind string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.timer == nil {
		b.timer = time.AfterFunc(b.window, b.end)
	}
	c := b.kinds[kind]
	if c == nil {
		if len(b.kinds) == kindsMax {
			b.others++
			return false
		}
		c = &counted{}
		b.kinds[kind] = c
	}
	if c.shown < b.burst {
		c.shown++
		return true
	}
	c.left++
	return false
}

// end ends a window.
func (b *brake) end() {
	b.mu.Lock()
	kinds, others := b.kinds, b.others
	b.kinds, b.others = map[string]*counted{}, 0
	if b.timer != nil {
		b.timer.Stop()
		b.timer = nil
	}
	b.mu.Unlock()
	var names []string
	for kind, c := range kinds {
		if c.left > 0 {
			names = append(names, kind)
		}
	}
	slices.SortFunc(names, func(x, y string) int {
		return cmp.Or(cmp.Compare(kinds[y].left, kinds[x].left), cmp.Compare(x, y))
	})
	for i, kind := range names {
		if i >= kindsTold {
			others += kinds[kind].left
			continue
		}
		b.journal.logf(b.level, "%s: … and %d more like it in the last %v", kind, kinds[kind].left, b.window)
	}
	if others > 0 {
		b.journal.logf(b.level, "… and %d more %s in the last %v", others, b.what, b.window)
	}
}

// refusalsTold and refusalsWindow bound the lines about refused logins of one user
// for one reason.
const (
	refusalsTold   = 5
	refusalsWindow = 10 * time.Second
)

// tellRefusal logs that a login is not let in. event is put before the verdict.
func (e *Engine) tellRefusal(j *job, event string, r result) {
	if !e.journal.shows(Info) {
		return
	}
	user := clip(j.name)
	kind := fmt.Sprintf("user %s: %s%s", user, event, r.verdict)
	if r.verdict != Unavailable { // whose reason may be another each time
		kind += ", " + r.why
	}
	e.refusals.logf(kind, "user %s, client %s%s: %s%s, %s", user, clip(j.clientID), j.from(), event, r.verdict, r.why)
}
