package mysql

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"mosquitto-go-auth/backends"
	"mosquitto-go-auth/conf"
	"mosquitto-go-auth/test/stall"
)

// fill makes the table that most of these tests ask.
func (s *server) fill(t *testing.T) {
	t.Helper()
	mustExec(t, s.db, "CREATE TABLE u (n VARBINARY(50), h TEXT)", "INSERT INTO u VALUES ('sam', 'h')")
}

const samQuery = "mysql_userquery SELECT h FROM u WHERE n = ?"

// down checks that the answer is that there is none now, and that it comes in
// time.
func down(t *testing.T, b backends.Backend, limit time.Duration) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	clock := stall.Start()
	a, err := b.User(ctx, backends.Lookup{Name: "sam"})
	took := clock.Took()
	if err == nil || errors.Is(err, backends.ErrNoUser) || errors.Is(err, backends.ErrBadAnswer) || a.Hash != "" {
		t.Errorf("the server is away: %+v, %v", a, err)
	}
	if took > limit+500*time.Millisecond {
		t.Errorf("the error came after %v, want %v at most", took, limit)
	}
	return err
}

// back waits until sam is found and returns how long that took.
func back(t *testing.T, b backends.Backend) time.Duration {
	t.Helper()
	clock := stall.Start()
	for ctx := ctxOf(t); ctx.Err() == nil; time.Sleep(5 * time.Millisecond) {
		if a, err := b.User(ctx, backends.Lookup{Name: "sam"}); err == nil && a.Hash == "h" {
			return clock.Took()
		}
	}
	t.Fatal("the service is not back")
	return 0
}

func TestOutages(t *testing.T) {
	s := durable(t)
	s.fill(t)
	t.Run("down at start", func(t *testing.T) {
		s.Stop(t)
		b := s.open(t, samQuery)
		down(t, b, time.Second)
		s.Restart(t)
		within(t, time.Second, "back after", back(t, b))
	})
	b := s.open(t, samQuery)
	t.Run("killed", func(t *testing.T) {
		user(t, b, "sam")
		s.Kill(t)
		down(t, b, time.Second)
		s.Restart(t)
		within(t, time.Second, "back after", back(t, b))
	})
	t.Run("stopped", func(t *testing.T) {
		var users sync.WaitGroup
		for range 16 { // all connections of the pool hang
			users.Go(func() { user(t, b, "sam") })
		}
		users.Wait()
		s.Pause(t)
		for range 20 {
			users.Go(func() { down(t, b, 300*time.Millisecond) })
		}
		users.Wait()
		s.Continue(t)
		within(t, time.Second, "back after", back(t, b))
	})
}

// A connection that is cut in mid-query costs no answer. The client library
// sees either the server's word that it was killed, or the end of the stream.
func TestKilledInMidQuery(t *testing.T) {
	for _, how := range []string{"KILL", "KILL QUERY", "KILL HARD"} {
		t.Run(how, func(t *testing.T) {
			s := newServer(t)
			s.fill(t)
			b := s.open(t, "mysql_userquery SELECT h FROM u WHERE n = ? AND GET_LOCK('"+s.config.DBName+"', 20) = 1")
			holder, err := s.db.Conn(ctxOf(t))
			if err != nil {
				t.Fatal(err)
			}
			var got int
			if err := holder.QueryRowContext(ctxOf(t), "SELECT GET_LOCK(?, 0)", s.config.DBName).Scan(&got); err != nil || got != 1 {
				t.Fatal(got, err)
			}
			found := make(chan error, 1)
			go func() {
				a, err := b.User(ctxOf(t), backends.Lookup{Name: "sam"})
				if err == nil && a.Hash != "h" {
					err = fmt.Errorf("found %+v", a)
				}
				found <- err
			}()
			mustExec(t, s.db, fmt.Sprint(how, " ", s.waiting(t)))
			second := s.waiting(t) // it is asked again by itself
			if err := holder.Close(); err != nil {
				t.Fatal(err)
			}
			s.db.Close() // and with it the lock
			if err := <-found; err != nil {
				t.Errorf("killed, then asked again as %d: %v", second, err)
			}
		})
	}
}

// waiting returns the id of the connection that waits for a lock.
func (s *server) waiting(t *testing.T) (id int) {
	t.Helper()
	for ctx := ctxOf(t); ctx.Err() == nil; {
		if s.db.QueryRowContext(ctx, "SELECT id FROM information_schema.processlist WHERE db = ? AND state = 'User lock' AND command <> 'Killed'",
			s.config.DBName).Scan(&id) == nil {
			return id
		}
	}
	t.Fatal("no query waits")
	return 0
}

// The server closes idle connections, and nobody notices.
func TestWaitTimeout(t *testing.T) {
	s := newMortalWith(t, "--wait-timeout=1")
	s.fill(t)
	b := s.open(t, samQuery)
	var users sync.WaitGroup
	for range 8 {
		users.Go(func() { user(t, b, "sam") })
	}
	users.Wait()
	for ctx, n := ctxOf(t), 1; n > 0 && ctx.Err() == nil; {
		if err := s.db.QueryRow("SELECT COUNT(*) FROM information_schema.processlist WHERE db = ? AND id <> CONNECTION_ID()",
			s.config.DBName).Scan(&n); err != nil {
			t.Fatal(err)
		}
	}
	user(t, b, "sam")
}

// A pool whose connections are all in use keeps others waiting until their
// deadline, and no longer.
func TestPoolExhausted(t *testing.T) {
	s := newServer(t)
	s.fill(t)
	b := s.open(t, "mysql_userquery SELECT h FROM u WHERE n = ? AND IF(n = 'sam', 1, SLEEP(2)) = 1", "mysql_max_open_conns 2")
	mustExec(t, s.db, "INSERT INTO u VALUES ('slow', 'h')")
	ctx, cancel := context.WithCancel(ctxOf(t))
	var slow sync.WaitGroup
	for range 2 {
		slow.Go(func() { b.User(ctx, backends.Lookup{Name: "slow"}) })
	}
	for n := 0; n < 2; {
		if err := s.db.QueryRow("SELECT COUNT(*) FROM information_schema.processlist WHERE db = ? AND state = 'User sleep'", s.config.DBName).Scan(&n); err != nil {
			t.Fatal(err)
		}
	}
	if err := down(t, b, 200*time.Millisecond); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
	cancel()
	slow.Wait()
	within(t, time.Second, "back after", back(t, b))
}

// A server out of connections says so, and is asked again soon.
func TestTooManyConnections(t *testing.T) {
	s := newServer(t)
	s.fill(t)
	mustExec(t, s.db, "CREATE OR REPLACE USER few@'%' WITH MAX_USER_CONNECTIONS 1", "GRANT SELECT ON * TO few@'%'")
	t.Cleanup(func() { s.Exec(t, "DROP USER few@'%'") })
	one, two := open(t, s.as("few", "")+samQuery), open(t, s.as("few", "")+samQuery)
	user(t, one, "sam")
	if err := down(t, two, time.Second); err == nil || !strings.Contains(err.Error(), "no connection left") {
		t.Errorf("error %v", err)
	}
	one.Close()
	within(t, 2*time.Second, "back after", back(t, two))
}

// A wrong password is said to be one, and the server hears of it once a second
// at most. Once it is right, the service is back.
func TestWrongPassword(t *testing.T) {
	s := newServer(t)
	s.fill(t)
	mustExec(t, s.db, "CREATE OR REPLACE USER mine@'%' IDENTIFIED BY 'other'", "GRANT SELECT ON * TO mine@'%'")
	t.Cleanup(func() { s.Exec(t, "DROP USER mine@'%'") })
	b := open(t, s.as("mine", "s3cret")+samQuery)
	denied := func() (n int) {
		var name string
		if err := s.db.QueryRow("SHOW GLOBAL STATUS LIKE 'Access_denied_errors'").Scan(&name, &n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	before, begin := denied(), time.Now()
	for range 1000 {
		err := down(t, b, time.Second)
		if err == nil || !strings.Contains(err.Error(), "does not accept our own user name and password, see mysql_user and mysql_password") ||
			strings.Contains(err.Error(), "s3cret") {
			t.Fatalf("error %v", err)
		}
	}
	if tries, most := denied()-before, 1+int(time.Since(begin)/hold); tries < 1 || tries > most {
		t.Errorf("the server heard of it %d times in %v, want 1 to %d", tries, time.Since(begin), most)
	}
	mustExec(t, s.db, "ALTER USER mine@'%' IDENTIFIED BY 's3cret'")
	within(t, 2*time.Second, "back after", back(t, b))
}

// A name server that swallows the questions holds nobody longer than the
// deadline says.
func TestSilentNameServer(t *testing.T) {
	swallows, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer swallows.Close()
	o := declareOptions(conf.NewSet())
	o.host, o.dbname, o.userquery = "db.example.org", "d", "SELECT h FROM u WHERE n = ?"
	o.connectTimeout = 500 * time.Millisecond
	o.nameServer = func(ctx context.Context, _, _ string) (net.Conn, error) {
		c, err := (&net.Dialer{}).DialContext(ctx, "udp", swallows.LocalAddr().String())
		if err == nil { // the resolver would hold it for its own five seconds
			time.AfterFunc(time.Second, func() { c.Close() })
		}
		return c, err
	}
	b, err := o.open(backends.AllChecks)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	before := runtime.NumGoroutine()
	for range 5 {
		down(t, b, 200*time.Millisecond)
	}
	if n, _, err := swallows.ReadFrom(make([]byte, 512)); err != nil || n == 0 {
		t.Errorf("the name server was not asked: %v", err)
	}
	settles(t, "goroutines", before, runtime.NumGoroutine)
}

// settles waits until a number is no greater than it was.
func settles(t *testing.T, what string, before int, now func() int) {
	t.Helper()
	for ctx := ctxOf(t); now() > before; time.Sleep(10 * time.Millisecond) {
		if ctx.Err() != nil {
			t.Fatalf("%d %s, before it were %d", now(), what, before)
		}
	}
}

// descriptors is how many files and connections this process has open.
func descriptors() int {
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(list)
}

// A connection is replaced when its life time is over, and not before.
func TestLifeTime(t *testing.T) {
	s := newServer(t)
	b := s.open(t, "mysql_userquery SELECT CONCAT(CONNECTION_ID()) FROM DUAL WHERE ? <> ''", "mysql_max_life_time 200ms")
	began := time.Now()
	first := user(t, b, "sam").Hash
	for user(t, b, "sam").Hash == first && time.Since(began) < 5*time.Second {
		time.Sleep(5 * time.Millisecond)
	}
	if took := time.Since(began); took < 200*time.Millisecond || took >= 5*time.Second {
		t.Errorf("replaced after %v", took)
	}
}
