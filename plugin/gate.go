package plugin

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
)

// Gate lets a limited number in at once. Those who wait are served in turn by
// their key, so that a flood from one address delays others by one place, not
// by its length; and those who come behind only when nobody else waits, or as
// every fourth. It is used by workers only, never on the broker's thread, but
// for Ahead.
type Gate struct {
	size int

	// For Ahead: how many wait in each lane, and with how many keys in the first.
	waits, waitBehind, keys atomic.Int64
	full                    atomic.Bool

	waited atomic.Int64 // how many had to

	mu     sync.Mutex
	inside int
	first  lane
	behind lane
	served int // since one from behind was
}

// lane is those who wait, by their keys.
type lane struct {
	queues map[string][]*waiter
	turn   []string // the keys that have a queue, in the order they are served
	waits  int      // those who have not gone
}

type waiter struct {
	entered chan struct{}
	lane    *lane
	gone    bool
}

// fairShare is how many enter before one from behind.
const fairShare = 3

// NewGate returns a gate for size at once, at least 1.
func NewGate(size int) *Gate {
	return &Gate{size: max(size, 1), first: newLane(), behind: newLane()}
}

// Size is how many may be in at once.
func (g *Gate) Size() int { return g.size }

func newLane() lane { return lane{queues: map[string][]*waiter{}} }

// Enter waits for a place until ctx ends, and returns its error then.
func (g *Gate) Enter(ctx context.Context, key string) error { return g.enter(ctx, &g.first, key) }

// EnterBehind is Enter for those who have to let others go first.
func (g *Gate) EnterBehind(ctx context.Context, key string) error {
	return g.enter(ctx, &g.behind, key)
}

func (g *Gate) enter(ctx context.Context, l *lane, key string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	g.mu.Lock()
	if g.inside < g.size {
		g.inside++
		g.tell()
		g.mu.Unlock()
		return nil
	}
	g.waited.Add(1)
	w := &waiter{entered: make(chan struct{})}
	l.join(key, w)
	g.tell()
	g.mu.Unlock()

	select {
	case <-w.entered:
		return nil
	case <-ctx.Done():
	}
	if g.giveUp(w) {
		g.Leave() // the place came at the same time: pass it on
	}
	return ctx.Err()
}

// giveUp takes away one who waits. It tells whether the place had come.
func (g *Gate) giveUp(w *waiter) (came bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-w.entered:
		return true
	default:
	}
	w.gone = true
	w.lane.waits--
	g.tell()
	return false
}

// tell updates what Ahead says.
func (g *Gate) tell() {
	g.waits.Store(int64(g.first.waits))
	g.waitBehind.Store(int64(g.behind.waits))
	g.keys.Store(int64(len(g.first.turn)))
	g.full.Store(g.inside == g.size)
}

// Leave gives the place to the next.
func (g *Gate) Leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	defer g.tell()
	if w := g.next(); w != nil {
		close(w.entered)
		return
	}
	g.inside--
}

// next takes the one whose turn it is, nil if nobody waits.
func (g *Gate) next() *waiter {
	lanes := [2]*lane{&g.first, &g.behind}
	if g.served >= fairShare {
		lanes[0], lanes[1] = lanes[1], lanes[0]
	}
	for _, l := range lanes {
		if w := l.next(); w != nil {
			g.served++
			if l == &g.behind {
				g.served = 0
			}
			return w
		}
	}
	return nil
}

// Demote puts those with a key who wait already behind the others.
func (g *Gate) Demote(key string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	q := g.first.queues[key]
	if len(q) == 0 {
		return
	}
	delete(g.first.queues, key)
	defer g.tell()
	g.first.turn = slices.DeleteFunc(g.first.turn, func(k string) bool { return k == key })
	for _, w := range q {
		if !w.gone {
			g.first.waits--
			g.behind.join(key, w)
		}
	}
}

func (l *lane) join(key string, w *waiter) {
	if len(l.queues[key]) == 0 {
		l.turn = append(l.turn, key)
	}
	l.queues[key] = append(l.queues[key], w)
	l.waits++
	w.lane = l
}

func (l *lane) next() *waiter {
	for len(l.turn) > 0 {
		key := l.turn[0]
		l.turn = l.turn[1:]
		q := l.queues[key]
		if len(q) == 1 {
			delete(l.queues, key)
		} else {
			l.queues[key] = q[1:]
			l.turn = append(l.turn, key)
		}
		if !q[0].gone {
			l.waits--
			return q[0]
		}
	}
	return nil
}

// Ahead is about how many rounds of work one who came now would wait for, with a key
// that so many who wait have already: half a one for those that are inside.
func (g *Gate) Ahead(behind bool, own int) float64 {
	waits := min(g.waits.Load(), g.keys.Load()*int64(own+1))
	if behind {
		waits = g.waits.Load() + g.waitBehind.Load()
	}
	rounds := float64(waits) / float64(g.size)
	if g.full.Load() {
		rounds += 0.5
	}
	return rounds
}
