// Package mariadbtest gives tests a real MariaDB: one that all tests of a
// process share, or one of a test's own that it may stop, kill and pause.
package mariadbtest

import (
	"crypto/rand"
	"errors"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
)

// Env is the environment variable with the data source name of a server to use
// for Shared, as the driver reads it, without a database:
// root@tcp(127.0.0.1:3307)/. Its account must have all rights.
const Env = "GOAUTH_TEST_MYSQL"

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
//	func TestMain(m *testing.M) { os.Exit(mariadbtest.Main(m)) }
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
// set, that one. It skips the test if MariaDB is not installed. A test keeps to a
// database of its own, see Server.Database.
func Shared(t testing.TB) *Server {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if !shared.main {
		t.Fatal("mariadbtest.Shared needs mariadbtest.Main in TestMain")
	}
	if shared.server == nil && shared.err == nil {
		shared.server, shared.err = connectOrNew()
	}
	check(t, shared.err)
	return shared.server
}

func connectOrNew() (*Server, error) {
	dsn := os.Getenv(Env)
	if dsn == "" {
		return New(Options{})
	}
	config, err := mysql.ParseDSN(dsn)
	if err != nil {
		return nil, err
	}
	return &Server{config: config}, nil
}

// Start starts a server for one test, which may do to it what it likes. It skips
// the test if MariaDB is not installed.
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

// Exec runs statements in order, on any of a few connections: name the database
// in each of them.
func (s *Server) Exec(t testing.TB, statements ...string) {
	t.Helper()
	db, err := s.open()
	check(t, err)
	for _, statement := range statements {
		if _, err := db.Exec(statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

// Database makes a database of a name of its own, dropped when the test ends,
// and returns the name.
func (s *Server) Database(t testing.TB) string {
	t.Helper()
	name := "test_" + rand.Text()
	s.Exec(t, "CREATE DATABASE "+name)
	t.Cleanup(func() {
		if s.dir == "" || s.cmd != nil {
			s.Exec(t, "DROP DATABASE "+name)
		}
	})
	return name
}

// Stop shuts the server down.
func (s *Server) Stop(t testing.TB) { s.own(t); check(t, s.signal(syscall.SIGTERM)) }

// Kill ends the server at once, as a crash does.
func (s *Server) Kill(t testing.TB) { s.own(t); check(t, s.signal(syscall.SIGKILL)) }

// Restart starts a stopped or killed server again, on its port and its data.
func (s *Server) Restart(t testing.TB) {
	s.own(t)
	if s.cmd != nil {
		t.Fatal("the server runs already")
	}
	check(t, s.start())
}

// Pause freezes the server: its connections stay open and nothing answers.
func (s *Server) Pause(t testing.TB) {
	s.own(t)
	check(t, s.cmd.Process.Signal(syscall.SIGSTOP))
	for end := time.Now().Add(patience); !s.frozen(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("mariadbd does not stop")
		}
	}
}

// Continue undoes Pause.
func (s *Server) Continue(t testing.TB) { s.own(t); check(t, s.cmd.Process.Signal(syscall.SIGCONT)) }

// own fails the test if the server belongs to others.
func (s *Server) own(t testing.TB) {
	t.Helper()
	if s.dir == "" {
		t.Fatalf("the server of %s is not the test's to stop; use mariadbtest.Start", Env)
	}
}
