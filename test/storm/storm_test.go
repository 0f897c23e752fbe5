// Package storm tests what many clients at once, and clients that come at a bad
// moment, do to the plugin in real brokers with a real MariaDB, and how the clients
// that people use come back when they are told to.
package storm

import (
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"mosquitto-go-auth/hashing"
	"mosquitto-go-auth/test/brokertest"
	"mosquitto-go-auth/test/mariadbtest"
	"mosquitto-go-auth/test/mqtt"
)

func TestMain(m *testing.M) { os.Exit(mariadbtest.Main(m)) }

// password is that of all users; nothing may log it.
const password = "pass-of-the-storm"

// bcrypt returns a new hash of the password. Each has a salt of its own.
func bcrypt(cost int) string { return bcryptOf(password, cost) }

func bcryptOf(password string, cost int) string {
	maker, err := hashing.New("bcrypt", hashing.Params{Cost: cost})
	if err != nil {
		panic(err)
	}
	hash, err := maker.Make(password)
	if err != nil {
		panic(err)
	}
	return hash
}

// cheap is a hash that takes a millisecond, and of which the plugin remembers that
// the password fits, whoever's it is.
var cheap = sync.OnceValue(func() string { return bcrypt(4) })

// hashTime returns how long a bcrypt hash takes here and now.
func hashTime(t *testing.T, cost int) time.Duration {
	t.Helper()
	begin := time.Now()
	h, err := hashing.Parse(bcrypt(cost), hashing.SaltAny, hashing.DefaultLimits())
	if took := time.Since(begin); err == nil && h.Verify(password) {
		return took
	}
	t.Fatalf("a new hash does not verify: %v", err)
	return 0
}

// start starts a broker with options of the plugin, one to a line and without
// their plugin_opt_, and lines of its own.
func start(t *testing.T, b brokertest.Broker, options, lines string, more ...brokertest.Option) *brokertest.Running {
	t.Helper()
	text := "allow_anonymous false\nplugin {{.Plugin}}\n"
	for line := range strings.Lines(options) {
		if line = strings.TrimSpace(line); line != "" {
			text += "plugin_opt_" + line + "\n"
		}
	}
	r := brokertest.Start(t, b, text+lines, more...)
	t.Cleanup(func() { secretive(t, r) })
	return r
}

var hashed = regexp.MustCompile(`\$2[aby]\$\d+\$[./\w]{4}|\$7\$[\w/+$]{8}`)

// secretive fails the test if the log holds what it must not, and shows what the
// plugin has counted.
func secretive(t *testing.T, r *brokertest.Running) {
	r.Stop()
	log := r.Log()
	for _, never := range []string{"a fault in the plugin", password, hashed.FindString(log)} {
		if never != "" && strings.Contains(log, never) {
			t.Errorf("the log holds %q", never)
		}
	}
	if _, counts, ok := strings.Cut(log, "logins: "); ok {
		counts, _, _ = strings.Cut(counts, "\n")
		t.Logf("mosquitto %s: %s", r.Version, counts)
	}
}

// user returns the options of a client whose id is the user's name.
func user(name string, version byte) mqtt.Options {
	o := mqtt.As(name, password)
	o.ID, o.Version = name, version
	return o
}

// prompt returns a user that the broker cannot delay, whatever broker it is.
func hurried(name string) mqtt.Options { return user(name, 5) }

// stalls are the times that a bystander had to wait.
type stalls struct {
	longest, sum time.Duration // sum: of all that were longer than usual
	pings        int
}

// usual is what a ping may take before it counts as stalled.
const usual = 5 * time.Millisecond

// watch measures how long the broker lets a client wait, by pings without pause,
// until the function that it returns is called.
func watch(t *testing.T, r *brokertest.Running, o mqtt.Options) (stop func() stalls) {
	t.Helper()
	c := mqtt.Login(t, r.Addr, o)
	over, result := make(chan struct{}), make(chan stalls)
	go func() {
		var s stalls
		for {
			select {
			case <-over:
				result <- s
				return
			case <-time.After(time.Millisecond):
			}
			begin := time.Now()
			if !c.Alive() {
				s.longest = time.Hour // it has lost its connection
				continue
			}
			s.add(time.Since(begin))
		}
	}()
	return sync.OnceValue(func() stalls { close(over); return <-result })
}

func (s *stalls) add(took time.Duration) {
	s.pings++
	s.longest = max(s.longest, took)
	if took > usual {
		s.sum += took
	}
}

// check logs the stalls and compares the longest with what it may be.
func (s stalls) check(t *testing.T, what string, most time.Duration) {
	t.Helper()
	t.Logf("%s: longest stall %v of %d pings, %v in all", what, round(s.longest), s.pings, round(s.sum))
	if s.longest > most {
		t.Errorf("%s: the bystander waited %v, want %v at most", what, s.longest, most)
	}
}

func round(d time.Duration) time.Duration { return d.Round(100 * time.Microsecond) }
