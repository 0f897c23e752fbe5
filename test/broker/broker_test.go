// Package broker_test runs the plugin with the files backend in real brokers.
package broker_test

import (
	"crypto/pbkdf2"
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"os"
	"strings"
	"testing"

	"mosquitto-go-auth/test/brokertest"
	"mosquitto-go-auth/test/mqtt"
)

// Rounds of PBKDF2: quick ones verify within a millisecond; slow ones keep a
// login pending for some tenths of a second, long enough to do something to it
// meanwhile.
const (
	quick = 101
	slow  = 150_000
)

// account returns the line of a password file for a user, as mosquitto_passwd of
// Mosquitto 2.0 writes it, so that every broker reads it too.
func account(name, password string, rounds int) string {
	salt := []byte("twelve bytes")
	key, err := pbkdf2.Key(sha512.New, password, salt, rounds, sha512.Size)
	if err != nil {
		panic(err)
	}
	return fmt.Sprintf("%s:$7$%d$%s$%s\n", name, rounds,
		base64.StdEncoding.EncodeToString(salt), base64.StdEncoding.EncodeToString(key))
}

// secret is the password of every user that accounts makes.
const secret = "secret"

// accounts returns a password file with quick hashes.
func accounts(names ...string) string {
	var text strings.Builder
	for _, name := range names {
		text.WriteString(account(name, secret, quick))
	}
	return text.String()
}

// start starts a broker with the plugin and a password file {{.Dir}}/passwd, which is
// read again on SIGHUP only. More lines follow the plugin's.
func start(t *testing.T, b brokertest.Broker, passwd, lines string, options ...brokertest.Option) *brokertest.Running {
	t.Helper()
	return brokertest.Start(t, b, `
plugin {{.Plugin}}
plugin_opt_password_file {{.Dir}}/passwd
plugin_opt_files_watch false
plugin_opt_log_level debug
`+lines+"log_type all\n", append(options, brokertest.File("passwd", passwd))...)
}

// as returns a user of accounts with a client id.
func as(name, id string) mqtt.Options {
	o := mqtt.As(name, secret)
	o.ID = id
	return o
}

// with returns the options changed.
func with(o mqtt.Options, change func(*mqtt.Options)) mqtt.Options {
	change(&o)
	return o
}

// watch logs a user in that subscribes to everything.
func watch(t *testing.T, addr, name string) *mqtt.Client {
	t.Helper()
	c := mqtt.Login(t, addr, as(name, "watcher"))
	if got := c.Subscribe(0, "#"); got[0] != 0 {
		t.Fatalf("subscribing to #: %v", got)
	}
	return c
}

// seen returns the topics of the messages that a client has been sent so far. The
// broker keeps their order, so all of them come before the answer to a ping.
func seen(t *testing.T, c *mqtt.Client) (topics []string) {
	t.Helper()
	if !c.Alive() {
		t.Fatalf("client %q is gone", c.ID)
	}
	for m, ok := c.Message(0); ok; m, ok = c.Message(0) {
		topics = append(topics, m.Topic)
	}
	return topics
}

// delaying runs a test on every broker that can delay logins.
func delaying(t *testing.T, test func(t *testing.T, b brokertest.Broker)) {
	t.Helper()
	brokertest.Each(t, func(t *testing.T, b brokertest.Broker) {
		if !b.Delays() {
			t.Skip("this broker delays no login")
		}
		test(t, b)
	})
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
