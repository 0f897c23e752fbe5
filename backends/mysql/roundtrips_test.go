package mysql

import (
	"net"
	"sync/atomic"
	"testing"
	"time"

	"mosquitto-go-auth/backends"
)

// meter is a listener before a server that counts how often a client speaks
// after it was spoken to: the round trips. Each direction counts under one lock
// with the other, as bytes are passed on.
type meter struct {
	addr  string
	turns atomic.Int64
}

func newMeter(t *testing.T, server string) *meter {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	m := &meter{addr: l.Addr().String()}
	go func() {
		for c, err := l.Accept(); err == nil; c, err = l.Accept() {
			up, err := net.Dial("tcp", server)
			if err != nil {
				c.Close()
				continue
			}
			var ours atomic.Bool // the client spoke last
			go m.pass(c, up, func() { ours.Store(false) })
			go m.pass(up, c, func() {
				if !ours.Swap(true) {
					m.turns.Add(1)
				}
			})
		}
	}()
	return m
}

func (m *meter) pass(to, from net.Conn, note func()) {
	defer to.Close()
	defer from.Close()
	buffer := make([]byte, 1<<16)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		note()
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// An answer costs one round trip for each statement. Preparing costs one more
// on each connection, and that two for the log-in and one for SET NAMES.
func TestRoundTripsOnTheWire(t *testing.T) {
	s := newServer(t)
	mustExec(t, s.db, goAuth...)
	tests := []struct {
		name       string
		options    []string
		statements int64
	}{
		{"password", []string{goAuthUser}, 1},
		{"password, superuser, bit mask", []string{goAuthUser, goAuthSuper, bitMask}, 3},
		{"mosquitto-go-auth", []string{goAuthUser, goAuthSuper, goAuthACL}, 5},
		{"mosquitto-auth-plug", []string{plugUser, plugSuper, plugACL}, 5},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := newMeter(t, s.config.Addr)
			b := s.open(t, append(tt.options, "mysql_host "+m.addr, "mysql_max_open_conns 1")...)
			user(t, b, "rw")
			first := m.turns.Load()
			if most := 3 + 2*tt.statements; first > most {
				t.Errorf("the first answer took %d round trips, want %d at most", first, most)
			}
			for range 10 {
				user(t, b, "rw")
			}
			if n := m.turns.Load() - first; n != 10*tt.statements {
				t.Errorf("ten answers took %d round trips, want %d", n, 10*tt.statements)
			}
		})
	}
}

// Where the pool is full of connections, each is prepared once, however the
// answers fall on them.
func TestRoundTripsOfAPool(t *testing.T) {
	s := newServer(t)
	mustExec(t, s.db, goAuth...)
	m := newMeter(t, s.config.Addr)
	b := s.open(t, goAuthUser, "mysql_host "+m.addr, "mysql_max_open_conns 4")
	done := make(chan error)
	for range 4 {
		go func() {
			var err error
			for range 100 {
				if _, e := b.User(ctxOf(t), backends.Lookup{Name: "rw"}); e != nil {
					err = e
				}
			}
			done <- err
		}()
	}
	for range 4 {
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(10 * time.Second):
			t.Fatal("no answer")
		}
	}
	if n, most := m.turns.Load(), int64(400+4*(3+1)); n > most {
		t.Errorf("400 answers on 4 connections took %d round trips, want %d at most", n, most)
	}
}
