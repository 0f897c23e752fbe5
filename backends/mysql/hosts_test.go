package mysql

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"mosquitto-go-auth/backends"
	"mosquitto-go-auth/test/port"
	"mosquitto-go-auth/test/stall"
)

// pair is two servers that tell which of them answered, and a backend that asks
// the first while it can.
type pair struct {
	one, two *server
	backend  backends.Opened
	hosts    *hosts
}

func TestHosts(t *testing.T) {
	one, two := durable(t), durable(t)
	for hash, s := range map[string]*server{"one": one, "two": two} {
		s.Exec(t, "CREATE DATABASE mqtt", "CREATE TABLE mqtt.u (n VARBINARY(50), h TEXT)", "INSERT INTO mqtt.u VALUES ('sam', '"+hash+"')")
	}
	t.Run("first is stopped at the start", func(t *testing.T) { testFirstHostIsStoppedAtStart(t, newPair(t, one, two)) })
	t.Run("stopped", func(t *testing.T) { testHostIsStopped(t, newPair(t, one, two)) })
	t.Run("killed", func(t *testing.T) { testHostIsKilled(t, newPair(t, one, two)) })
}

func newPair(t *testing.T, one, two *server) *pair {
	p := &pair{one: one, two: two}
	p.backend = open(t, fmt.Sprintf("mysql_host 127.0.0.1, 127.0.0.1:%d\nmysql_port %d\nmysql_dbname mqtt\nmysql_user root\n"+
		"mysql_userquery SELECT h FROM u WHERE n = ?\n", p.two.Port(), p.one.Port()))
	p.hosts = p.backend.Backend.(*MySQL).pool.hosts
	p.hosts.LookAfter(100 * time.Millisecond)
	return p
}

// answers waits until a server answers, and returns how long the slowest
// question took. Every one must be answered by one of the two.
func (p *pair) answers(t *testing.T, want string) (slowest time.Duration) {
	t.Helper()
	for ctx := ctxOf(t); ctx.Err() == nil; {
		clock := stall.Start()
		got := user(t, p.backend, "sam").Hash
		slowest = max(slowest, clock.Took())
		if got == want {
			return slowest
		}
	}
	t.Fatalf("server %s does not answer", want)
	return 0
}

// within is for answers that wait for no dead host.
func within(t *testing.T, limit time.Duration, what string, took time.Duration) {
	t.Helper()
	t.Logf("%s: %v", what, took.Round(time.Millisecond))
	if took > limit {
		t.Errorf("%s took %v, want %v at most", what, took, limit)
	}
}

func testHostIsKilled(t *testing.T, p *pair) {
	p.answers(t, "one")
	p.one.Kill(t)
	within(t, time.Second, "the first answer after the kill", p.answers(t, "two"))
	p.one.Restart(t)
	within(t, time.Second, "the slowest answer on the way back", p.answers(t, "one"))
	p.one.Kill(t)
	p.answers(t, "two")
	p.two.Kill(t)
	_, err := p.backend.User(ctxOf(t), backends.Lookup{Name: "sam"})
	for _, want := range []string{fmt.Sprint("127.0.0.1:", p.one.Port(), ": "), fmt.Sprint("127.0.0.1:", p.two.Port(), ": ")} {
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("error %v, want it to name %s", err, want)
		}
	}
	p.two.Restart(t)
	p.answers(t, "two")
}

// A host that takes connections and says nothing costs half of the time of the
// first question that it lets down, and nothing from then on.
func testHostIsStopped(t *testing.T, p *pair) {
	p.answers(t, "one")
	p.one.Pause(t)
	defer p.one.Continue(t)
	ask := func(limit time.Duration) (time.Duration, error) {
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		defer cancel()
		clock := stall.Start()
		a, err := p.backend.User(ctx, backends.Lookup{Name: "sam"})
		if err == nil && a.Hash != "two" {
			err = errors.New("a stopped server answers")
		}
		return clock.Took(), err
	}
	took, err := ask(4 * time.Second)
	if err != nil {
		t.Fatal(err)
	}
	within(t, 3*time.Second, "the first answer", took)
	for range 20 {
		took, err := ask(4 * time.Second)
		if err != nil || took > patience {
			t.Errorf("another answer took %v: %v", took, err)
		}
	}
	p.one.Continue(t)
	within(t, time.Second, "the slowest answer on the way back", p.answers(t, "one"))
}

// A stopped host costs a new backend no more than its patience.
func testFirstHostIsStoppedAtStart(t *testing.T, p *pair) {
	p.one.Pause(t)
	defer p.one.Continue(t)
	within(t, patience+500*time.Millisecond, "the first answer", p.answers(t, "two"))
}

// A server that is slow to let us in is not taken for dead where no other
// answers.
func TestSlowHost(t *testing.T) {
	s := newServer(t)
	mustExec(t, s.db, "CREATE TABLE u (n VARBINARY(50), h TEXT)", "INSERT INTO u VALUES ('sam', 'h')")
	b := open(t, s.options()+fmt.Sprintf("mysql_host %s, %s\nmysql_userquery SELECT h FROM u WHERE n = ?", slowly(t, s, 2*patience), deadAddress(t)))
	fetches(t, b, "")
}

// slowly is an address of the server at which it takes a while to let us in.
func slowly(t *testing.T, s *server, while time.Duration) net.Addr {
	slow, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { slow.Close() })
	go func() {
		for c, err := slow.Accept(); err == nil; c, err = slow.Accept() {
			time.AfterFunc(while, func() {
				up, err := net.Dial("tcp", s.config.Addr)
				if err != nil {
					c.Close()
					return
				}
				go pipe(c, up)
				pipe(up, c)
			})
		}
	}()
	return slow.Addr()
}

// A first host behind a slow link loses the first race, and is used all the same
// once it was looked for.
func TestSlowHostTakesBack(t *testing.T) {
	s := newServer(t)
	s.fill(t)
	first := slowly(t, s, patience*5/4)
	b := open(t, s.options()+fmt.Sprintf("mysql_host %s, %s\n%s", first, s.config.Addr, samQuery))
	hosts := b.Backend.(*MySQL).pool.hosts
	hosts.LookAfter(10 * time.Millisecond)
	p := &pair{backend: b, hosts: hosts}
	p.answersFrom(t, 1)
	p.answersFrom(t, 0)
	for range 20 { // and it stays there
		user(t, b, "sam")
	}
	if !hosts.Uses(0) {
		t.Error("the connections have left the first host again")
	}
}

// answersFrom waits until the connections are made to a host.
func (p *pair) answersFrom(t *testing.T, host int) {
	t.Helper()
	for ctx := ctxOf(t); ctx.Err() == nil; {
		user(t, p.backend, "sam")
		if p.hosts.Uses(host) {
			user(t, p.backend, "sam") // over a new connection, if need be
			if p.hosts.Uses(host) {
				return
			}
		}
	}
	t.Fatalf("host %d is not used", host)
}

// deadAddress is one that refuses connections.
func deadAddress(t *testing.T) string { return fmt.Sprint("127.0.0.1:", port.Free(t)) }

// The check names the host that does not answer, though another one does.
func TestProbeOfHosts(t *testing.T) {
	s := newServer(t)
	mustExec(t, s.db, "CREATE TABLE u (n VARBINARY(50), h TEXT)")
	dead := deadAddress(t)
	b := open(t, s.options()+fmt.Sprintf("mysql_host %s, %s\nmysql_userquery SELECT h FROM u WHERE n = ?", dead, s.config.Addr))
	checkNotes(t, b, "", "a host of mysql_host does not answer: "+dead+": dial tcp")
}

func TestAddresses(t *testing.T) {
	tests := []struct{ text, want string }{
		{"db", "db:3306"},
		{" db1 ,db2:3307", "db1:3306 db2:3307"},
		{"127.0.0.1:1", "127.0.0.1:1"},
		{"::1", "[::1]:3306"},
		{"[::1], [fe80::1%eth0]:3307", "[::1]:3306 [fe80::1%eth0]:3307"},
		{"db1,,db2", "fault"},
		{"db1,", "fault"},
		{"db:0", "fault"},
		{"db:65536", "fault"},
		{"db:mysql", "fault"},
		{"db:", "fault"},
		{":3306", "fault"},
		{"[::1", "fault"},
		{"[]", "fault"},
		{"[", "fault"},
		{"root@db", "fault"},
		{"db/mqtt", "fault"},
		{"db1 db2", "fault"},
		{"[::1]x", "fault"},
	}
	for _, tt := range tests {
		o := options{host: tt.text, port: 3306, protocol: "tcp", set: newSet()}
		list, faults := o.addresses()
		got := strings.Join(list, " ")
		if faults != nil {
			got = "fault"
		}
		if got != tt.want {
			t.Errorf("%q: %s, want %s", tt.text, got, tt.want)
		}
	}
}

func FuzzAddresses(f *testing.F) {
	for _, text := range []string{"db", "a, b:1", "[::1]:3", "::1", "", ",", "[", "]", ":", "%"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		o := options{host: text, port: 3306, protocol: "tcp", set: newSet()}
		list, faults := o.addresses()
		for _, address := range list {
			host, _, err := net.SplitHostPort(address)
			if faults == nil && (err != nil || host == "") {
				t.Errorf("%q gives %q: %v", text, address, err)
			}
		}
	})
}
