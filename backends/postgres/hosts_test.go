package postgres

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"mosquitto-go-auth/backends"
	"mosquitto-go-auth/conf"
	"mosquitto-go-auth/test/postgrestest"
	"mosquitto-go-auth/test/stall"
)

// storm asks from twice as many goroutines as there are connections, each until
// it is answered, and returns how long that took. want is the answer, "" for any.
func storm(t *testing.T, b backends.Backend, want string) time.Duration {
	t.Helper()
	ctx := ctxOf(t)
	clock := stall.Start()
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			for {
				bounded, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
				a, err := b.User(bounded, backends.Lookup{Name: "sam"})
				cancel()
				switch {
				case err == nil && (a.Hash == want || want == ""):
					return
				case err == nil:
					t.Errorf("the hash is %q, want %q", a.Hash, want)
					return
				case ctx.Err() != nil:
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	return clock.Took()
}

// Of several servers the first that answers is asked, and again once it is back;
// one that is silent keeps nobody, though it had all connections.
func TestSeveralServers(t *testing.T) {
	one, two := own(t, postgrestest.Options{}), own(t, postgrestest.Options{})
	two.exec(t, "UPDATE u SET h = 'two'")
	options := lastOf(one.options() + ownQuery + fmt.Sprintf("pg_host 127.0.0.1, 127.0.0.1\npg_port %d, %d\npg_connect_timeout 1s", one.Port(), two.Port()))
	b := open(t, options).Backend
	b.(*Postgres).pool.hosts.LookAfter(200 * time.Millisecond)
	answers := func(want string) func() bool {
		return func() bool { return user(t, b, "sam").Hash == want }
	}
	eventually(t, testLimit, "the first server answers", answers("h"))
	one.Kill(t)
	eventually(t, testLimit, "the second server answers", answers("two"))
	one.Restart(t)
	eventually(t, testLimit, "the first server answers again", answers("h"))

	storm(t, b, "")
	eventually(t, testLimit, "the first server answers", answers("h"))
	one.Pause(t)
	if took := storm(t, b, "two"); took > 2*time.Second {
		t.Errorf("it took %v until the second server answered", took)
	}
	two.Pause(t)
	down(t, b, "sam", "")
	one.Continue(t)
	if took := storm(t, b, "h"); took > 2*time.Second {
		t.Errorf("it took %v until the first server answered again", took)
	}
}

// A server is not left because somebody was in a hurry, and neither is the
// connection lost.
func TestHurry(t *testing.T) {
	s := newStore(t)
	b := open(t, lastOf(s.options()+"pg_userquery SELECT pg_backend_pid()::text FROM pg_sleep(0.2) WHERE $1 <> ''\npg_max_open_conns 1\n"+
		fmt.Sprintf("pg_host %s, %s", s.Host(), s.Host()))).Backend
	first := user(t, b, "sam").Hash
	for range 3 {
		if _, err := b.User(within(t, 50*time.Millisecond), backends.Lookup{Name: "sam"}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
	}
	if now := user(t, b, "sam").Hash; now != first {
		t.Errorf("the connection is another one: %s, it was %s", now, first)
	}
	if n := b.(*Postgres).pool.hosts.Current(); n != 0 {
		t.Errorf("server %d is in use", n)
	}
}

// A statement that takes too long is broken off; that is no reason to leave the
// server.
func TestSlowStatement(t *testing.T) {
	s := newStore(t)
	b := open(t, lastOf(s.options()+"pg_userquery SELECT 'h' FROM pg_sleep(30) WHERE $1 <> ''\n"+
		fmt.Sprintf("pg_host %s, %s", s.Host(), s.Host()))).Backend
	if _, err := b.User(within(t, 600*time.Millisecond), backends.Lookup{Name: "sam"}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
	eventually(t, testLimit, "the statement ends", func() bool { return s.connections(t) == 0 })
	p := b.(*Postgres).pool
	eventually(t, testLimit, "its place is free", func() bool { return len(p.slots) == 0 })
	if n := p.hosts.Current(); n != 0 {
		t.Errorf("server %d is in use", n)
	}
}

// A standby breaks off statements that are in conflict with what it learns.
func TestConflict(t *testing.T) {
	s := newStore(t)
	for _, code := range []string{"40001", "40P01"} {
		s.exec(t, "DROP SEQUENCE IF EXISTS asked", "CREATE SEQUENCE asked",
			"CREATE OR REPLACE FUNCTION conflict() RETURNS text LANGUAGE plpgsql AS $$ BEGIN "+
				"IF nextval('asked') = 1 THEN RAISE EXCEPTION 'conflict' USING ERRCODE = '"+code+"'; END IF; RETURN 'h'; END $$")
		if a := user(t, s.open(t, "pg_userquery SELECT conflict() WHERE $1 <> ''"), "sam"); a.Hash != "h" {
			t.Errorf("%s: %+v", code, a)
		}
	}
}

// While a server that refused us is left alone, its refusal does not grow older
// by being told again.
func TestRefusalIsToldAgain(t *testing.T) {
	refusal := errors.New("refused")
	until := time.Now().Add(time.Minute)
	c := &candidate{refusal: refusal, until: until}
	for range 2 {
		if _, err := c.connect(t.Context(), 0); err != refusal {
			t.Errorf("error %v", err)
		}
	}
	if c.until != until {
		t.Error("it is left alone for longer")
	}
}

// A name server that swallows the questions holds nobody longer than the deadline
// says, and is asked anew by each connection.
func TestSilentNameServer(t *testing.T) {
	swallows, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer swallows.Close()
	o := declareOptions(conf.NewSet())
	o.hosts, o.dbname, o.user, o.userquery = []string{"db.example.org"}, "d", "u", "SELECT h FROM u WHERE n = $1"
	o.connectTimeout = 300 * time.Millisecond
	if err := swallows.SetReadDeadline(time.Now().Add(testLimit)); err != nil {
		t.Fatal(err)
	}
	o.nameServer = func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", swallows.LocalAddr().String())
	}
	b, err := o.open(backends.AllChecks)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	for range 3 {
		clock := stall.Start()
		_, err := b.User(within(t, 100*time.Millisecond), backends.Lookup{Name: "sam"})
		if took := clock.Took(); err == nil || errors.Is(err, backends.ErrNoUser) || took > 2*time.Second {
			t.Errorf("error %v after %v", err, took)
		}
		if _, _, err := swallows.ReadFrom(make([]byte, 512)); err != nil {
			t.Errorf("the name server was not asked: %v", err)
		}
	}
	eventually(t, testLimit, "its place is free", func() bool { return len(b.Backend.(*Postgres).pool.slots) == 0 })
}

// message is one of the protocol (version 3): a letter, the length, the rest.
func message(kind byte, rest string) string {
	return string(binary.BigEndian.AppendUint32([]byte{kind}, uint32(len(rest)+4))) + rest
}

// peer is a server that lets everybody in and answers each message with the given
// bytes.
func peer(t *testing.T, welcome, answer string) *net.TCPAddr {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for c, err := l.Accept(); err == nil; c, err = l.Accept() {
			go func() {
				defer c.Close()
				said := welcome
				for buf := make([]byte, 4096); ; said = answer {
					if _, err := c.Read(buf); err != nil {
						return
					}
					if _, err := io.WriteString(c, said); err != nil {
						return
					}
				}
			}()
		}
	}()
	return l.Addr().(*net.TCPAddr)
}

// What a broken or hostile server sends ends as an error; a panic of the client
// library too, in whose place the broker would end.
func TestBrokenServers(t *testing.T) {
	ready := message('Z', "I")
	in := message('R', "\x00\x00\x00\x00") + message('K', "\x00\x00\x00\x01\x00\x00\x00\x02") + ready
	column := "h\x00" + strings.Repeat("\x00", 6) + "\x00\x00\x00\x19\xff\xff\xff\xff\xff\xff\x00\x00"
	parsed := message('1', "") + message('2', "")
	tests := []struct{ name, options, welcome, answer, want string }{
		{"no row where one must be", "pg_target_session_attrs primary", in, message('C', "SELECT 0\x00") + ready, errPanic.Error()},
		{"no row for a read-only server", "pg_target_session_attrs read-only", in, message('C', "SHOW\x00") + ready, ""},
		{"noise", "", "HTTP/1.1 400 Bad Request\r\n\r\n", "", "failed to connect"},
		{"noise later", "", in, "HTTP/1.1 400 Bad Request\r\n\r\n", ""},
		{"an endless message", "", in, "D\xff\xff\xff\xff", ""},
		{"a large message", "", in, "D\x7f\xff\xff\xff", ""},
		{"an unfinished column", "", in, parsed + message('T', "\x00\x01h"), ""},
		{"many columns that are not there", "", in, parsed + message('T', "\xff\xff"), ""},
		{"a row with more than its columns", "", in, parsed + message('T', "\x00\x01"+column) + message('D', "\x00\x02\x00\x00\x00\x01a\x00\x00\x00\x01b") + message('C', "SELECT 1\x00") + ready, ""},
		{"a row with a column too long", "", in, parsed + message('T', "\x00\x01"+column) + message('D', "\x00\x01\x7f\xff\xff\xffa"), ""},
		{"a row without columns", "", in, parsed + message('D', "\x00\x01\x00\x00\x00\x01a") + message('C', "SELECT 1\x00") + ready, ""},
		{"an unknown way to log in", "", message('R', "\x00\x00\x00\x63"), "", "failed to connect"},
		{"SCRAM that is none", "", message('R', "\x00\x00\x00\x0aSCRAM-SHA-256\x00\x00"), message('R', "\x00\x00\x00\x0br=,s=,i="), "failed to connect"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			addr := peer(t, tt.welcome, tt.answer)
			b := open(t, fmt.Sprintf("pg_host 127.0.0.1\npg_port %d\npg_dbname d\npg_user u\npg_password s3cret\npg_sslmode disable\npg_connect_timeout 200ms\n%s%s",
				addr.Port, ownQuery, tt.options))
			for range 2 {
				_, err := b.User(within(t, 2*time.Second), backends.Lookup{Name: "sam"})
				if err == nil || errors.Is(err, backends.ErrNoUser) || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "s3cret") {
					t.Errorf("error %v, want %q", err, tt.want)
				}
			}
			p := b.Backend.(*Postgres).pool
			eventually(t, testLimit, "its place is free", func() bool { return len(p.slots) == 0 })
		})
	}
}
