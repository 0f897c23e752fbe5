package redistest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Watched is a master with a replica, and Sentinels that call it mymaster and let
// the replica follow it where it is silent for longer than a busy machine is, see
// FailOverSoon.
type Watched struct {
	Master, Replica *Server // as they were at the start
	Sentinels       []*Server
}

// StartWatched starts one with three Sentinels for one test. args are further
// arguments of the two servers.
func StartWatched(t testing.TB, args ...string) *Watched {
	t.Helper()
	w := &Watched{Master: Start(t, args...)}
	w.Replica = Start(t, append([]string{"--replicaof", fmt.Sprintf("127.0.0.1 %d", w.Master.Port())}, args...)...)
	for range 3 {
		w.Sentinels = append(w.Sentinels, w.startSentinel(t))
	}
	for _, s := range w.Sentinels {
		WaitFor(t, "a Sentinel to know all others", func() bool {
			text := fmt.Sprint(s.Do(t, "INFO", "sentinel"))
			return strings.Contains(text, "status=ok") && strings.Contains(text, "slaves=1,sentinels=3")
		})
		WaitFor(t, "a Sentinel to know the replica well", func() bool {
			return strings.Contains(fmt.Sprint(s.Do(t, "SENTINEL", "REPLICAS", "mymaster")), "master-link-status ok")
		})
	}
	return w
}

func (w *Watched) startSentinel(t testing.TB) *Server {
	t.Helper()
	file := filepath.Join(t.TempDir(), "sentinel.conf")
	text := fmt.Sprintf("sentinel monitor mymaster 127.0.0.1 %d 2\nsentinel down-after-milliseconds mymaster 20000\n"+
		"sentinel failover-timeout mymaster 1500\n", w.Master.Port())
	check(t, os.WriteFile(file, []byte(text), 0o600))
	s, err := start([]string{file, "--sentinel"})
	check(t, err)
	// One that notices that its machine stood still for 2 s does nothing for 30 s.
	s.Do(t, "SENTINEL", "DEBUG", "tilt-trigger", 600_000)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// FailOverSoon has the replica follow a master that is lost within a second or two.
func (w *Watched) FailOverSoon(t testing.TB) {
	t.Helper()
	for _, s := range w.Sentinels {
		s.Do(t, "SENTINEL", "SET", "mymaster", "down-after-milliseconds", 400)
	}
}

// Addresses returns those of the Sentinels, with commas between them.
func (w *Watched) Addresses() string {
	var list []string
	for _, s := range w.Sentinels {
		list = append(list, s.Addr())
	}
	return strings.Join(list, ",")
}
