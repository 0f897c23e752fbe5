package postgrestest

import (
	"context"
	"os"
	"testing"
	"time"
)

func TestMain(m *testing.M) { os.Exit(Main(m)) }

func TestSharedServerTakesStatements(t *testing.T) {
	s := Shared(t)
	name := s.Database(t)
	s.Exec(t, name, "CREATE TABLE users (name TEXT); INSERT INTO users VALUES ('ann')")
	if got := s.Query(t, name, "SELECT name FROM users"); got != "ann" {
		t.Errorf("the table holds %q, want ann", got)
	}
}

func TestServerStopsAndPauses(t *testing.T) {
	s := Start(t, Options{})
	s.Exec(t, "", "CREATE TABLE kept ()")
	for name, end := range map[string]func(testing.TB){"stop": s.Stop, "kill": s.Kill} {
		open, err := s.Connect(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		end(t)
		if err := s.ping(t.Context()); err == nil {
			t.Errorf("after %s the server still answers", name)
		}
		if err := open.Ping(t.Context()); err == nil {
			t.Errorf("after %s a connection still works", name)
		}
		s.Restart(t)
		s.Query(t, "", "SELECT FROM kept")
	}
	open, err := s.Connect(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	s.Pause(t)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := open.Ping(ctx); err == nil {
		t.Error("a connection to a paused server works")
	}
	if err := s.ping(ctx); err == nil {
		t.Error("a paused server answers")
	}
	s.Continue(t)
	s.Query(t, "", "SELECT 1")
}

func TestReplicaFollowsAndIsPromoted(t *testing.T) {
	s := Start(t, Options{})
	r := s.Replica(t)
	if got := r.Query(t, "", "SELECT pg_is_in_recovery()"); got != "t" {
		t.Errorf("the replica is in recovery: %q", got)
	}
	s.Exec(t, "", "CREATE TABLE users (name TEXT); INSERT INTO users VALUES ('ann')")
	for end := time.Now().Add(patience); r.Query(t, "", "SELECT to_regclass('users') IS NOT NULL") != "t"; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the replica does not follow")
		}
	}
	s.Kill(t)
	r.Promote(t)
	r.Exec(t, "", "INSERT INTO users VALUES ('bob')")
}
