package plugin

import (
	"context"
	"sync"
	"sync/atomic"
)

// Gate lets a limited number in at once. Those who wait are served in turn by
// their key, so that a flood from one address delays others by one place, not
// by its length. It is used by workers only, never on the broker's thread, but
// for Ahead.
type Gate struct {
	size    int
	waiting atomic.Int64

	mu     sync.Mutex
	inside int
	queues map[string][]*waiter
	turn   []string // the keys that have a queue, in the order they are served
}

type waiter struct {
	entered chan struct{}
	gone    bool
}

// NewGate returns a gate for size at once, at least 1.
func NewGate(size int) *Gate {
	return &Gate{size: max(size, 1), queues: map[string][]*waiter{}}
}

// Enter waits for a place until ctx ends, and returns its error then.
func (g *Gate) Enter(ctx context.Context, key string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	g.mu.Lock()
	if g.inside < g.size {
		g.inside++
		g.mu.Unlock()
		return nil
	}
	w := &waiter{entered: make(chan struct{})}
	if len(g.queues[key]) == 0 {
		g.turn = append(g.turn, key)
	}
	g.queues[key] = append(g.queues[key], w)
	g.mu.Unlock()
	g.waiting.Add(1)
	defer g.waiting.Add(-1)

	select {
	case <-w.entered:
		return nil
	case <-ctx.Done():
	}
	g.mu.Lock()
	w.gone = true
	g.mu.Unlock()
	select {
	case <-w.entered: // the place came at the same time: pass it on
		g.Leave()
	default:
	}
	return ctx.Err()
}

// Leave gives the place to the next.
func (g *Gate) Leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for len(g.turn) > 0 {
		key := g.turn[0]
		g.turn = g.turn[1:]
		q := g.queues[key]
		w := q[0]
		if len(q) == 1 {
			delete(g.queues, key)
		} else {
			g.queues[key] = q[1:]
			g.turn = append(g.turn, key)
		}
		if !w.gone {
			close(w.entered)
			return
		}
	}
	g.inside--
}

// Ahead is how many rounds of work one who came now would wait for.
func (g *Gate) Ahead() int { return int(g.waiting.Load()) / g.size }
