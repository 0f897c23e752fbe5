// Package storm tests what many clients at once, and clients that come at a bad
// moment, do to the plugin in real brokers with a real MariaDB, and how the clients
// that people use come back when they are told to.
package storm

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mosquitto-go-auth/test/brokertest"
	"mosquitto-go-auth/test/mariadbtest"
	"mosquitto-go-auth/test/mqtt"
)

func TestMain(m *testing.M) { os.Exit(mariadbtest.Main(m)) }

// measured is for tests that bound how long something takes, which other work on
// the machine can spoil: they run when they are asked for.
func measured(t *testing.T) {
	t.Helper()
	if os.Getenv("GOAUTH_STORM") == "" {
		t.Skip("it measures, and wants a quiet machine: make storm runs it")
	}
}

// password is that of all users; nothing may log it.
const password = "pass-of-the-storm"

// bcrypt are stored hashes of the password, by their cost. They are made beforehand:
// the race detector makes hashing slow. Users share them, so that a test that wants
// every login to take a hash has `hash_memo false`.
var bcrypt = map[int]string{
	4:  `$2a$04$wCyRSNwUQouJwYHad85T3u19D8PAU6B9aSnAEBSLL5s.dX7Jk8vHa`,
	5:  `$2a$05$Xr8Q5vX4MJ1vPL1ddTESZuU8iIKKCgv4YIv8qu0YLt2IkptUk6Bte`,
	7:  `$2a$07$IyVWyXSXkuqn8qPlhKBKu.mTvoh16TFEG4S4Z/EVJCIelb63ddJPm`,
	8:  `$2a$08$rhInGUR9PgnM2Q4cAQfHsO1pTFYD5aOnhaPJXV8.ZhnemYTs.17Fi`,
	9:  `$2a$09$yWb639r8MQGQYMt.C8UOTuhwUMtLU46y9ZdXfDWkFcG4oYDpSCrvC`,
	10: `$2a$10$Dvg9Pc2SRXKxAIEoHHq6weu11AgHswxUUUItjXVW.gi1wYUN5ypcW`,
	12: `$2a$12$6BOahCSts6GCwBhYsCcZ3ea8f09F.Dl9d8e2D2dLEzRzm3CnDqlAm`,
}

// cheap takes a millisecond, and the plugin remembers that the password fits.
var cheap = bcrypt[4]

// A user's new password, and its hash, of cost 10.
const (
	newPassword = "another password"
	newHash     = `$2a$10$wx2PtLv3Lk3xL1jArnEDr.jvGj/4qYQ/T95HZSwOtFnvmcgHecGra`
)

// hashTime returns how long a broker that has nothing else to do takes for a login
// of a user whose hash it does not remember.
func hashTime(t *testing.T, r *brokertest.Running, name string) time.Duration {
	t.Helper()
	var took [3]time.Duration
	for i := range took {
		o := user(name, 4)
		o.ID = fmt.Sprint("hash time ", i)
		begin := time.Now()
		if got := loginFrom("127.0.0.4", r.Addr, o); got != mqtt.Success {
			t.Fatalf("%s: %v", name, got)
		}
		took[i] = time.Since(begin)
	}
	slices.Sort(took[:])
	return took[1]
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
	if counts := counts(r); counts != "" {
		t.Logf("mosquitto %s: %s", r.Version, counts)
	}
}

// counts returns what the plugin counted, as it logged at its end.
func counts(r *brokertest.Running) string {
	log := r.Log()
	i := strings.LastIndex(log, "logins: ")
	if i < 0 {
		return ""
	}
	counts, _, _ := strings.Cut(log[i:], "\n")
	return strings.TrimPrefix(counts, "logins: ")
}

// user returns the options of a client whose id is the user's name.
func user(name string, version byte) mqtt.Options {
	o := mqtt.As(name, password)
	o.ID, o.Version = name, version
	return o
}

// hurried returns a user that the broker cannot delay, whatever broker it is.
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
