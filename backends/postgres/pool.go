package postgres

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"mosquitto-go-auth/backends/sqldb"
)

const (
	// retries is how often statements are asked again if their connection broke,
	// which for one that lay idle shows only then, or if they were in conflict with
	// another transaction. Asking twice does no harm.
	retries = 2

	// maxIdleTime is how long a connection may lie idle: less than the five
	// minutes after which many firewalls forget it.
	maxIdleTime = 3 * time.Minute
)

var errClosed = errors.New("the backend is closed")

// pool is a [sqldb.Batcher]. It sends statements in text form, parameters apart,
// without naming them, and leaves the types of the parameters to the server: all
// statements of an account are one round trip, the first time as well, and nothing
// is left behind in a session, so that a pooler may change the server's connection
// after each.
//
// It is not the client library's own pool, which makes connections where a panic
// ends the process, and keeps the place of one whose server hangs for 15 s.
type pool struct {
	hosts    *hosts
	lifeTime time.Duration // of a connection, 0 for no limit
	slots    chan struct{} // one is taken for each connection that is in use or being made
	closing  context.Context
	cancel   context.CancelFunc

	mu   sync.Mutex
	free []*conn // lie idle, the last used one last
}

func newPool(o *options) *pool {
	p := &pool{lifeTime: o.maxLifeTime, slots: make(chan struct{}, o.maxOpen)}
	p.closing, p.cancel = context.WithCancel(context.Background())
	return p
}

// close does not wait for statements that are under way, but breaks them off.
func (p *pool) close() {
	p.cancel()
	p.forget(func(*conn) bool { return true })
}

// Query asks a single question.
func (p *pool) Query(ctx context.Context, text string, args []any, limit int) (sqldb.Rows, error) {
	rows, err := p.Batch(ctx, []sqldb.Question{{Text: text, Args: args, Limit: limit}})
	if err != nil {
		return sqldb.Rows{}, err
	}
	return rows[0], nil
}

// Batch asks all questions in one round trip.
func (p *pool) Batch(ctx context.Context, questions []sqldb.Question) ([]sqldb.Rows, error) {
	for i, q := range questions {
		if !tellable(q.Args) {
			if i == 0 {
				return nil, sqldb.ErrNoMatch
			}
			rows, err := p.Batch(ctx, questions[:i])
			if err == nil {
				err = sqldb.ErrNoMatch
			}
			return rows, err
		}
	}
	rows, err := p.await(ctx, questions)
	if p.closing.Err() != nil && err != nil {
		return nil, errClosed
	}
	return rows, explain(err)
}

// tellable tells whether Postgres can be told the arguments: no text of its has
// a NUL.
func tellable(args []any) bool {
	for _, a := range args {
		if s, ok := a.(string); ok && strings.ContainsRune(s, 0) {
			return false
		}
	}
	return true
}

// await waits for answers as long as the caller can. What is under way then, a
// log-in or a statement, goes on for a while, as the next caller may need it.
func (p *pool) await(ctx context.Context, questions []sqldb.Question) ([]sqldb.Rows, error) {
	type outcome struct {
		rows []sqldb.Rows
		err  error
	}
	done := make(chan outcome, 1)
	go func() {
		rows, err := p.ask(ctx, questions)
		done <- outcome{rows, err}
	}()
	select {
	case o := <-done:
		return o.rows, o.err
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-p.closing.Done():
		return nil, errClosed
	}
}

// ask asks over a connection of the pool, once more if that may help.
func (p *pool) ask(ctx context.Context, questions []sqldb.Question) ([]sqldb.Rows, error) {
	select {
	case p.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-p.closing.Done():
		return nil, errClosed
	}
	defer func() { <-p.slots }()
	for n := 0; ; n++ {
		rows, again, err := p.once(ctx, questions)
		if !again || n == retries || ctx.Err() != nil {
			return rows, err
		}
	}
}

// once asks over one connection. again says that it may help to ask once more.
func (p *pool) once(ctx context.Context, questions []sqldb.Question) (rows []sqldb.Rows, again bool, err error) {
	c, err := p.take()
	if err != nil {
		return nil, false, err
	}
	if err := ctx.Err(); err != nil { // nobody waits any more
		p.keep(c)
		return nil, false, err
	}
	run, end := p.patient(ctx)
	defer end()
	rows, err = c.ask(run, questions)
	switch {
	case c.usable():
		p.keep(c)
		return rows, inConflict(err), err
	case run.Err() == nil: // the connection broke, and the others perhaps with it
		go c.ends()
		p.forget(func(other *conn) bool { return other.host == c.host })
		return rows, !c.broken, err
	case !c.ends() && p.closing.Err() == nil:
		p.hosts.Suspect(c.host)
		p.forget(func(other *conn) bool { return other.host == c.host })
	}
	return nil, false, err
}

// patient is a context for a statement. It outlives the caller's if the server
// has had less than [patience]: a connection must not be lost, and a server not
// be held for silent, because somebody was in a hurry.
func (p *pool) patient(ctx context.Context) (context.Context, context.CancelFunc) {
	run, end := context.WithCancel(p.closing)
	begun := time.Now()
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(patience-time.Since(begun), end) })
	return run, func() { stop(); end() }
}

// take returns a connection that lay idle, or makes one.
func (p *pool) take() (*conn, error) {
	for c := p.pop(); c != nil; c = p.pop() {
		if p.hosts.Uses(c.host) && !c.old() {
			return c, nil
		}
		go c.goodbye()
	}
	c, err := p.hosts.connect(p.closing)
	if err == nil && p.lifeTime > 0 {
		// Not all at once, if they were made so.
		c.until = time.Now().Add(p.lifeTime + rand.N(p.lifeTime/10+1))
	}
	return c, err
}

func (p *pool) pop() *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.free)
	if n == 0 {
		return nil
	}
	c := p.free[n-1]
	p.free = p.free[:n-1]
	c.idle.Stop()
	return c
}

// keep takes a connection back.
func (p *pool) keep(c *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closing.Err() != nil || c.old() || !p.hosts.Uses(c.host) {
		go c.goodbye()
		return
	}
	c.idle = time.AfterFunc(maxIdleTime, func() { p.forget(func(other *conn) bool { return other == c }) })
	p.free = append(p.free, c)
}

// forget closes such connections as lie idle.
func (p *pool) forget(such func(*conn) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free = slices.DeleteFunc(p.free, func(c *conn) bool {
		if such(c) {
			c.idle.Stop()
			go c.goodbye()
			return true
		}
		return false
	})
}
