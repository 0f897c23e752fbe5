package plugin

import (
	"container/heap"
	"time"
)

// due is a user with clients, and when the rights are to be fetched again.
type due struct {
	name string
	at   time.Time
}

// dues are the users to be looked at again, the soonest first. A user may be in
// it more than once: only the entry that fits the profile's time counts. It
// implements heap.Interface.
type dues []due

func (d dues) Len() int           { return len(d) }
func (d dues) Less(i, j int) bool { return d[i].at.Before(d[j].at) }
func (d dues) Swap(i, j int)      { d[i], d[j] = d[j], d[i] }

// Push implements heap.Interface.
func (d *dues) Push(x any) { *d = append(*d, x.(due)) }

// Pop implements heap.Interface.
func (d *dues) Pop() any {
	last := (*d)[len(*d)-1]
	*d = (*d)[:len(*d)-1]
	return last
}

// refreshes say when whose rights are to be fetched again.
type refreshes struct {
	dues     dues
	pace     pace
	thorough pace // logins that fetch the rights, however young those are
	held     bool // the pace has put off some that are due
	spread   int  // see jitter
	timer    *time.Timer
	rings    time.Time // when the timer does
}

// thoroughRate is how many logins of users whose rights are young fetch them all
// the same, in a second and at once.
const thoroughRate = 20

func newRefreshes(rate int) refreshes {
	return refreshes{pace: newPace(rate), thorough: newPace(thoroughRate)}
}

func (r *refreshes) stop() {
	if r.timer != nil {
		r.timer.Stop()
	}
}

// pace lets so many things happen a second, on the average and at once.
type pace struct {
	rate  float64
	left  float64
	since time.Time
}

func newPace(rate int) pace {
	return pace{rate: float64(rate), left: float64(rate), since: time.Now()}
}

func (p *pace) take(now time.Time) bool {
	p.left = min(p.left+now.Sub(p.since).Seconds()*p.rate, p.rate)
	p.since = now
	if p.left < 1 {
		return false
	}
	p.left--
	return true
}

// watch has a user's rights looked at again in time even if no ACL check asks
// for them: a client that only listens must not outlive its account.
func (e *Engine) watch(p *profile) {
	if len(e.sessions.byName[p.name]) == 0 || e.work.chain.inMemory(p.name) {
		return
	}
	heap.Push(&e.dues, due{p.name, p.next})
	e.setTimer()
}

// refreshDue fetches the rights that are due again, as far as the pace and the
// time of one turn allow.
func (e *Engine) refreshDue() {
	held := false
	for now := time.Now(); len(e.dues) > 0 && !e.dues[0].at.After(now) && time.Since(now) <= turnTime; {
		p := e.profiles[e.dues[0].name]
		clientID, in := e.sessions.any(e.dues[0].name)
		if p == nil || p.next.After(now) || !in {
			heap.Pop(&e.dues)
			continue
		}
		if held = !e.pace.take(now); held {
			break
		}
		heap.Pop(&e.dues)
		e.refresh(p, clientID)
	}
	if held && !e.held {
		e.counts.Postponed.Add(1)
	}
	e.held = held
	e.setTimer()
}

// refresh has a profile fetched again. The old one answers until the new one
// has come.
func (e *Engine) refresh(p *profile, clientID string) {
	p.checked = time.Now()
	e.publish(p, time.Now()) // ends what is too old, and sets the time for another try
	if e.fetchProfile(p.name, clientID, true) == nil {
		e.postpone(p)
	}
}

// postpone lets the old rights answer for another second.
func (e *Engine) postpone(p *profile) {
	e.counts.Postponed.Add(1)
	p.next = time.Now().Add(time.Second)
	e.show(p)
	e.watch(p)
}

// timerGap is the least time between two wake-ups of the broker for refreshes.
const timerGap = 250 * time.Millisecond

// setTimer has Tick called when the next refresh is due.
func (e *Engine) setTimer() {
	if len(e.dues) == 0 {
		return
	}
	now := time.Now()
	at := e.dues[0].at
	if soonest := now.Add(timerGap); at.Before(soonest) {
		at = soonest
	}
	if e.timer != nil && e.rings.After(now) && !at.Before(e.rings) {
		return
	}
	if e.timer != nil {
		e.timer.Stop()
	}
	e.rings = at
	e.timer = time.AfterFunc(at.Sub(now), e.alarm.ring)
}

// jitter spreads refreshes over a tenth of the time between them.
func (e *Engine) jitter() time.Duration {
	if e.o.refresh < 10*time.Second {
		return 0
	}
	e.spread = (e.spread + 7) % 97
	return e.o.refresh / 10 * time.Duration(e.spread) / 97
}
