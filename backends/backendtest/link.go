package backendtest

import (
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"

	"mosquitto-go-auth/test/port"
)

// Link is a line from a driver to a server, which a test can freeze, cut and
// take down. Its methods may be called from any goroutine.
type Link struct {
	server  string
	address string

	mu       sync.Mutex
	thawed   sync.Cond // or a connection was cut
	listener net.Listener
	frozen   bool
	held     int               // connections that have something on its way while it is frozen
	conns    map[net.Conn]bool // of both sides
}

// NewLink makes a link to a server that listens at host:port, or on a socket
// with a leading slash. It ends with the test.
func NewLink(t testing.TB, server string) *Link {
	t.Helper()
	l := &Link{server: server, address: fmt.Sprint("127.0.0.1:", port.Free(t)), conns: map[net.Conn]bool{}}
	l.thawed.L = &l.mu
	l.Up(t)
	t.Cleanup(func() { l.Thaw(); l.Down() })
	return l
}

// Address is where a driver finds the link: 127.0.0.1:port.
func (l *Link) Address() string { return l.address }

// Freeze stops what is on its way, as a server does that hangs. Connections are
// still accepted.
func (l *Link) Freeze() { l.freeze(true) }

// Thaw lets it go on.
func (l *Link) Thaw() { l.freeze(false) }

// holds tells whether it is frozen and something is on its way.
func (l *Link) holds() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.held > 0
}

func (l *Link) freeze(frozen bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.frozen = frozen
	l.thawed.Broadcast()
}

// Cut breaks all connections, as a restart of the server does.
func (l *Link) Cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.conns {
		c.Close()
	}
	clear(l.conns)
	l.thawed.Broadcast()
}

// Down breaks all connections and refuses others until Up.
func (l *Link) Down() {
	l.mu.Lock()
	if l.listener != nil {
		l.listener.Close()
		l.listener = nil
	}
	l.mu.Unlock()
	l.Cut()
}

// Up ends Down.
func (l *Link) Up(t testing.TB) {
	t.Helper()
	listener, err := net.Listen("tcp", l.address)
	if err != nil {
		t.Fatal(err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.listener = listener
	go l.accept(listener)
}

func (l *Link) accept(listener net.Listener) {
	for {
		near, err := listener.Accept()
		if err != nil {
			return
		}
		network := "tcp"
		if strings.HasPrefix(l.server, "/") {
			network = "unix"
		}
		far, err := net.Dial(network, l.server)
		if err != nil || !l.add(listener, near, far) {
			near.Close()
			continue
		}
		go l.pass(far, near)
		go l.pass(near, far)
	}
}

// add keeps a connection unless the link was taken down meanwhile.
func (l *Link) add(listener net.Listener, near, far net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.listener != listener {
		far.Close()
		return false
	}
	l.conns[near], l.conns[far] = true, true
	return true
}

// pass hands over what comes from one side until either side ends.
func (l *Link) pass(to, from net.Conn) {
	defer l.drop(to, from)
	buf := make([]byte, 1<<15)
	for {
		n, err := from.Read(buf)
		if n > 0 && l.wait(from) {
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// wait returns when nothing is frozen, or false when the connection was cut.
func (l *Link) wait(c net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held++
	for l.frozen && l.conns[c] {
		l.thawed.Wait()
	}
	l.held--
	return l.conns[c]
}

func (l *Link) drop(conns ...net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range conns {
		c.Close()
		delete(l.conns, c)
	}
	l.thawed.Broadcast()
}
