package postgres

import (
	"context"
	"crypto/tls"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

const (
	// patience is how long a server may keep us waiting before another is asked
	// too, and how long a statement may run that nobody waits for any more.
	patience = 500 * time.Millisecond

	// lookAgain is how long after a fail-over the servers before the present one
	// are tried again.
	lookAgain = 5 * time.Second

	// refusedFor is how long a server that did not accept our user name or password
	// is not asked again, so that a storm of logins is none on its log.
	refusedFor = time.Second
)

// hosts makes connections to the first of several servers that lets us in. It
// begins with the one that did so last, so that a dead server costs something
// once. The servers before that one are tried again in the background while there
// is work to do; once one of them lets us in, the connections move back to it. It
// may be used from any goroutine.
type hosts struct {
	list   []*candidate
	again  time.Duration // lookAgain
	closed context.Context

	mu      sync.Mutex
	current int       // the candidate that connections are made to
	looked  time.Time // when those before it were last tried
	looking bool
}

func newHosts(closed context.Context, list []*candidate) *hosts {
	return &hosts{list: list, again: lookAgain, closed: closed}
}

// attempt is what came of asking a candidate for a connection.
type attempt struct {
	conn *conn
	err  error
}

// connect makes a connection. A candidate that does not answer within [patience]
// stays in the race: it may only be slow.
func (h *hosts) connect(ctx context.Context) (*conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	order, asked := h.order(), 0
	answers := make(chan attempt, len(order)) // has room, so that nobody waits for us
	var impatient <-chan time.Time
	ask := func() {
		i := order[asked]
		asked++
		go func() {
			c, err := h.list[i].connect(ctx, i)
			answers <- attempt{c, err}
		}()
		impatient = nil
		if asked < len(order) {
			impatient = time.After(patience)
		}
	}
	var errs []error
	for ask(); len(errs) < asked; {
		select {
		case <-impatient:
			ask()
		case a := <-answers:
			if a.err == nil {
				go discard(answers, asked-len(errs)-1)
				h.use(a.conn.host)
				return a.conn, nil
			}
			if errs = append(errs, a.err); asked < len(order) {
				ask()
			}
		}
	}
	return nil, joined(errs)
}

// joined are the errors of all candidates.
type joined []error

func (j joined) Error() string {
	texts := make([]string, len(j))
	for i, err := range j {
		texts[i] = err.Error()
	}
	return strings.Join(texts, "; ")
}

func (j joined) Unwrap() []error { return j }

// discard closes the connections of so many candidates that lost the race.
func discard(answers <-chan attempt, n int) {
	for range n {
		if a := <-answers; a.err == nil {
			a.conn.goodbye()
		}
	}
}

// order is the candidates as they are to be asked: the current one first.
func (h *hosts) order() []int {
	h.mu.Lock()
	defer h.mu.Unlock()
	order := []int{h.current}
	for i := range h.list {
		if i != h.current {
			order = append(order, i)
		}
	}
	return order
}

// use makes a candidate the current one.
func (h *hosts) use(host int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.current != host {
		h.current, h.looked = host, time.Now()
	}
}

// uses tells whether a candidate is the current one. Where it is time, it has
// those before it tried again.
func (h *hosts) uses(host int) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.current > 0 && !h.looking && time.Since(h.looked) >= h.again && h.closed.Err() == nil {
		h.looking = true
		go h.look(h.current)
	}
	return h.current == host
}

// suspect leaves a server that let us in and then did not answer.
func (h *hosts) suspect(host int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.current == host {
		h.current, h.looked = (host+1)%len(h.list), time.Now()
	}
}

// look tries the candidates before the given one.
func (h *hosts) look(before int) {
	found := before
	for i := range before {
		if c, err := h.list[i].connect(h.closed, i); err == nil {
			c.goodbye()
			found = i
			break
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.looking, h.looked = false, time.Now()
	h.current = min(h.current, found)
}

// candidate is a server, and what it must be for us to use it.
type candidate struct {
	config *pgconn.Config

	mu      sync.Mutex
	refusal error // of our user name or password
	until   time.Time
}

// newCandidate is one to be reached in any of the given ways.
func newCandidate(template *pgconn.Config, s server, ways []*tls.Config, session string) *candidate {
	c := template.Copy()
	c.Host, c.Port, c.TLSConfig, c.Fallbacks = s.host, s.port, ways[0], nil
	for _, way := range ways[1:] {
		c.Fallbacks = append(c.Fallbacks, &pgconn.FallbackConfig{Host: s.host, Port: s.port, TLSConfig: way})
	}
	c.ValidateConnect = validate[session]
	return &candidate{config: c}
}

// errPanic stands for a panic of the client library. What it was called with
// could hold a secret.
var errPanic = errors.New("the client library failed over what the server sent")

// connect makes a connection, unless the server refused one just now. A panic of
// the client library, for instance over what a broken server sent, is an error.
func (c *candidate) connect(ctx context.Context, host int) (made *conn, err error) {
	if err := c.held(); err != nil {
		return nil, err
	}
	d := &dialed{}
	defer func() {
		if recover() == nil {
			return
		}
		if made, err = nil, errPanic; d.Conn != nil {
			d.Close()
		}
	}()
	library, err := pgconn.ConnectConfig(context.WithValue(ctx, dialed{}, d), c.config)
	if err != nil {
		c.note(err)
		return nil, err
	}
	return &conn{PgConn: library, network: d.Conn, host: host}, nil
}

func (c *candidate) held() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Now().Before(c.until) {
		return c.refusal
	}
	return nil
}

// note remembers that the server did not accept our user name or password.
func (c *candidate) note(err error) {
	if !refusesUs(err) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refusal, c.until = err, time.Now().Add(refusedFor)
}
