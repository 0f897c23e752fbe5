package redis

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mosquitto-go-auth/backends"
	"mosquitto-go-auth/test/port"
	"mosquitto-go-auth/test/redistest"
	"mosquitto-go-auth/test/stall"
	"mosquitto-go-auth/test/tlstest"
)

// back is how soon there is service again after the server's return.
const back = 2 * time.Second

func ctxOf(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func open(t *testing.T, options string) backends.Opened {
	t.Helper()
	opened, _, faults := load(options, backends.AllChecks)
	if faults != nil {
		t.Fatal(faults)
	}
	t.Cleanup(func() { opened.Close() })
	return opened
}

// at are the options of a server; database 0.
func at(s *redistest.Server) string {
	return fmt.Sprintf("redis_host %s\nredis_port %d\nredis_db 0\n", s.Host(), s.Port())
}

func user(t *testing.T, b backends.Backend, name string) backends.Account {
	t.Helper()
	a, err := b.User(ctxOf(t), backends.Lookup{Name: name, ClientID: "c1"})
	if err != nil {
		t.Fatalf("%q: %v", name, err)
	}
	return a
}

// fails asks in vain, and within the time of ctx and a moment.
func fails(t *testing.T, b backends.Backend, timeout time.Duration) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	clock := stall.Start()
	a, err := b.User(ctx, backends.Lookup{Name: "ann"})
	took := clock.Took()
	if err == nil || errors.Is(err, backends.ErrNoUser) || errors.Is(err, backends.ErrBadAnswer) {
		t.Errorf("the server is away: %+v, %v", a, err)
	}
	if late := took - timeout; late > time.Second {
		t.Errorf("the answer came %v after the deadline", late)
	}
	return err
}

// returns waits until there is service.
func returns(t *testing.T, b backends.Backend, within time.Duration) {
	t.Helper()
	clock := stall.Start()
	redistest.WaitFor(t, "service", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		a, err := b.User(ctx, backends.Lookup{Name: "ann"})
		return err == nil && a.Hash == "h"
	})
	if took := clock.Took(); took > within {
		t.Errorf("service is back after %v, want %v", took, within)
	}
}

func TestOutages(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	s.Do(t, "SET", "ann", "h")
	s.Stop(t)
	b := open(t, at(s)+"redis_pool_size 3\n")
	for range 5 {
		fails(t, b, 5*time.Second)
	}
	s.Restart(t)
	returns(t, b, back)
	for range 2 {
		user(t, b, "ann")
		s.Kill(t)
		s.Restart(t) // between two questions
		user(t, b, "ann")
		s.Kill(t)
		for range 10 {
			fails(t, b, 5*time.Second)
		}
		s.Restart(t)
		returns(t, b, back)
	}
	s.Pause(t)
	for range 5 {
		fails(t, b, 100*time.Millisecond)
	}
	s.Continue(t)
	returns(t, b, back)
}

// A connection that the server cuts is replaced without a word, also one in
// mid-question.
func TestCut(t *testing.T) {
	s := redistest.Start(t)
	s.Do(t, "SET", "ann", "h")
	b := open(t, at(s))
	user(t, b, "ann")
	s.Do(t, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
	user(t, b, "ann")

	r := relayTo(t, s)
	b = open(t, fmt.Sprintf("redis_host 127.0.0.1\nredis_port %d\nredis_db 0\n", r.port()))
	user(t, b, "ann")
	r.swallow(true) // one question
	if a := user(t, b, "ann"); a.Hash != "h" || len(r.swallowed) != 1 {
		t.Errorf("cut in mid-question: %+v, %d questions", a, len(r.swallowed))
	}
}

func clients(t *testing.T, s *redistest.Server) string { return fmt.Sprint(s.Do(t, "CLIENT", "LIST")) }

// A question ends with its context, also where that is cancelled early.
func TestCancelled(t *testing.T) {
	s := redistest.Start(t)
	s.Do(t, "SET", "ann", "h")
	r := relayTo(t, s)
	b := open(t, fmt.Sprintf("redis_host 127.0.0.1\nredis_port %d\nredis_db 0\n", r.port()))
	user(t, b, "ann")
	r.swallow(false)
	ctx, cancel := context.WithCancel(ctxOf(t))
	failed := make(chan error, 1)
	go func() {
		_, err := b.User(ctx, backends.Lookup{Name: "ann"})
		failed <- err
	}()
	<-r.swallowed
	cancel()
	if err := <-failed; !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	user(t, b, "ann")
}

// relay stands between a backend and the server, and can swallow a question.
type relay struct {
	net.Listener
	server    string
	mode      atomic.Int32 // 1 swallows what comes next, 2 ends the connection then, too
	swallowed chan bool
}

func relayTo(t *testing.T, s *redistest.Server) *relay {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	r := &relay{Listener: l, server: s.Addr(), swallowed: make(chan bool, 10)}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go r.serve(c)
		}
	}()
	return r
}

func (r *relay) port() int { return r.Addr().(*net.TCPAddr).Port }

func (r *relay) swallow(cut bool) {
	r.mode.Store(1)
	if cut {
		r.mode.Store(2)
	}
}

func (r *relay) serve(c net.Conn) {
	defer c.Close()
	up, err := net.Dial("tcp", r.server)
	if err != nil {
		return
	}
	defer up.Close()
	go func() { io.Copy(c, up); c.Close() }()
	for buf := make([]byte, 64<<10); ; {
		n, err := c.Read(buf)
		if err != nil {
			return
		}
		switch r.mode.Swap(0) {
		case 0:
			up.Write(buf[:n])
		case 1:
			r.swallowed <- true
		case 2:
			r.swallowed <- true
			return
		}
	}
}

// More questions than connections wait for their turn, as long as their time
// allows.
func TestPool(t *testing.T) {
	s := redistest.Start(t)
	s.Do(t, "SET", "ann", "h")
	b := open(t, at(s)+"redis_pool_size 2\n")
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if a, err := b.User(ctxOf(t), backends.Lookup{Name: "ann"}); err != nil || a.Hash != "h" {
				t.Errorf("%+v, %v", a, err)
			}
		})
	}
	all.Wait()
	if n := strings.Count(clients(t, s), "db=0"); n > 4 { // ours, and the test's own
		t.Errorf("%d connections:\n%s", n, clients(t, s))
	}
	s.Pause(t)
	for range 10 {
		all.Go(func() { fails(t, b, 200*time.Millisecond) })
	}
	all.Wait()
	s.Continue(t)
	returns(t, b, back)
}

// What we are told of our own password says what to do, and does not show it.
func TestLogin(t *testing.T) {
	s := redistest.Start(t)
	s.Do(t, "SET", "p:ann", "h")
	s.Do(t, "ACL", "SETUSER", "reader", "on", ">s3cret", "~p:*", "+get", "+smembers", "+ping")
	s.Do(t, "ACL", "SETUSER", "blind", "on", ">s3cret", "~p:*", "+smembers")
	s.Do(t, "ACL", "SETUSER", "test", "on", ">own", "~*", "&*", "+@all")
	s.As("test", "own")
	s.Do(t, "ACL", "SETUSER", "default", "on", ">s3cret", "resetkeys", "~p:*", "-@all", "+get", "+smembers", "+select")
	const prefix = "redis_prefix p:\n"
	for _, tt := range []struct{ name, options, want string }{
		{"user", "redis_user reader\nredis_password s3cret\n", ""},
		{"default user", "redis_password s3cret\n", ""},
		{"default user, database", "redis_password s3cret\nredis_db 0\n", ""},
		{"wrong password", "redis_user reader\nredis_password s3cret1\n", "does not accept our own user and password, see redis_user"},
		{"wrong user", "redis_user nobody\nredis_password s3cret\n", "does not accept our own user and password"},
		{"no password", "", "does not accept our own user and password"},
		{"not allowed", "redis_user blind\nredis_password s3cret\n", "it needs +get +smembers +ping and the keys"},
		{"no database", "redis_user test\nredis_password own\nredis_db 99\n", "does not have so many databases, see redis_db"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			options := at(s) + prefix + tt.options
			if strings.Contains(tt.options, "redis_db") {
				options = strings.Replace(options, "redis_db 0\n", "", 1)
			}
			b := open(t, options)
			a, err := b.User(ctxOf(t), backends.Lookup{Name: "ann"})
			switch {
			case tt.want == "" && (err != nil || a.Hash != "h"):
				t.Errorf("%+v, %v", a, err)
			case tt.want == "":
			case err == nil || errors.Is(err, backends.ErrNoUser) || errors.Is(err, backends.ErrBadAnswer):
				t.Errorf("%+v, %v", a, err)
			case !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "s3cret"):
				t.Errorf("error %v, want %s", err, tt.want)
			}
		})
	}
}

// Nothing is left behind by logins that fail, whatever the reason.
func TestNothingLeaks(t *testing.T) {
	s := redistest.Start(t)
	s.Do(t, "SET", "ann", "h")
	b := open(t, at(s)+"redis_pool_size 4\n")
	user(t, b, "ann")
	before := runtime.NumGoroutine()
	for range 500 {
		if _, err := b.User(ctxOf(t), backends.Lookup{Name: "nobody"}); err != backends.ErrNoUser {
			t.Fatal(err)
		}
	}
	s.Kill(t)
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			for range 50 {
				fails(t, b, 5*time.Second)
			}
		})
	}
	all.Wait()
	s.Restart(t)
	returns(t, b, back)
	redistest.WaitFor(t, "the goroutines to end", func() bool { return runtime.NumGoroutine() <= before+2 })
	if n := strings.Count(clients(t, s), "db=0"); n > 6 {
		t.Errorf("%d connections", n)
	}
	b.Close()
	redistest.WaitFor(t, "the connections to end", func() bool { return strings.Count(clients(t, s), "db=0") <= 2 })
}

func TestClusterLosesMaster(t *testing.T) {
	t.Parallel()
	c := redistest.StartCluster(t, 3)
	for _, name := range []string{"ann", "bob", "cleo"} {
		c.Do(t, "SET", name, "h")
		c.Do(t, "SADD", name+":racls", "t/"+name)
	}
	lost := c.Owner(t, "ann")
	redistest.WaitFor(t, "the replica to have it all", func() bool {
		return c.Replicas[lost].Do(t, "DBSIZE") == c.Masters[lost].Do(t, "DBSIZE")
	})
	for _, from := range []string{"master", "replica"} {
		b := open(t, "redis_mode cluster\nredis_read_from "+from+"\nredis_connect_timeout 500ms\nredis_cluster_addresses "+c.Addresses())
		for _, name := range []string{"ann", "bob", "cleo"} {
			if a := user(t, b, name); a.Hash != "h" || len(a.Sections) != 1 || a.Sections[0][0].Pattern != "t/"+name {
				t.Errorf("%s: %+v", name, a)
			}
		}
	}
	b := open(t, "redis_mode cluster\nredis_connect_timeout 500ms\nredis_cluster_addresses "+c.Addresses())
	user(t, b, "ann")
	c.FailOverSoon(t)
	c.Masters[lost].Kill(t)
	fails(t, b, 300*time.Millisecond)
	redistest.WaitFor(t, "the replica's promotion", func() bool {
		return strings.Contains(fmt.Sprint(c.Replicas[lost].Do(t, "INFO", "replication")), "role:master")
	})
	returns(t, b, back)
}

func TestSentinelsFailOver(t *testing.T) {
	t.Parallel()
	w := redistest.StartWatched(t)
	w.Master.Do(t, "SET", "ann", "h")
	options := "redis_mode sentinel\nredis_db 0\nredis_sentinel_master mymaster\nredis_sentinel_addresses 127.0.0.1:1," + w.Addresses() + "\n"
	redistest.WaitFor(t, "the replica to have it", func() bool { return w.Replica.Do(t, "GET", "ann") == "h" })
	w.Replica.Do(t, "CONFIG", "RESETSTAT")
	replica := open(t, options+"redis_read_from replica\n")
	user(t, replica, "ann")
	if stats := fmt.Sprint(w.Replica.Do(t, "INFO", "commandstats")); !strings.Contains(stats, "cmdstat_smembers") {
		t.Errorf("the replica was not asked: %s", stats)
	}
	b := open(t, options)
	user(t, b, "ann")
	w.FailOverSoon(t)
	w.Sentinels[0].Kill(t)
	w.Master.Pause(t)
	fails(t, b, 100*time.Millisecond)
	redistest.WaitFor(t, "the replica's promotion", func() bool {
		return strings.Contains(fmt.Sprint(w.Replica.Do(t, "INFO", "replication")), "role:master")
	})
	for _, s := range w.Sentinels[1:] { // which tell each other of it every 2 s
		redistest.WaitFor(t, "a Sentinel to name the replica", func() bool {
			return strings.Contains(fmt.Sprint(s.Do(t, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", "mymaster")), strconv.Itoa(w.Replica.Port()))
		})
	}
	returns(t, b, back)
	w.Master.Continue(t)

	unknown := open(t, strings.Replace(options, "mymaster", "nosuch", 1))
	if err := fails(t, unknown, 5*time.Second); !strings.Contains(err.Error(), "see redis_sentinel_master") {
		t.Errorf("error %v", err)
	}
}

func TestTLS(t *testing.T) {
	dir := t.TempDir()
	ca := tlstest.New(t, "authority", nil)
	server := tlstest.New(t, "server", ca)
	mine := tlstest.New(t, "mine", ca)
	write(t, dir, map[string]string{"ca.pem": ca.PEM(), "server.pem": server.PEM(), "server.key": server.KeyPEM(t),
		"mine.pem": mine.PEM(), "mine.key": mine.KeyPEM(t)})
	port := port.Free(t)
	s := redistest.Start(t, "--tls-port", fmt.Sprint(port), "--tls-cert-file", dir+"/server.pem", "--tls-key-file", dir+"/server.key",
		"--tls-ca-cert-file", dir+"/ca.pem", "--tls-auth-clients", "yes")
	s.Do(t, "SET", "ann", "h")
	place := fmt.Sprintf("redis_host 127.0.0.1\nredis_port %d\nredis_db 0\n", port)
	own := "redis_tls_cert " + dir + "/mine.pem\nredis_tls_key " + dir + "/mine.key\n"
	for _, tt := range []struct{ name, options, want string }{
		{"verified", "redis_tls true\nredis_tls_ca " + dir + "/ca.pem\n" + own, ""},
		{"not verified", "redis_tls skip-verify\n" + own, ""},
		{"unknown authority", "redis_tls true\n" + own, "name its PEM file as redis_tls_ca"},
		{"another name", "redis_tls true\nredis_tls_server_name redis.example.org\nredis_tls_ca " + dir + "/ca.pem\n" + own, "name that as redis_tls_server_name"},
		{"no certificate of ours", "redis_tls true\nredis_tls_ca " + dir + "/ca.pem\n", "asking Redis at 127.0.0.1"},
		{"no TLS", "", "asking Redis at 127.0.0.1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := open(t, place+tt.options)
			a, err := b.User(ctxOf(t), backends.Lookup{Name: "ann"})
			switch {
			case tt.want == "" && (err != nil || a.Hash != "h"):
				t.Errorf("%+v, %v", a, err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("error %v, want %s", err, tt.want)
			}
		})
	}
	b := open(t, place+"redis_tls true\nredis_tls_ca "+dir+"/ca.pem\n"+own+"redis_pool_size 8\n")
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() { b.User(ctxOf(t), backends.Lookup{Name: "ann"}) })
	}
	all.Wait()
	s.Kill(t)
	s.Restart(t)
	user(t, b, "ann") // although all connections of the pool are dead
}

// A connection is replaced when its life time is over, and not before.
func TestLifeTime(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	s.Do(t, "SET", "ann", "h")
	b := open(t, at(s)+"redis_pool_size 1\nredis_max_life_time 500ms\n")
	began := time.Now()
	user(t, b, "ann")
	before := connections(t, s)
	user(t, b, "ann")
	if n := connections(t, s); n != before && time.Since(began) < 500*time.Millisecond {
		t.Errorf("%d connections instead of %d after %v", n, before, time.Since(began))
	}
	redistest.WaitFor(t, "another connection", func() bool {
		user(t, b, "ann")
		return connections(t, s) > before
	})
	if took := time.Since(began); took < 500*time.Millisecond {
		t.Errorf("replaced after %v", took)
	}
}
