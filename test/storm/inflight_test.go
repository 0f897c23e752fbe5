package storm

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mosquitto-go-auth/test/brokertest"
	"mosquitto-go-auth/test/mqtt"
)

// A password is changed while clients log in with the old one. Who comes after the
// change is refused, whatever was remembered of it; who was let in by what was found
// before is disconnected.
func TestPasswordChangedInFlight(t *testing.T) {
	const clients, rounds = 12, 2
	s := newStore(t)
	s.add(t, cheap, "bystander")
	brokertest.Each(t, func(t *testing.T, b brokertest.Broker) {
		r := start(t, b, "backends mysql\nacl_cache_seconds 1\n"+s.options(), "")
		for round := range rounds {
			name := fmt.Sprintf("ann-%s-%d", b.Version, round)
			s.add(t, bcrypt[10], name)
			in := make(chan *mqtt.Client, clients)
			var all sync.WaitGroup
			for i := range clients {
				o := user(name, []byte{4, 5}[i%2])
				o.ID = fmt.Sprint(name, "-", i)
				all.Go(func() {
					if c, answer := mqtt.TryLogin(t, r.Addr, o); answer.Code == mqtt.Success {
						in <- c
					}
				})
				if i == clients/2 {
					brokertest.WaitFor(t, "logins under way", func() bool { return len(in) > 0 })
					s.exec(t, "UPDATE mqtt_user SET password_hash = ? WHERE username = ?", newHash, name)
				}
			}
			stale := user(name, 5)
			stale.ID = "stale"
			if got := loginFrom("127.0.0.1", r.Addr, stale); got != mqtt.Denied {
				t.Errorf("the old password after the change: %v", got)
			}
			all.Wait()
			close(in)
			admitted := len(in)
			for c := range in {
				if !c.Ended(5 * time.Second) {
					t.Errorf("client %q stays in with the old password", c.ID)
				}
			}
			fresh := mqtt.As(name, newPassword)
			fresh.Version = 5
			if got := loginFrom("127.0.0.1", r.Addr, fresh); got != mqtt.Success {
				t.Errorf("the new password: %v", got)
			}
			t.Logf("%d of %d had got in with the old password, and were disconnected", admitted, clients)
		}
	})
}

// Clients with right and wrong passwords come with the same ids, and go at any
// time. An id is used for a moment only: after a client has vanished, others with
// its id are not delayed any more. Nobody gets in with a wrong password, no will of theirs is published, and
// those who stay get in.
func TestIDsInAStorm(t *testing.T) {
	const users, clients, length, moment, pause = 6, 24, 3 * time.Second, 100 * time.Millisecond, 30 * time.Millisecond
	s := newStore(t)
	s.add(t, bcrypt[5], names("user", users)...)
	s.add(t, cheap, "watcher")
	s.grant(t, "watcher", "#", 7)
	brokertest.Each(t, func(t *testing.T, b brokertest.Broker) {
		// Without the memo, every login takes a hash, and is superseded meanwhile.
		r := start(t, b, "backends mysql\nhash_memo false\n"+s.options(), "set_tcp_nodelay true\n")
		watcher := mqtt.Login(t, r.Addr, user("watcher", 5))
		if got := watcher.Subscribe(0, "#"); got[0] != 0 {
			t.Fatalf("subscribing: %v", got)
		}
		stop := watch(t, r, func() mqtt.Options { o := user("watcher", 4); o.ID = "bystander"; return o }())
		var all sync.WaitGroup
		var right, wrong atomic.Int64
		end := time.Now().Add(length)
		for i := range clients {
			chance := rand.New(rand.NewPCG(1, uint64(i)))
			all.Go(func() {
				for ; time.Now().Before(end); time.Sleep(pause) {
					o := user(fmt.Sprint("user", chance.IntN(users)), byte(3+chance.IntN(3)))
					o.ID = fmt.Sprint("id", time.Until(end)/moment, chance.IntN(4))
					bad := chance.IntN(2) == 0
					if bad {
						o.Password = fmt.Append(nil, "guess", chance.Int())
						o.Will = &mqtt.Will{Message: mqtt.Message{Topic: *o.Username + "/will of a guesser"}}
					}
					o.KeepAlive = 1
					patience := time.Duration(chance.IntN(150)) * time.Millisecond
					switch tryFor(patience, fmt.Sprintf("127.0.1.%d", 1+i), r.Addr, o) {
					case mqtt.Success:
						right.Add(1)
						if bad {
							wrong.Add(1)
						}
					}
				}
			})
		}
		all.Wait()
		t.Logf("%d clients were let in, %d of them with a wrong password", right.Load(), wrong.Load())
		if wrong.Load() > 0 {
			t.Error("a wrong password was let in")
		}
		if right.Load() == 0 && b.Delays() { // elsewhere only those get in who come back as the same
			t.Error("nobody was let in")
		}
		for _, name := range names("user", users) {
			if got := loginFrom("127.0.0.1", r.Addr, user(name, 4)); got != mqtt.Success {
				t.Errorf("%s in the end: %v", name, got)
			}
		}
		stop().check(t, "storm", time.Second)
		for watcher.Alive() {
			m, ok := watcher.Message(0)
			if !ok {
				break
			}
			t.Errorf("published: %s", m.Topic)
		}
	})
}

// The broker ends cleanly, and soon, whatever its logins wait for: a hash, or a
// database that is silent.
func TestShutdownWithLoginsInFlight(t *testing.T) {
	const clients = 40
	s := newMortal(t)
	s.add(t, bcrypt[12], names("slow", clients)...)
	s.add(t, cheap, names("quick", clients)...)
	brokertest.Each(t, func(t *testing.T, b brokertest.Broker) {
		for _, what := range []string{"slow", "quick"} {
			r := start(t, b, "backends mysql\nhash_memo false\n"+s.options(), "")
			if what == "quick" {
				s.pause(t)
			}
			for i, name := range names(what, clients) {
				c := mqtt.Dial(t, r.Addr, user(name, 3+byte(i%3)))
				c.Send(c.ConnectPacket())
			}
			brokertest.WaitFor(t, "logins under way", func() bool {
				return tryFor(50*time.Millisecond, "127.0.0.1", r.Addr, user("nobody", 5)) == mqtt.Closed
			})
			begin := time.Now()
			r.Stop() // fails the test after 5 s, and if the broker crashes
			t.Logf("%s: ended after %v", what, round(time.Since(begin)))
			if what == "quick" {
				s.server.Continue(t)
			}
		}
	})
}
