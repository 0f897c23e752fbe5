package redistest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

func TestServerStopsAndPauses(t *testing.T) {
	s := Start(t)
	s.Do(t, "SET", "kept", "yes")
	for name, end := range map[string]func(testing.TB){"stop": s.Stop, "kill": s.Kill} {
		end(t)
		if err := s.Client().Ping(t.Context()).Err(); err == nil {
			t.Errorf("after %s the server still answers", name)
		}
		s.Restart(t)
		if got := s.Do(t, "GET", "kept"); got != "yes" {
			t.Errorf("after %s the key holds %v", name, got)
		}
	}
	s.Pause(t)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	quick := redis.NewClient(&redis.Options{Addr: s.Addr(), ContextTimeoutEnabled: true, MaxRetries: -1})
	defer quick.Close()
	if err := quick.Ping(ctx).Err(); err == nil {
		t.Error("a paused server answers")
	}
	s.Continue(t)
	s.Do(t, "PING")
}

func TestClusterFailsOver(t *testing.T) {
	c := StartCluster(t, 3)
	c.Do(t, "SET", "kept", "yes")
	lost := c.Owner(t, "kept")
	WaitFor(t, "the replica to have the key", func() bool {
		return strings.Contains(fmt.Sprint(c.Replicas[lost].Do(t, "INFO", "keyspace")), "keys=1")
	})
	c.FailOverSoon(t)
	c.Masters[lost].Kill(t)
	WaitFor(t, "the replica to be master", func() bool {
		v, err := c.Replicas[lost].Client().Get(t.Context(), "kept").Result()
		return err == nil && v == "yes"
	})
}

func TestSentinelsFailOver(t *testing.T) {
	w := StartWatched(t)
	w.FailOverSoon(t)
	w.Master.Kill(t)
	WaitFor(t, "the replica to be master", func() bool {
		return strings.Contains(fmt.Sprint(w.Replica.Do(t, "INFO", "replication")), "role:master")
	})
	for _, s := range w.Sentinels {
		WaitFor(t, "a Sentinel to name it", func() bool {
			v, err := s.Client().Do(t.Context(), "SENTINEL", "GET-MASTER-ADDR-BY-NAME", "mymaster").StringSlice()
			return err == nil && strings.Join(v, ":") == w.Replica.Addr()
		})
	}
}

func TestSharedServer(t *testing.T) {
	s := Shared(t)
	if err := s.Client().Ping(t.Context()).Err(); err != nil && !errors.Is(err, redis.Nil) {
		t.Error(err)
	}
}
