package postgres

import (
	"context"
	"crypto/tls"
	"errors"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"mosquitto-go-auth/backends/failover"
)

const (
	// patience is how long a server may keep us waiting before another is asked
	// too, and how long a statement may run that nobody waits for any more.
	patience = failover.Patience

	// refusedFor is how long a server that did not accept our user name or password
	// is not asked again, so that a storm of logins is none on its log.
	refusedFor = time.Second
)

// hosts makes connections to the first of several servers that lets us in.
type hosts struct{ failover.Servers[*conn] }

func newHosts(closed context.Context, list []*candidate) *hosts {
	h := &hosts{}
	h.Count, h.Closed = len(list), closed
	h.Connect = func(ctx context.Context, i int) (*conn, error) { return list[i].connect(ctx, i) }
	h.Discard = (*conn).goodbye
	h.Answers = func(ctx context.Context, i int) error {
		c, err := list[i].connect(ctx, i)
		if err == nil {
			c.goodbye()
		}
		return err
	}
	return h
}

// connect makes a connection.
func (h *hosts) connect(ctx context.Context) (*conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c, _, err := h.Race(ctx)
	return c, err
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
