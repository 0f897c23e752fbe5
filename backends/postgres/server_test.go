package postgres

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"mosquitto-go-auth/backends"
	"mosquitto-go-auth/conf"
	"mosquitto-go-auth/test/postgrestest"
	"mosquitto-go-auth/test/stall"
)

func TestMain(m *testing.M) { os.Exit(postgrestest.Main(m)) }

// load reads options, one to a line, and makes a backend of them.
func load(text string, checks backends.Checks) (backends.Opened, []conf.Remark, conf.Faults) {
	s := conf.NewSet()
	open := Driver.Declare(s)
	var lines []conf.Line
	for line := range strings.SplitSeq(text, "\n") {
		if key, value, _ := strings.Cut(line, " "); key != "" {
			lines = append(lines, conf.Line{Key: key, Value: value})
		}
	}
	s.Parse(lines)
	warnings, faults := s.Result()
	if len(faults) > 0 {
		return backends.Opened{}, warnings, faults
	}
	opened, err := open(checks)
	if err == nil {
		return opened, warnings, nil
	}
	faults, ok := err.(conf.Faults)
	if !ok {
		faults = conf.Faults{{Text: err.Error()}}
	}
	return opened, warnings, faults
}

func open(t testing.TB, options string) backends.Opened {
	t.Helper()
	opened, _, faults := load(options, backends.AllChecks)
	if faults != nil {
		t.Fatal(faults)
	}
	t.Cleanup(func() { opened.Close() })
	return opened
}

// store is a database of a test's own.
type store struct {
	*postgrestest.Server
	name string
}

func newStore(t testing.TB) store {
	t.Helper()
	s := postgrestest.Shared(t)
	return store{s, s.Database(t)}
}

func (s store) exec(t testing.TB, statements ...string) {
	t.Helper()
	s.Exec(t, s.name, statements...)
}

// options are those of the connection, in mosquitto-go-auth's names.
func (s store) options() string { return s.at(s.Host(), s.Port()) }

func (s store) at(host string, port int) string {
	text := fmt.Sprintf("pg_host %s\npg_port %d\npg_dbname %s\npg_user %s\npg_sslmode disable\n", host, port, s.name, s.User())
	if s.Password() != "" {
		text += "pg_password " + s.Password() + "\n"
	}
	return text
}

func (s store) open(t testing.TB, options ...string) backends.Opened {
	t.Helper()
	return open(t, s.options()+strings.Join(options, "\n"))
}

func within(t testing.TB, limit time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	t.Cleanup(cancel)
	return ctx
}

func ctxOf(t testing.TB) context.Context { return within(t, 10*time.Second) }

func user(t testing.TB, b backends.Backend, name string) backends.Account {
	t.Helper()
	a, err := b.User(ctxOf(t), backends.Lookup{Name: name, ClientID: "c1"})
	if err != nil {
		t.Fatalf("%.40q: %v", name, err)
	}
	return a
}

// down checks that the backend cannot answer, and says so.
func down(t testing.TB, b backends.Backend, name, text string) {
	t.Helper()
	_, err := b.User(within(t, 3*time.Second), backends.Lookup{Name: name})
	if err == nil || err == backends.ErrNoUser || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), text) {
		t.Errorf("error %v, want %q", err, text)
	}
}

// eventually tries until it works, which takes no longer than the limit on a machine
// that runs.
func eventually(t testing.TB, limit time.Duration, what string, works func() bool) {
	t.Helper()
	clock := stall.Start()
	for end := time.Now().Add(limit + testLimit); !works(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: never", what)
		}
	}
	if took := clock.Took(); took > limit {
		t.Errorf("%s: after %v, want %v at most", what, took, limit)
	}
}

// proxy stands between a backend and a server and can be cut.
type proxy struct {
	listener net.Listener
	mu       sync.Mutex
	conns    map[net.Conn]bool
	counted  int // messages that clients sent, as far as each was one segment
}

func newProxy(t testing.TB, to string) *proxy {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: listener, conns: map[net.Conn]bool{}}
	t.Cleanup(func() { listener.Close(); p.cut() })
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			p.join(client, to)
		}
	}()
	return p
}

func (p *proxy) port() int { return p.listener.Addr().(*net.TCPAddr).Port }

func (p *proxy) join(client net.Conn, to string) {
	up, err := net.Dial("tcp", to)
	if err != nil {
		client.Close()
		return
	}
	p.mu.Lock()
	p.conns[client], p.conns[up] = true, true
	p.mu.Unlock()
	go func() { io.Copy(client, up); client.Close(); up.Close() }()
	go p.up(up, client)
}

// up counts how often a client sends after it was sent something: round trips.
func (p *proxy) up(to, from net.Conn) {
	defer to.Close()
	defer from.Close()
	for buffer := make([]byte, 64<<10); ; {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		p.mu.Lock()
		p.counted++
		p.mu.Unlock()
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
	}
}

func (p *proxy) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.counted
}

// cut breaks all connections.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		c.Close()
	}
	clear(p.conns)
}

// testLimit is how long what needs no time may take on a busy machine.
const testLimit = 10 * time.Second
