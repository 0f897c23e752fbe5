package mysql

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"mosquitto-go-auth/backends/failover"
)

// patience is how long a host may keep us waiting before another is asked too.
const patience = failover.Patience

// hosts makes connections to the first of several hosts that lets us in.
type hosts struct {
	failover.Servers[*conn]
	list    []*host
	timeout time.Duration // for making a connection, with all hosts
	close   context.CancelFunc
}

func newHosts(list []*host, timeout time.Duration) *hosts {
	h := &hosts{list: list, timeout: timeout}
	h.Count = len(list)
	h.Closed, h.close = context.WithCancel(context.Background())
	h.Servers.Connect = func(ctx context.Context, i int) (*conn, error) { return list[i].connect(ctx) }
	h.Discard = func(c *conn) { _ = c.Close() } // the error is of no use
	h.Answers = h.answers
	h.Waits = h.waits
	return h
}

// Connect implements driver.Connector. database/sql also calls it where no
// caller's deadline holds.
func (h *hosts) Connect(ctx context.Context) (driver.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, h.timeout)
	defer cancel()
	c, i, err := h.Race(ctx)
	if err != nil {
		return nil, err
	}
	c.hosts, c.host = h, i
	return c, nil
}

// Driver implements driver.Connector.
func (h *hosts) Driver() driver.Driver { return h.list[0].client.Driver() }

// Close ends the search for a better host; database/sql calls it.
func (h *hosts) Close() error {
	h.close()
	return nil
}

// answers asks a host that was left. It has the time that it takes, since it may be
// behind a slow link; the connections that follow then grant it as much.
func (h *hosts) answers(ctx context.Context, i int) error {
	begun := time.Now()
	err := h.list[i].answers(ctx, h.timeout)
	if err == nil {
		h.list[i].pace.Store(int64(time.Since(begun)))
	}
	return err
}

// waits is how long a host may take to let us in before another is asked too:
// [patience], or twice as long as it last took, since it would never be used again
// if the next were always faster; but that no longer than half of the time there is.
func (h *hosts) waits(ctx context.Context, host int) time.Duration {
	end, _ := ctx.Deadline()
	pace := time.Duration(h.list[host].pace.Load())
	return max(patience, min(2*pace, time.Until(end)/2))
}

// absent returns a note of each host that does not answer, where one does.
func (h *hosts) absent(ctx context.Context) (notes []string) {
	if !h.Several() {
		return nil
	}
	for _, host := range h.list {
		if err := host.answers(ctx, h.timeout/time.Duration(len(h.list))); err != nil {
			notes = append(notes, "a host of mysql_host does not answer: "+err.Error())
		}
	}
	if len(notes) == len(h.list) {
		return nil // the questions to come say so
	}
	return notes
}

// hold is how long a host that refused us is left alone: logins that fail for
// our own wrong password must not become a storm of them at the server.
const hold = time.Second

// host is a server.
type host struct {
	name   string // in errors, "" if there is one host only
	client driver.Connector
	pace   atomic.Int64 // in which it last let us in and answered, in nanoseconds, if it was looked for

	mu      sync.Mutex
	refusal error
	refused time.Time
}

// connect makes a connection, unless the host refused one just now. A panic of
// the client library, for instance over what a broken server sent, is an error
// here: database/sql calls it in goroutines of its own.
func (h *host) connect(ctx context.Context) (c *conn, err error) {
	if err := h.held(); err != nil {
		return nil, err
	}
	d := &dialed{}
	defer func() {
		if recover() != nil {
			c, err = nil, errPanic
			d.close()
		}
		if err != nil {
			err = h.note(err)
		}
	}()
	made, err := h.client.Connect(context.WithValue(ctx, dialed{}, d))
	if err != nil {
		return nil, err
	}
	if d.Conn == nil {
		_ = made.Close() // the error that counts follows
		return nil, errors.New("the client library has not used our dialer")
	}
	return &conn{inner: made.(inner), line: d.Conn, statements: map[string]driver.Stmt{}}, nil
}

// dialed is the connection below that of the client library, which a panic of it
// leaves open. Its zero value is the key under which a context has it.
type dialed struct{ net.Conn }

func (d *dialed) close() {
	if d.Conn != nil {
		// The error that counts is known.
		_ = d.Close()
	}
}

// errPanic stands for a panic of the client library. What it was called with
// could hold a secret.
var errPanic = errors.New("the client library failed over what the server sent")

func (h *host) held() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if time.Since(h.refused) < hold {
		return h.refusal
	}
	return nil
}

// note remembers a refusal, and returns the error as operators should see it.
func (h *host) note(err error) error {
	c := &connectError{h.name, err}
	if refusal(err) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.refusal, h.refused = c, time.Now()
	}
	return c
}

// answers returns nil if the host answers a statement in time: a node of a cluster may
// let us in and then refuse all of them.
func (h *host) answers(ctx context.Context, within time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	c, err := h.connect(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := c.ask(ctx, "SELECT 1", nil, 1); err != nil {
		return &connectError{h.name, err}
	}
	return nil
}

// connectError is an error of the making of a connection.
type connectError struct {
	host string // "" if there is one only
	err  error
}

func (e *connectError) Error() string {
	if e.host == "" {
		return advise(e.err)
	}
	return fmt.Sprintf("%s: %s", e.host, advise(e.err))
}

func (e *connectError) Unwrap() error { return e.err }
