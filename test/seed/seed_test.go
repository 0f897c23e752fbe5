// Package seed tests the plugin as its users run it: real brokers, a real
// MariaDB, and the configurations that people brought from both predecessors.
package seed

import (
	"crypto/rand"
	"fmt"
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
	"mosquitto-go-auth/test/stall"
)

func TestMain(m *testing.M) { os.Exit(mariadbtest.Main(m)) }

// password is that of the tests' users; nothing may log it.
const password = "pass-of-the-tests"

// cheap is a stored hash of password that takes the least time to verify.
var cheap = sync.OnceValue(func() string { return bcrypt(4) })

func bcrypt(cost int) string {
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

// start starts a broker with options of the plugin, one to a line and without
// their plugin_opt_.
func start(t *testing.T, b brokertest.Broker, options string, more ...brokertest.Option) *brokertest.Running {
	t.Helper()
	r := brokertest.Start(t, b, configuration(options), more...)
	watch(t, r)
	return r
}

func configuration(options string) string {
	text := "allow_anonymous false\nplugin {{.Plugin}}\n"
	for line := range strings.SplitSeq(options, "\n") {
		if line = strings.TrimSpace(line); line != "" {
			text += "plugin_opt_" + line + "\n"
		}
	}
	return text
}

// hashed is how stored hashes look.
var hashed = regexp.MustCompile(`\$2[aby]\$\d+\$[./\w]{4}|PBKDF2\$\w+\$\d+\$\S{4}|argon2id\$v=\d+\$m=\d+|\$[67]\$[\w/+$]{8}`)

// watch has the end of the test look for what no log may hold.
func watch(t *testing.T, r *brokertest.Running) {
	t.Cleanup(func() {
		log := r.Log()
		for _, never := range []string{"a fault in the plugin", password, hashed.FindString(log)} {
			if never != "" && strings.Contains(log, never) {
				t.Errorf("the log holds %q", never)
			}
		}
	})
}

// user returns the options of a client whose id is the user's name.
func user(name string) mqtt.Options {
	o := mqtt.As(name, password)
	o.ID = name
	return o
}

// login lets a user in, or ends the test.
func login(t *testing.T, r *brokertest.Running, name string) *mqtt.Client {
	t.Helper()
	return mqtt.Login(t, r.Addr, user(name))
}

// refused checks that a client is not let in, and that the answer is the
// honest one of its protocol.
func refused(t *testing.T, r *brokertest.Running, o mqtt.Options) {
	t.Helper()
	want := mqtt.NotAuthorized
	if o.Version == 5 {
		want = mqtt.Denied
	}
	if _, answer := mqtt.TryLogin(t, r.Addr, o); answer.Code != want {
		t.Errorf("user %q, client %q: CONNACK %v, want %v", *o.Username, o.ID, answer.Code, want)
	}
}

// reaches tells whether a message that one client publishes arrives at another,
// which has subscribed to the topic. PUBACK says that the broker has passed it on
// or dropped it, so that it cannot come after the answer to a ping.
func reaches(t *testing.T, from, to *mqtt.Client, topic string) bool {
	t.Helper()
	sent := mqtt.Message{Topic: topic, Payload: rand.Text(), QoS: 1}
	if from.Publish(sent) == mqtt.Closed {
		t.Fatalf("client %q was disconnected for publishing %s", from.ID, topic)
	}
	if !to.Alive() {
		t.Fatalf("client %q was disconnected", to.ID)
	}
	arrived := false
	for got, ok := to.Message(0); ok; got, ok = to.Message(0) {
		arrived = arrived || got == sent
	}
	return arrived
}

// subscribes tells whether a client is granted a filter.
func subscribes(c *mqtt.Client, filter string) bool {
	code := c.Subscribe(1, filter)[0]
	return code >= 0 && code < mqtt.Failure
}

// mustSubscribe ends the test unless a client is granted all filters.
func mustSubscribe(t *testing.T, c *mqtt.Client, filters ...string) {
	t.Helper()
	for _, filter := range filters {
		if !subscribes(c, filter) {
			t.Fatalf("client %q is not granted %s", c.ID, filter)
		}
	}
}

// within fails the test if something takes longer than it may, on a machine that runs.
func within(t *testing.T, limit time.Duration, what string, do func()) {
	t.Helper()
	clock := stall.Start()
	do()
	if took := clock.Took(); took > limit {
		t.Errorf("%s took %v, want %v at most", what, took, limit)
	}
}

// logs waits until the broker has logged each of the texts.
func logs(t *testing.T, r *brokertest.Running, texts ...string) {
	t.Helper()
	for _, text := range texts {
		r.WaitLog(t, text)
	}
}

// quoted is how the plugin's log names a user.
func quoted(name string) string { return fmt.Sprintf("user %q", name) }

// can finds out what a client may do with a topic, as r, w and s; what it may
// not subscribe to, it cannot read. other may do everything.
func can(t *testing.T, c, other *mqtt.Client, topic string) string {
	t.Helper()
	got := []byte("---")
	if subscribes(c, topic) {
		got[2] = 's'
		if reaches(t, other, c, topic) {
			got[0] = 'r'
		}
	}
	mustSubscribe(t, other, topic)
	if reaches(t, c, other, topic) {
		got[1] = 'w'
	}
	return string(got)
}

// expect compares what a client may do with what it should.
func expect(t *testing.T, c, other *mqtt.Client, topic, want string) {
	t.Helper()
	if got := can(t, c, other, topic); got != want {
		t.Errorf("client %q, topic %s: %s, want %s", c.ID, topic, got, want)
	}
}

// contains tells whether the broker has logged a text.
func contains(r *brokertest.Running, text string) bool { return strings.Contains(r.Log(), text) }
