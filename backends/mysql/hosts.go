package mysql

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"
)

// patience is how long a host may keep us waiting before another is asked too.
const patience = 500 * time.Millisecond

// lookAgain is how long after a fail-over the hosts before the present one are
// tried again.
const lookAgain = 5 * time.Second

// hosts makes connections to the first of several hosts that lets us in. It
// begins with the one that did so last, so that a dead host costs something
// once. The hosts before that one are tried again in the background while there
// is work to do; once one of them answers, the connections move back to it.
type hosts struct {
	list    []*host
	timeout time.Duration // for making a connection, with all hosts
	again   time.Duration // lookAgain
	closed  context.Context
	close   context.CancelFunc

	mu      sync.Mutex
	current int       // the host that connections are made to
	looked  time.Time // when those before it were last tried
	looking bool
}

func newHosts(list []*host, timeout time.Duration) *hosts {
	h := &hosts{list: list, timeout: timeout, again: lookAgain}
	h.closed, h.close = context.WithCancel(context.Background())
	return h
}

// several tells whether another host can stand in for one that fails.
func (h *hosts) several() bool { return len(h.list) > 1 }

// attempt is what came of asking a host for a connection.
type attempt struct {
	host int
	conn driver.Conn
	err  error
}

// Connect implements driver.Connector. database/sql also calls it where no
// caller's deadline holds. A host that does not answer in the time that it usually
// takes stays in the race: it may only be slow.
func (h *hosts) Connect(ctx context.Context) (driver.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, h.timeout)
	defer cancel()
	order, asked := h.order(), 0
	answers := make(chan attempt, len(order)) // has room, so that nobody waits for us
	var impatient <-chan time.Time
	ask := func() {
		i := order[asked]
		asked++
		go func() {
			c, err := h.list[i].connect(ctx)
			answers <- attempt{i, c, err}
		}()
		impatient = nil
		if asked < len(order) {
			impatient = time.After(h.waits(ctx, i))
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
				h.use(a.host)
				return &conn{inner: a.conn.(inner), hosts: h, host: a.host, statements: map[string]driver.Stmt{}}, nil
			}
			if errs = append(errs, a.err); asked < len(order) {
				ask()
			}
		}
	}
	return nil, joined(errs)
}

// joined are the errors of all hosts, in one line.
type joined []error

func (j joined) Error() string {
	texts := make([]string, len(j))
	for i, err := range j {
		texts[i] = err.Error()
	}
	return strings.Join(texts, "; ")
}

func (j joined) Unwrap() []error { return j }

// discard closes the connections of so many hosts that lost the race.
func discard(answers <-chan attempt, n int) {
	for range n {
		if a := <-answers; a.err == nil {
			// Nothing was asked over it.
			_ = a.conn.Close()
		}
	}
}

// Driver implements driver.Connector.
func (h *hosts) Driver() driver.Driver { return h.list[0].client.Driver() }

// Close ends the search for a better host; database/sql calls it.
func (h *hosts) Close() error {
	h.close()
	return nil
}

// order is the hosts as they are to be asked: the current one first.
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

// use makes a host the current one.
func (h *hosts) use(host int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.current != host {
		h.current, h.looked = host, time.Now()
	}
}

// uses tells whether a host is the current one. Where it is time, it has the
// hosts before it tried again.
func (h *hosts) uses(host int) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.current > 0 && !h.looking && time.Since(h.looked) >= h.again && h.closed.Err() == nil {
		h.looking = true
		go h.look(h.current)
	}
	return h.current == host
}

// suspect leaves a host that let us in and then did not answer.
func (h *hosts) suspect(host int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.current == host && h.several() {
		h.current, h.looked = (host+1)%len(h.list), time.Now()
	}
}

// look tries the hosts before the given one. Nobody waits for it, so that a host
// behind a slow link has the time that it takes; the connections that follow then
// grant it as much.
func (h *hosts) look(before int) {
	found := before
	var pace time.Duration
	for i := range before {
		begun := time.Now()
		if h.list[i].answers(h.closed, h.timeout) == nil {
			found, pace = i, time.Since(begun)
			break
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.looking, h.looked = false, time.Now()
	h.current = min(h.current, found)
	if found < before {
		h.list[found].pace = pace
	}
}

// waits is how long a host may take to let us in before another is asked too:
// [patience], or twice as long as it last took, since it would never be used again
// if the next were always faster; but that no longer than half of the time there is.
func (h *hosts) waits(ctx context.Context, host int) time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	end, _ := ctx.Deadline()
	return max(patience, min(2*h.list[host].pace, time.Until(end)/2))
}

// absent returns a note of each host that does not answer, where one does.
func (h *hosts) absent(ctx context.Context) (notes []string) {
	if !h.several() {
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
	pace   time.Duration // in which it last let us in and answered, if it was looked for; guarded by hosts.mu

	mu      sync.Mutex
	refusal error
	refused time.Time
}

// connect makes a connection, unless the host refused one just now. A panic of
// the client library, for instance over what a broken server sent, is an error
// here: database/sql calls it in goroutines of its own.
func (h *host) connect(ctx context.Context) (c driver.Conn, err error) {
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
	return h.client.Connect(context.WithValue(ctx, dialed{}, d))
}

// dialed is what a panic of the client library leaves open. Its zero value is
// the key under which a context has it.
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
	alone := &conn{inner: c.(inner), statements: map[string]driver.Stmt{}}
	defer alone.Close()
	rows, err := alone.ask(ctx, "SELECT 1", nil)
	if err != nil {
		return &connectError{h.name, err}
	}
	return rows.Close()
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
