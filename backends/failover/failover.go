// Package failover finds the server to be used among several that hold the same.
// It knows no protocol: what connects to a server brings that.
package failover

import (
	"cmp"
	"context"
	"strings"
	"sync"
	"time"
)

const (
	// Patience is how long a server may keep us waiting before another is asked
	// too.
	Patience = 500 * time.Millisecond

	// LookAgain is how long after a fail-over the servers before the present one
	// are tried again.
	LookAgain = 5 * time.Second
)

// Servers makes connections to the first of several servers that lets us in. It
// begins with the one that did so last, so that a dead server costs something
// once. The servers before that one are tried again in the background while there
// is work to do; once one of them answers, the connections move back to it. The
// fields are set before it is used; then it may be used from any goroutine.
type Servers[C any] struct {
	Count  int
	Closed context.Context // ends the search for a better server

	// These are called in goroutines, and must not panic.
	Connect func(ctx context.Context, server int) (C, error)
	Discard func(C)                                             // a connection over which nothing was asked
	Answers func(ctx context.Context, server int) error         // nil if the server can be used again
	Waits   func(ctx context.Context, server int) time.Duration // until another is asked too; nil stands for Patience

	mu      sync.Mutex
	again   time.Duration // 0 stands for LookAgain
	current int           // the server that connections are made to
	looked  time.Time     // when those before it were last tried
	looking bool
}

// attempt is what came of asking a server for a connection.
type attempt[C any] struct {
	server int
	conn   C
	err    error
}

// Several tells whether another server can stand in for one that fails.
func (s *Servers[C]) Several() bool { return s.Count > 1 }

// Race makes a connection, and tells to which server. One that does not answer in
// the time it has stays in the race: it may only be slow. The error holds those of
// all servers that were asked, in one line.
func (s *Servers[C]) Race(ctx context.Context) (c C, server int, err error) {
	order, asked := s.order(), 0
	answers := make(chan attempt[C], len(order)) // has room, so that nobody waits for us
	var impatient <-chan time.Time
	ask := func() {
		i := order[asked]
		asked++
		go func() {
			c, err := s.Connect(ctx, i)
			answers <- attempt[C]{i, c, err}
		}()
		impatient = nil
		if asked < len(order) {
			impatient = time.After(s.waits(ctx, i))
		}
	}
	var errs []error
	for ask(); len(errs) < asked; {
		select {
		case <-impatient:
			ask()
		case a := <-answers:
			if a.err == nil {
				go s.discard(answers, asked-len(errs)-1)
				s.use(a.server)
				return a.conn, a.server, nil
			}
			if errs = append(errs, a.err); asked < len(order) {
				ask()
			}
		}
	}
	return c, 0, joined(errs)
}

func (s *Servers[C]) waits(ctx context.Context, server int) time.Duration {
	if s.Waits == nil {
		return Patience
	}
	return s.Waits(ctx, server)
}

// joined are the errors of all servers, in one line.
type joined []error

func (j joined) Error() string {
	texts := make([]string, len(j))
	for i, err := range j {
		texts[i] = err.Error()
	}
	return strings.Join(texts, "; ")
}

func (j joined) Unwrap() []error { return j }

// discard closes the connections of so many servers that lost the race.
func (s *Servers[C]) discard(answers <-chan attempt[C], n int) {
	for range n {
		if a := <-answers; a.err == nil {
			s.Discard(a.conn)
		}
	}
}

// order is the servers as they are to be asked: the current one first.
func (s *Servers[C]) order() []int {
	s.mu.Lock()
	defer s.mu.Unlock()
	order := []int{s.current}
	for i := range s.Count {
		if i != s.current {
			order = append(order, i)
		}
	}
	return order
}

// LookAfter replaces LookAgain.
func (s *Servers[C]) LookAfter(pause time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.again = pause
}

// Current is the server that connections are made to.
func (s *Servers[C]) Current() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current
}

// use makes a server the current one.
func (s *Servers[C]) use(server int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current != server {
		s.current, s.looked = server, time.Now()
	}
}

// Uses tells whether a server is the current one. Where it is time, it has those
// before it tried again.
func (s *Servers[C]) Uses(server int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current > 0 && !s.looking && time.Since(s.looked) >= cmp.Or(s.again, LookAgain) && s.Closed.Err() == nil {
		s.looking = true
		go s.look(s.current)
	}
	return s.current == server
}

// Suspect leaves a server that let us in and then did not answer.
func (s *Servers[C]) Suspect(server int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current == server && s.Several() {
		s.current, s.looked = (server+1)%s.Count, time.Now()
	}
}

// look tries the servers before the given one. Nobody waits for it.
func (s *Servers[C]) look(before int) {
	found := before
	for i := range before {
		if s.Answers(s.Closed, i) == nil {
			found = i
			break
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.looking, s.looked = false, time.Now()
	s.current = min(s.current, found)
}
