// Package redistest gives tests real Redis servers: single ones that a test may
// stop, kill and pause, a Cluster, and a master with replicas and Sentinels.
package redistest

import (
	"errors"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// Env is the environment variable with the URL of a server to use for Shared:
// redis://127.0.0.1:6380. Its user must have all rights.
const Env = "GOAUTH_TEST_REDIS"

// NoSkipEnv is the environment variable that, if set, makes a missing server a
// failure instead of a reason to skip: `make test` leaves nothing out silently.
const NoSkipEnv = "GOAUTH_NO_SKIP"

// Shared returns the server that Env names, which others use too: a test keeps to
// keys with a prefix of its own. Without Env it starts one.
func Shared(t testing.TB) *Server {
	t.Helper()
	url := os.Getenv(Env)
	if url == "" {
		return Start(t)
	}
	o, err := redis.ParseURL(url)
	check(t, err)
	s := &Server{addr: o.Addr, options: o}
	t.Cleanup(func() { s.Close() })
	return s
}

// Start starts a server for one test, which may do to it what it likes. args are
// further arguments of redis-server. It skips the test if Redis is not installed.
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	s, err := New(args...)
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

// Do sends a command to the server itself and returns the answer.
func (s *Server) Do(t testing.TB, args ...any) any {
	t.Helper()
	v, err := s.Client().Do(t.Context(), args...).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		t.Fatalf("%v: %v", args, err)
	}
	return v
}

// Stop shuts the server down.
func (s *Server) Stop(t testing.TB) { t.Helper(); check(t, s.signal(syscall.SIGTERM)) }

// Kill ends the server at once, as a crash does.
func (s *Server) Kill(t testing.TB) { t.Helper(); check(t, s.signal(syscall.SIGKILL)) }

// Restart starts a stopped or killed server again, on its port and its data.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	if s.cmd != nil {
		t.Fatal("the server runs already, or is not the test's to stop")
	}
	check(t, s.start())
}

// Pause freezes the server: its connections stay open and nothing answers.
func (s *Server) Pause(t testing.TB) {
	t.Helper()
	check(t, s.cmd.Process.Signal(syscall.SIGSTOP))
}

// Continue undoes Pause.
func (s *Server) Continue(t testing.TB) {
	t.Helper()
	check(t, s.cmd.Process.Signal(syscall.SIGCONT))
}

// WaitFor waits until something is so.
func WaitFor(t testing.TB, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !so(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}
