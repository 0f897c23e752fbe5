package storm

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mosquitto-go-auth/test/brokertest"
	"mosquitto-go-auth/test/mqtt"
)

// At SIGHUP the broker asks about all its clients at once, and disconnects whom it
// is not told to keep. All stay who still hold, whatever state the database is in.
func TestReloadWithManyClients(t *testing.T) {
	measured(t)
	const clients, lines = 1000, "set_tcp_nodelay true\nmax_connections -1\n"
	s := newMortal(t)
	s.add(t, cheap, append(names("user", clients), "bystander", "another")...)
	for _, b := range brokertest.All(t) {
		most := reloadWithFiles(t, b, lines, names("user", clients)) + hardly
		r := start(t, b, "backends mysql\nauth_timeout 2\n"+s.options(), lines)
		all := connect(t, r, names("user", clients))
		for _, state := range []struct {
			name       string
			begin, end func(testing.TB)
		}{
			{"up", func(testing.TB) {}, func(testing.TB) {}},
			{"paused", func(testing.TB) { s.pause(t) }, s.server.Continue},
			{"down", s.server.Stop, s.server.Restart},
		} {
			t.Run(b.Version+"/"+state.name, func(t *testing.T) {
				stop := watch(t, r, hurried("bystander"))
				asked := s.executed(t)
				state.begin(t)
				reload(t, r)
				stay(t, all)
				if state.name != "up" {
					unverified(t, r)
				} else {
					brokertest.WaitFor(t, "all to be verified behind", func() bool { return s.executed(t) >= asked+3*clients })
				}
				stay(t, all)
				state.end(t)
				stay(t, all)
				stop().check(t, "SIGHUP", most) // before the broker waits for a login
				brokertest.WaitFor(t, "a login after it", func() bool {
					_, answer := mqtt.TryLogin(t, r.Addr, hurried("another"))
					return answer.Code == mqtt.Success
				})
			})
		}
		stay(t, all)
		r.Stop()
		if counts := counts(r); !strings.Contains(counts, " 0 clients kicked, 0 faults") {
			t.Errorf("mosquitto %s: somebody was kicked, or there were faults: %s", b.Version, counts)
		}
		for _, c := range all {
			c.Drop()
		}
	}
}

// reloadWithFiles returns a bystander's longest wait at a SIGHUP with the control.
func reloadWithFiles(t *testing.T, b brokertest.Broker, lines string, users []string) time.Duration {
	t.Helper()
	r, end := control(t, b, lines, append(users, "bystander")...)
	defer end()
	all := connect(t, r, users)
	stop := watch(t, r, hurried("bystander"))
	reload(t, r)
	stay(t, all)
	s := stop()
	t.Logf("mosquitto %s with files: longest stall %v of %d pings", b.Version, round(s.longest), s.pings)
	for _, c := range all {
		c.Drop()
	}
	return s.longest
}

// reload sends SIGHUP, and waits until the broker has seen it.
func reload(t *testing.T, r *brokertest.Running) {
	t.Helper()
	before := strings.Count(r.Log(), "Reloading config.")
	r.Reload()
	brokertest.WaitFor(t, "the reload", func() bool { return strings.Count(r.Log(), "Reloading config.") > before })
}

// unverified waits until the plugin has found out that the database does not answer.
func unverified(t *testing.T, r *brokertest.Running) {
	t.Helper()
	brokertest.WaitFor(t, "a question without an answer", func() bool {
		log := r.Log()
		return strings.LastIndex(log, "until it answers") > strings.LastIndex(log, "answers again")
	})
}

// connect logs users in, some at a time.
func connect(t *testing.T, r *brokertest.Running, names []string) []*mqtt.Client {
	t.Helper()
	all := make([]*mqtt.Client, len(names))
	turn := make(chan struct{}, 50)
	var wait sync.WaitGroup
	var failed atomic.Int64
	for i, name := range names {
		turn <- struct{}{}
		wait.Go(func() {
			defer func() { <-turn }()
			c, answer := mqtt.TryLogin(t, r.Addr, user(name, 4+byte(i%2)))
			if all[i] = c; answer.Code != mqtt.Success {
				failed.Add(1)
			}
		})
	}
	wait.Wait()
	if n := failed.Load(); n > 0 {
		t.Fatalf("%d of %d logins failed", n, len(names))
	}
	return all
}

// stay checks that all clients are still connected.
func stay(t *testing.T, all []*mqtt.Client) {
	t.Helper()
	gone := 0
	for _, c := range all {
		if !c.Alive() {
			gone++
		}
	}
	if gone > 0 {
		t.Errorf("%d of %d clients were disconnected", gone, len(all))
	}
}
