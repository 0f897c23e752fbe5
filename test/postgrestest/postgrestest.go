// Package postgrestest gives tests a real PostgreSQL: one that all tests of a
// process share, or one of a test's own that it may stop, kill and pause.
package postgrestest

import (
	"context"
	"crypto/rand"
	"errors"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
)

// Env is the environment variable with the address of a server to use for
// Shared, as the client library reads it: postgres://postgres@127.0.0.1:5433/postgres.
// Its account must be a superuser.
const Env = "GOAUTH_TEST_POSTGRES"

// NoSkipEnv is the environment variable that, if set, makes a missing server a
// failure instead of a reason to skip: `make test` leaves nothing out silently.
const NoSkipEnv = "GOAUTH_NO_SKIP"

// shared is the server of this test process, started by the first that asks.
var shared struct {
	sync.Mutex
	main   bool
	server *Server
	err    error
}

// Main runs a package's tests and then ends the shared server. A package that
// uses Shared has
//
//	func TestMain(m *testing.M) { os.Exit(postgrestest.Main(m)) }
func Main(m interface{ Run() int }) int {
	shared.main = true
	defer func() {
		if shared.server != nil {
			shared.server.Close()
		}
	}()
	return m.Run()
}

// Shared returns the server that all tests of the process share; where Env is
// set, that one. It skips the test if PostgreSQL is not installed. A test keeps to
// a database of its own, see Server.Database.
func Shared(t testing.TB) *Server {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if !shared.main {
		t.Fatal("postgrestest.Shared needs postgrestest.Main in TestMain")
	}
	if shared.server == nil && shared.err == nil {
		shared.server, shared.err = connectOrNew()
	}
	check(t, shared.err)
	return shared.server
}

func connectOrNew() (*Server, error) {
	address := os.Getenv(Env)
	if address == "" {
		return New(Options{})
	}
	config, err := pgx.ParseConfig(address)
	if err != nil {
		return nil, err
	}
	return &Server{host: config.Host, port: int(config.Port), user: config.User, password: config.Password}, nil
}

// Start starts a server for one test, which may do to it what it likes. It skips
// the test if PostgreSQL is not installed.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	s, err := New(o)
	check(t, err)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func check(t testing.TB, err error) {
	t.Helper()
	if errors.Is(err, errMissing) && os.Getenv(NoSkipEnv) == "" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Exec runs statements in order in a database; "" is the one called postgres.
// Each text may hold several statements.
func (s *Server) Exec(t testing.TB, database string, statements ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn := s.connect(ctx, t, database)
	defer conn.Close(ctx)
	for _, statement := range statements {
		if _, err := conn.PgConn().Exec(ctx, statement).ReadAll(); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

// Query returns the first cell of the answer to a statement, "" for none, and for
// NULL.
func (s *Server) Query(t testing.TB, database, statement string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn := s.connect(ctx, t, database)
	defer conn.Close(ctx)
	results, err := conn.PgConn().Exec(ctx, statement).ReadAll()
	if err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	for _, r := range results {
		if len(r.Rows) > 0 {
			return string(r.Rows[0][0])
		}
	}
	return ""
}

func (s *Server) connect(ctx context.Context, t testing.TB, database string) *pgx.Conn {
	t.Helper()
	conn, err := s.Connect(ctx, database)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// Database makes a database of a name of its own, dropped when the test ends,
// and returns the name.
func (s *Server) Database(t testing.TB) string {
	t.Helper()
	name := "test_" + strings.ToLower(rand.Text())
	s.Exec(t, "", "CREATE DATABASE "+name)
	t.Cleanup(func() {
		if s.dir == "" || s.cmd != nil {
			s.Exec(t, "", "DROP DATABASE "+name+" WITH (FORCE)")
		}
	})
	return name
}

// Stop shuts the server down, and its connections with it.
func (s *Server) Stop(t testing.TB) { s.own(t); check(t, s.end(syscall.SIGINT)) }

// Kill ends all processes of the server at once, as the crash of its machine does.
func (s *Server) Kill(t testing.TB) { s.own(t); check(t, s.end(syscall.SIGKILL)) }

// Restart starts a stopped or killed server again, on its port and its data.
func (s *Server) Restart(t testing.TB) {
	s.own(t)
	if s.cmd != nil {
		t.Fatal("the server runs already")
	}
	check(t, s.start())
}

// Pause freezes all processes of the server: its connections stay open and
// nothing answers.
func (s *Server) Pause(t testing.TB) { s.own(t); s.signal(syscall.SIGSTOP) }

// Continue undoes Pause.
func (s *Server) Continue(t testing.TB) { s.own(t); s.signal(syscall.SIGCONT) }

// Promote makes a standby a primary server of its own.
func (s *Server) Promote(t testing.TB) {
	t.Helper()
	s.own(t)
	if out, err := s.command("pg_ctl", "promote", "--pgdata", s.data()).CombinedOutput(); err != nil {
		t.Fatalf("pg_ctl promote: %v\n%s", err, out)
	}
}

// own fails the test if the server belongs to others.
func (s *Server) own(t testing.TB) {
	t.Helper()
	if s.dir == "" {
		t.Fatalf("the server of %s is not the test's to stop; use postgrestest.Start", Env)
	}
}

// Replica starts a standby that follows the server, for one test.
func (s *Server) Replica(t testing.TB) *Server {
	t.Helper()
	s.own(t)
	r, err := s.replica()
	check(t, err)
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}
