// Package stores tests the plugin in real brokers on real servers that fail: each
// store has a file of its own.
package stores

import (
	"crypto/rand"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"mosquitto-go-auth/hashing"
	"mosquitto-go-auth/test/brokertest"
	"mosquitto-go-auth/test/mqtt"
	"mosquitto-go-auth/test/stall"
)

// password is that of the tests' users; nothing may log it.
const password = "pass-of-the-tests"

// stored is a hash of password that takes the least time to verify.
var stored = sync.OnceValue(func() string {
	maker, err := hashing.New("bcrypt", hashing.Params{Cost: 4})
	if err != nil {
		panic(err)
	}
	hash, err := maker.Make(password)
	if err != nil {
		panic(err)
	}
	return hash
})

// start starts a broker with options of the plugin, one to a line and without
// their plugin_opt_.
func start(t *testing.T, b brokertest.Broker, options ...string) *brokertest.Running {
	t.Helper()
	text := "allow_anonymous false\nplugin {{.Plugin}}\n"
	for line := range strings.SplitSeq(strings.Join(options, "\n"), "\n") {
		if line = strings.TrimSpace(line); line != "" {
			text += "plugin_opt_" + line + "\n"
		}
	}
	r := brokertest.Start(t, b, text)
	t.Cleanup(func() {
		for _, never := range []string{"a fault in the plugin", password, stored()} {
			if strings.Contains(r.Log(), never) {
				t.Errorf("the log holds %q", never)
			}
		}
	})
	return r
}

// newest is the broker for tests in which the broker makes no difference.
func newest(t *testing.T) brokertest.Broker {
	t.Helper()
	all := brokertest.All(t)
	return all[len(all)-1]
}

// client returns the options of a client of a user.
func client(user string) mqtt.Options {
	o := mqtt.As(user, password)
	o.ID = user + "-" + rand.Text()
	return o
}

// login lets a user in, or ends the test.
func login(t *testing.T, r *brokertest.Running, user string) *mqtt.Client {
	t.Helper()
	return mqtt.Login(t, r.Addr, client(user))
}

// in tells whether a user is let in now.
func in(t *testing.T, r *brokertest.Running, user string) bool {
	t.Helper()
	c, answer := mqtt.TryLogin(t, r.Addr, client(user))
	c.Drop()
	return answer.Code == mqtt.Success
}

// turnedAway checks that a user is not let in while the store cannot tell.
func turnedAway(t *testing.T, r *brokertest.Running, user string) {
	t.Helper()
	mqtt.TurnedAway(t, r.Addr, client(user))
}

// backWithin waits until a user is let in, and fails if that takes longer than
// it may, on a machine that runs.
func backWithin(t *testing.T, limit time.Duration, r *brokertest.Running, user string) {
	t.Helper()
	clock := stall.Start()
	brokertest.WaitFor(t, "a login of "+user, func() bool { return in(t, r, user) })
	took := clock.Took()
	t.Logf("back after %v", took.Round(time.Millisecond))
	if took > limit {
		t.Errorf("back after %v, want %v at most", took, limit)
	}
}

// writes tells whether a client may publish to a topic that another one, with
// every right, has subscribed to.
func writes(t *testing.T, c, other *mqtt.Client, topic string) bool {
	t.Helper()
	sent := mqtt.Message{Topic: topic, Payload: rand.Text(), QoS: 1}
	if c.Publish(sent) == mqtt.Closed || !other.Alive() {
		t.Fatalf("client %q or %q was disconnected", c.ID, other.ID)
	}
	arrived := false
	for got, ok := other.Message(0); ok; got, ok = other.Message(0) {
		arrived = arrived || got == sent
	}
	return arrived
}

// descriptors is how many files and connections a broker has open.
func descriptors(t *testing.T, r *brokertest.Running) int {
	t.Helper()
	list, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", r.PID))
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// threads is how many a broker has.
func threads(t *testing.T, r *brokertest.Running) int {
	t.Helper()
	list, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", r.PID))
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// leavesNothing has a thousand logins fail while the store is away, and looks
// whether as much is open afterwards as after the first of them.
func leavesNothing(t *testing.T, r *brokertest.Running, end, again func()) {
	t.Helper()
	end()
	fail := func(n int) {
		var users sync.WaitGroup
		for range 10 {
			users.Go(func() {
				for range n / 10 {
					turnedAway(t, r, "ann")
				}
			})
		}
		users.Wait()
	}
	fail(100) // brings what is kept: threads, profiles
	brokertest.WaitFor(t, "the clients to be gone", func() bool { return descriptors(t, r) < 40 })
	files, busy := descriptors(t, r), threads(t, r)
	fail(1000)
	brokertest.WaitFor(t, "as few descriptors as before", func() bool { return descriptors(t, r) <= files })
	// On a busy machine Go makes some more threads, which it keeps; not one for each.
	if n := threads(t, r); n > busy+100 {
		t.Errorf("%d threads, before it were %d", n, busy)
	}
	again()
	backWithin(t, 2*time.Second, r, "ann")
}
