package postgres

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"mosquitto-go-auth/backends"
	"mosquitto-go-auth/test/port"
	"mosquitto-go-auth/test/postgrestest"
	"mosquitto-go-auth/test/stall"
)

// own is a server of a test's own, with the user sam in its database postgres.
func own(t testing.TB, o postgrestest.Options) store {
	t.Helper()
	s := store{postgrestest.Start(t, o), "postgres"}
	s.exec(t, "CREATE TABLE u (n TEXT, h TEXT); INSERT INTO u VALUES ('sam', 'h')")
	return s
}

const ownQuery = "pg_userquery SELECT h FROM u WHERE n = $1\n"

// back checks that the backend answers soon.
func back(t testing.TB, b backends.Backend) {
	t.Helper()
	eventually(t, 2*time.Second, "service is back", func() bool {
		a, err := b.User(within(t, 2*time.Second), backends.Lookup{Name: "sam"})
		return err == nil && a.Hash != ""
	})
}

func TestOutages(t *testing.T) {
	s := own(t, postgrestest.Options{})
	s.Stop(t)
	b := open(t, s.options()+ownQuery)
	down(t, b, "sam", "failed to connect") // at start
	s.Restart(t)
	back(t, b)

	fill(t, b, 8) // connections that lie idle
	s.Kill(t)
	down(t, b, "sam", "")
	s.Restart(t)
	user(t, b, "sam")
	fill(t, b, 8)
	s.Stop(t)
	s.Restart(t)
	user(t, b, "sam") // nothing was asked meanwhile

	s.Pause(t)
	clock := stall.Start()
	_, err := b.User(within(t, 300*time.Millisecond), backends.Lookup{Name: "sam"})
	if took := clock.Took(); err == nil || errors.Is(err, backends.ErrNoUser) || took > 2*time.Second {
		t.Errorf("a paused server: error %v after %v", err, took)
	}
	s.Continue(t)
	back(t, b)
}

// fill makes a pool have n connections.
func fill(t testing.TB, b backends.Backend, n int) {
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			if _, err := b.User(ctxOf(t), backends.Lookup{Name: "sam"}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

// A connection that is cut while a statement runs is not the user's trouble.
func TestCut(t *testing.T) {
	s := newStore(t)
	p := newProxy(t, net.JoinHostPort(s.Host(), strconv.Itoa(s.Port())))
	b := open(t, s.at("127.0.0.1", p.port())+"pg_userquery SELECT 'h' FROM pg_sleep(0.3) WHERE $1 <> ''")
	running := "FROM pg_stat_activity WHERE application_name = 'go-auth' AND query LIKE 'SELECT ''h''%' AND state = 'active' AND datname = '" + s.name + "'"
	for name, cut := range map[string]func(){
		"by the server":  func() { s.Query(t, "", "SELECT pg_terminate_backend(pid) "+running) },
		"by the network": p.cut,
	} {
		user(t, b, "sam")
		done := make(chan error, 1)
		go func() {
			_, err := b.User(ctxOf(t), backends.Lookup{Name: "sam"})
			done <- err
		}()
		eventually(t, testLimit, "the statement runs", func() bool { return s.Query(t, "", "SELECT COUNT(*) "+running) == "1" })
		cut()
		if err := <-done; err != nil {
			t.Errorf("cut %s: %v", name, err)
		}
	}
}

// A pool that is all in use makes others wait, for as long as they can.
func TestExhausted(t *testing.T) {
	s := newStore(t)
	s.exec(t, "CREATE TABLE u (n TEXT, h TEXT); INSERT INTO u VALUES ('sam', 'h')")
	b := s.open(t, "pg_userquery SELECT h FROM u WHERE n = $1", "pg_max_open_conns 2")
	lock, err := s.Connect(ctxOf(t), s.name)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close(ctxOf(t))
	if _, err := lock.Exec(ctxOf(t), "BEGIN; LOCK u"); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			_, err := b.User(within(t, 300*time.Millisecond), backends.Lookup{Name: "sam"})
			if err == nil || errors.Is(err, backends.ErrNoUser) {
				t.Errorf("error %v", err)
			}
		})
	}
	wg.Wait()
	if _, err := lock.Exec(ctxOf(t), "COMMIT"); err != nil {
		t.Fatal(err)
	}
	back(t, b)
	eventually(t, testLimit, "no statement is left waiting", func() bool {
		return s.Query(t, "", "SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = '"+s.name+"'") == "0"
	})
}

// The server has no connection left for us.
func TestTooManyConnections(t *testing.T) {
	s := own(t, postgrestest.Options{Settings: []string{"max_connections = 12", "superuser_reserved_connections = 3", "max_wal_senders = 0", "wal_level = minimal"}})
	s.exec(t, "CREATE ROLE poor LOGIN; GRANT SELECT ON u TO poor")
	b := open(t, lastOf(s.options()+ownQuery+"pg_user poor"))
	for range 9 {
		conn, err := s.Connect(ctxOf(t), "")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(ctxOf(t))
	}
	down(t, b, "sam", "the server has no connection left")
}

// What the server does not accept is asked once a second at most.
func TestRefusedStorm(t *testing.T) {
	s := own(t, postgrestest.Options{HBA: []string{"host all poor 127.0.0.1/32 scram-sha-256"}})
	s.exec(t, "CREATE ROLE poor LOGIN PASSWORD 'right'; GRANT SELECT ON u TO poor")
	b := open(t, lastOf(s.options()+ownQuery+"pg_user poor\npg_password wrong\npg_max_open_conns 4"))
	begin := time.Now()
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			for range 20 {
				down(t, b, "sam", "does not accept our own user name")
			}
		})
	}
	wg.Wait()
	limit := 4 * (1 + int(time.Since(begin)/refusedFor))
	if n := strings.Count(s.Log(), "FATAL:  password authentication failed"); n == 0 || n > limit {
		t.Errorf("the server was asked %d times in %v, want at most %d", n, time.Since(begin), limit)
	}
	s.exec(t, "ALTER ROLE poor PASSWORD 'wrong'")
	back(t, b)
}

// Servers are told apart by what they are.
func TestSessionAttributes(t *testing.T) {
	primary := own(t, postgrestest.Options{})
	replica := primary.Replica(t)
	options := lastOf(primary.options() + "pg_userquery SELECT pg_is_in_recovery()::text WHERE $1 <> ''\n" +
		fmt.Sprintf("pg_host 127.0.0.1,127.0.0.1\npg_port %d,%d\n", replica.Port(), primary.Port()))
	for session, want := range map[string]string{"any": "true", "primary": "false", "read-write": "false", "standby": "true", "read-only": "true", "prefer-standby": "true"} {
		if a := user(t, open(t, options+"\npg_target_session_attrs "+session), "sam"); a.Hash != want {
			t.Errorf("%s: on a standby: %s", session, a.Hash)
		}
	}
	b := open(t, options+"\npg_target_session_attrs prefer-standby")
	user(t, b, "sam")
	replica.Kill(t)
	if a := user(t, b, "sam"); a.Hash != "false" {
		t.Errorf("without a standby: on a standby: %s", a.Hash)
	}
	down(t, open(t, options+"\npg_target_session_attrs standby"), "sam", "failed to connect")
}

// A pooler in transaction mode may be in between.
func TestPgBouncer(t *testing.T) {
	path, err := exec.LookPath("pgbouncer")
	if err != nil {
		if path, err = exec.LookPath("/usr/sbin/pgbouncer"); err != nil && os.Getenv(postgrestest.NoSkipEnv) == "" {
			t.Skip("PgBouncer is not installed; scripts/setup installs it")
		}
	}
	s := own(t, postgrestest.Options{})
	s.exec(t, goAuth)
	port := port.Free(t)
	ini := write(t, filepath.Join(s.Sockets(), "pgbouncer.ini"), fmt.Sprintf("[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = %d\nunix_socket_dir =\nauth_type = any\npool_mode = transaction\ndefault_pool_size = 1\n"+
		"[databases]\n* = host=127.0.0.1 port=%d user=postgres\n", port, s.Port()))
	if err := os.Chmod(ini, 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := s.Command(path, ini)
	var log strings.Builder
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Signal(syscall.SIGTERM); cmd.Wait(); t.Log(log.String()) })
	b := open(t, s.at("127.0.0.1", port)+strings.Join([]string{goAuthUser, goAuthSuper, goAuthACL, "pg_max_open_conns 4"}, "\n"))
	eventually(t, testLimit, "PgBouncer answers", func() bool {
		_, err := b.User(within(t, time.Second), backends.Lookup{Name: "r"})
		return err == nil
	})
	down(t, open(t, s.at("127.0.0.1", port)+goAuthUser+"\npg_options -c work_mem=1MB"), "r", "see pg_options")
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 25 {
				a, err := b.User(ctxOf(t), backends.Lookup{Name: numbered[i]})
				if err != nil || a.Hash != fmt.Sprintf("h1%d", i) {
					t.Errorf("%+v, %v", a, err)
				}
			}
		})
	}
	wg.Wait()
}

// A connection is replaced when its life time is over, and not before.
func TestLifeTime(t *testing.T) {
	s := newStore(t)
	b := s.open(t, "pg_userquery SELECT pg_backend_pid()::text WHERE $1 <> ''", "pg_max_life_time 200ms")
	began := time.Now()
	first := user(t, b, "sam").Hash
	if now := user(t, b, "sam").Hash; now != first && time.Since(began) < 200*time.Millisecond {
		t.Errorf("connection %s instead of %s after %v", now, first, time.Since(began))
	}
	eventually(t, testLimit, "another connection", func() bool { return user(t, b, "sam").Hash != first })
	if took := time.Since(began); took < 200*time.Millisecond {
		t.Errorf("replaced after %v", took)
	}
}
