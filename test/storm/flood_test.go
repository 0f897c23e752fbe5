package storm

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mosquitto-go-auth/test/brokertest"
	"mosquitto-go-auth/test/mqtt"
)

// Many users come at once, as after a restart of the broker, and none of their
// logins can be delayed. All get in, and a bystander is not kept waiting.
func TestStormThatCannotBeDelayed(t *testing.T) {
	measured(t)
	const users, cost = 200, 8
	s := newStore(t)
	s.add(t, bcrypt[cost], append(names("user", users), "first")...)
	s.add(t, cheap, "bystander")
	for _, b := range brokertest.All(t) {
		storm := func(r *brokertest.Running) (stalls, time.Duration) {
			stop := watch(t, r, hurried("bystander"))
			begin := time.Now()
			var wait sync.WaitGroup
			var in atomic.Int64
			for _, name := range names("user", users) {
				wait.Go(func() {
					if code := loginFrom("127.0.0.1", r.Addr, hurried(name)); code == mqtt.Success {
						in.Add(1)
					}
				})
			}
			wait.Wait()
			if in.Load() != users {
				t.Errorf("%d of %d got in", in.Load(), users)
			}
			return stop(), time.Since(begin)
		}
		c, end := control(t, b, "set_tcp_nodelay true\n", append(names("user", users), "bystander")...)
		with, _ := storm(c)
		end()
		r := start(t, b, "backends mysql\nhash_memo false\n"+s.options(), "set_tcp_nodelay true\n")
		hashes := users * hashTime(t, r, "first") / time.Duration(hashGate())
		got, took := storm(r)
		t.Logf("all in after %v; their hashes alone take %v", round(took), round(hashes))
		if took > 2*hashes {
			t.Errorf("all were in after %v, want %v at most: twice the hashes alone", took, 2*hashes)
		}
		got.check(t, "storm of mosquitto "+b.Version, with.longest+waiting)
	}
}

// creditMax is the stall credit of a broker that has just been started.
const creditMax = 250 * time.Millisecond

// Who only guesses passwords, with logins that cannot be delayed, costs the broker
// no more than its credit: what is left of it at the start, and the refill, 5 %. They
// come often enough to use all of it, and not so often that the mere connections
// would keep the machine busy.
func TestGuessersCostTheRefill(t *testing.T) {
	measured(t)
	const cost, guessers, length, pause = 10, 4, 10 * time.Second, 10 * time.Millisecond
	s := newStore(t)
	s.add(t, bcrypt[cost], "victim")
	s.add(t, cheap, "bystander")
	for _, attack := range []struct {
		what  string
		guess func(i, try int) (from string, o mqtt.Options)
	}{
		{"new names from new addresses", func(i, try int) (string, mqtt.Options) {
			from := fmt.Sprintf("127.%d.%d.%d", 1+i, try/250%250, 1+try%250)
			return from, mqtt.As(fmt.Sprint("nobody", i, try), "guess")
		}},
		{"one name from one address", func(i, try int) (string, mqtt.Options) {
			return "127.0.0.2", mqtt.As("victim", fmt.Sprint("guess", i, try))
		}},
	} {
		t.Run(attack.what, func(t *testing.T) {
			brokertest.Each(t, func(t *testing.T, b brokertest.Broker) {
				r := start(t, b, "backends mysql\n"+s.options(), "set_tcp_nodelay true\n")
				stop := watch(t, r, hurried("bystander"))
				tries := flood(t, r, guessers, length, pause, func(i, try int) (string, mqtt.Options) {
					from, o := attack.guess(i, try)
					o.Version = 5
					return from, o
				})()
				got := stop()
				got.check(t, fmt.Sprintf("%d guesses in %v", tries, length), time.Second)
				if most := creditMax + length*5/100; got.sum > most {
					t.Errorf("the bystander waited %v of %v, want %v at most", got.sum, length, most)
				}
			})
		})
	}
}

// flood has some clients try to log in for a time, with a pause after each try.
// None may get in. It returns a function that waits for their end and tells how many tries there were.
func flood(t *testing.T, r *brokertest.Running, clients int, length, pause time.Duration, login func(i, try int) (from string, o mqtt.Options)) (wait func() int64) {
	var all sync.WaitGroup
	var tries atomic.Int64
	end := time.Now().Add(length)
	for i := range clients {
		all.Go(func() {
			for try := 0; time.Now().Before(end); try++ {
				time.Sleep(pause)
				from, o := login(i, try)
				if tryFrom(from, r.Addr, o) == mqtt.Success {
					t.Errorf("a guess was let in: %s", *o.Username)
				}
				tries.Add(1)
			}
		})
	}
	return func() int64 { all.Wait(); return tries.Load() }
}

// 50 bad logins at a time from one address do not keep back a good one from another:
// it waits for the hash under way, and its own. Nor do those of five addresses, which
// together could fill the whole queue.
func TestGoodLoginInAFlood(t *testing.T) {
	measured(t)
	const cost = 10
	s := newStore(t)
	good := names("good", 10)
	s.add(t, bcrypt[cost], append(good, "victim", "first")...)
	s.add(t, cheap, "bystander")
	for _, b := range brokertest.All(t) {
		for _, from := range []int{1, 5} {
			t.Run(fmt.Sprintf("%s/%d", b.Version, from), func(t *testing.T) {
				c, end := control(t, b, "set_tcp_nodelay true\n", "bystander", "victim")
				without := watch(t, c, user("bystander", 4))
				guess(t, c, from)()
				most := without().longest + hardly
				end()
				r := start(t, b, "backends mysql\nhash_memo false\n"+s.options(), "set_tcp_nodelay true\n")
				one := hashTime(t, r, "first")
				stop := watch(t, r, user("bystander", 4))
				wait := guess(t, r, from)
				r.WaitLog(t, "victim")
				took := timeLogins(t, r, good)
				t.Logf("%d bad logins; a good one took %v (median), %v at most: %.1f and %.1f times one hash of %v", wait(),
					round(took[len(took)/2]), round(took[len(took)-1]), float64(took[len(took)/2])/float64(one),
					float64(took[len(took)-1])/float64(one), round(one))
				if most := 3 * one; from == 1 && took[len(took)/2] > most {
					t.Errorf("a good login took %v, want 3 hashes at most", took[len(took)/2])
				}
				if took[len(took)-1] > 5*time.Second {
					t.Errorf("a good login took %v", took[len(took)-1])
				}
				stop().check(t, "flood", most)
			})
		}
	}
}

// guess has 50 clients from each of some addresses guess a password for 5 s.
func guess(t *testing.T, r *brokertest.Running, from int) (wait func() int64) {
	return flood(t, r, 50*from, 5*time.Second, 0, func(i, try int) (string, mqtt.Options) {
		o := mqtt.As("victim", fmt.Sprint("guess", i, try))
		o.ID, o.Version = fmt.Sprint("guesser", i), byte(4+from/5) // what fills the queue is not delayed
		return fmt.Sprint("127.0.2.", 1+i%from), o
	})
}

// timeLogins has users log in from an address of their own, and returns how long
// that took, the shortest first.
func timeLogins(t *testing.T, r *brokertest.Running, names []string) (took []time.Duration) {
	t.Helper()
	for _, name := range names {
		begin := time.Now()
		if code := loginFrom("127.0.0.3", r.Addr, user(name, 4)); code != mqtt.Success {
			t.Errorf("%s: %v", name, code)
		}
		took = append(took, time.Since(begin))
	}
	slices.Sort(took)
	return took
}
