// Package seed tests the plugin as its users run it: real brokers, a real
// MariaDB, and the configurations that people brought from both predecessors.
package seed

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
	"mosquitto-go-auth/test/mariadbtest"
	"mosquitto-go-auth/test/mqtt"
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

// watch has the end of the test look for what no log may hold.
func watch(t *testing.T, r *brokertest.Running) {
	t.Cleanup(func() {
		for _, never := range []string{"a fault in the plugin", password, "$2a$", "$2b$", "$2y$", "$argon2id", "PBKDF2$", "$6$", "$7$"} {
			if strings.Contains(r.Log(), never) {
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
// which has subscribed to the topic. The other one then sends itself a message,
// on the topic mark/ID to which it has every right: what comes after it is late.
func reaches(t *testing.T, from, to *mqtt.Client, topic string) bool {
	t.Helper()
	sent := mqtt.Message{Topic: topic, Payload: "from " + from.ID, QoS: 1}
	mark := mqtt.Message{Topic: "mark/" + to.ID, Payload: rand.Text(), QoS: 1}
	mustSubscribe(t, to, mark.Topic)
	from.Publish(sent) // is acknowledged when it has been passed on, or dropped
	to.Publish(mark)
	arrived := false
	for {
		got, ok := to.Message(mqtt.Patience)
		switch {
		case !ok:
			t.Fatalf("client %q does not get its own message on %s", to.ID, mark.Topic)
		case got == mark:
			return arrived
		case got == sent:
			arrived = true
		}
	}
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

// within fails the test if something takes longer than it may.
func within(t *testing.T, limit time.Duration, what string, do func()) {
	t.Helper()
	begin := time.Now()
	do()
	if took := time.Since(begin); took > limit {
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
