package broker_test

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mosquitto-go-auth/hashing"
	"mosquitto-go-auth/test/brokertest"
	"mosquitto-go-auth/test/mqtt"
)

// Mosquitto's built-in set-up, and what becomes of it.
const (
	builtIn = `
allow_anonymous false
password_file {{.Dir}}/passwd
listener {{.Port}} 127.0.0.1
`
	moved = `
allow_anonymous false
plugin {{.Plugin}}
plugin_opt_password_file {{.Dir}}/passwd
listener {{.Port}} 127.0.0.1
`
)

// logins are tried on both; the answers must be alike.
var logins = []struct {
	name string
	o    mqtt.Options
}{
	{"right", mqtt.As("ann", secret)},
	{"right once more", mqtt.As("ann", secret)},
	{"wrong", mqtt.As("ann", "guess")},
	{"wrong by a letter more", mqtt.As("ann", secret+"s")},
	{"empty password", mqtt.As("ann", "")},
	{"unknown", mqtt.As("eve", secret)},
	{"other case", mqtt.As("Ann", secret)},
	{"blank around the name", mqtt.As("ann ", secret)},
	{"empty name", mqtt.As("", secret)},
	{"empty both", mqtt.As("", "")},
	{"anonymous", mqtt.Options{}},
	{"name with a slash", mqtt.As("a/b", secret)},
	{"name with a blank", mqtt.As("a b", secret)},
	{"name in UTF-8", mqtt.As("安娜", secret)},
	{"no password", mqtt.Options{Username: new("ann")}},
	{"password with NUL", mqtt.As("ann", "\x00"+secret)},
	{"password in a comment", mqtt.As("#eve", secret)},
}

func TestLoginsAreAnsweredAsBefore(t *testing.T) {
	passwd := brokertest.File("passwd", "# users\n"+accounts("ann", "bob", "a/b", "a b", "安娜", "#eve"))
	brokertest.Each(t, func(t *testing.T, b brokertest.Broker) {
		before, after := brokertest.Start(t, b, builtIn, passwd), brokertest.Start(t, b, moved, passwd)
		for _, login := range logins {
			for _, version := range []byte{3, 4, 5} {
				o := login.o
				o.Version, o.ID = version, fmt.Sprintf("client%d", version)
				_, want := mqtt.TryLogin(t, before.Addr, o)
				if _, got := mqtt.TryLogin(t, after.Addr, o); got != want {
					t.Errorf("%s, version %d: %+v, and of the broker itself %+v", login.name, version, got, want)
				}
			}
		}
	})
}

// What no client may send, or only with MQTT 5: neither must be let in.
func TestPasswordWithoutName(t *testing.T) {
	brokertest.Each(t, func(t *testing.T, b brokertest.Broker) {
		r := brokertest.Start(t, b, moved, brokertest.File("passwd", accounts("ann")))
		for version, want := range map[byte]mqtt.Code{4: mqtt.Closed, 5: mqtt.Denied} {
			c := mqtt.Dial(t, r.Addr, mqtt.Options{Version: version, ID: "x", Password: []byte(secret)})
			if got := c.Connect(); got.Code != want {
				t.Errorf("version %d: %v, want %v", version, got.Code, want)
			}
		}
		mqtt.Login(t, r.Addr, as("ann", ""))
	})
}

// A password after a NUL byte counts for no plugin of Mosquitto up to 2.1.2. The
// plugin must not let in more than the broker itself does.
func TestPasswordEndsAtNUL(t *testing.T) {
	passwd := brokertest.File("passwd", accounts("ann"))
	brokertest.Each(t, func(t *testing.T, b brokertest.Broker) {
		before, after := brokertest.Start(t, b, builtIn, passwd), brokertest.Start(t, b, moved, passwd)
		o := mqtt.As("ann", secret+"\x00more")
		_, want := mqtt.TryLogin(t, before.Addr, o)
		_, got := mqtt.TryLogin(t, after.Addr, o)
		t.Logf("the broker itself %v, the plugin %v", want.Code, got.Code)
		if got.Code == mqtt.Success && want.Code != mqtt.Success {
			t.Error("let in")
		}
	})
}

// Without an ACL file everything is allowed, as with password_file alone.
func TestWithoutRulesAllIsAllowed(t *testing.T) {
	for name, lines := range map[string]string{"before": builtIn, "after": moved} {
		t.Run(name, func(t *testing.T) {
			brokertest.Each(t, func(t *testing.T, b brokertest.Broker) {
				r := brokertest.Start(t, b, lines, brokertest.File("passwd", accounts("ann")))
				c := mqtt.Login(t, r.Addr, with(as("ann", "c"), func(o *mqtt.Options) { o.Version = 5 }))
				if got := c.Subscribe(1, "#", "$SYS/broker/version", "$share/g/x/+"); !slices.Equal(got, []mqtt.Code{1, 1, 1}) {
					t.Errorf("subscribing: %v", got)
				}
				if m, ok := c.Message(mqtt.Patience); !ok || m.Topic != "$SYS/broker/version" {
					t.Errorf("instead of the version: %+v, %v", m, ok)
				}
				if got := c.Publish(mqtt.Message{Topic: "any/thing", QoS: 1}); got != mqtt.Success {
					t.Errorf("publishing: %v", got)
				}
				if m, ok := c.Message(mqtt.Patience); !ok || m.Topic != "any/thing" {
					t.Errorf("received %+v, %v", m, ok)
				}
				if got := c.Unsubscribe("#", "$share/g/x/+"); !slices.Equal(got, []mqtt.Code{0, 0}) {
					t.Errorf("unsubscribing: %v", got)
				}
			})
		})
	}
}

// The broker's own acl_file counts where the plugin has no rules.
func TestBesideTheBrokersACLFile(t *testing.T) {
	brokertest.Each(t, func(t *testing.T, b brokertest.Broker) {
		r := brokertest.Start(t, b, moved+"acl_file {{.Dir}}/acl\n", brokertest.File("passwd", accounts("ann", "bob")),
			brokertest.File("acl", "user ann\ntopic readwrite a/#\ntopic read b/#\nuser bob\ntopic b/#\n"))
		ann := mqtt.Login(t, r.Addr, with(as("ann", "a"), func(o *mqtt.Options) { o.Version = 5 }))
		bob := mqtt.Login(t, r.Addr, with(as("bob", "b"), func(o *mqtt.Options) { o.Version = 5 }))
		ann.Subscribe(0, "#")
		bob.Subscribe(0, "#")
		for _, test := range []struct {
			c     *mqtt.Client
			topic string
			want  mqtt.Code
		}{{ann, "a/1", mqtt.Success}, {ann, "b/2", mqtt.Denied}, {bob, "a/3", mqtt.Denied}, {bob, "b/4", mqtt.Success}} {
			if got := test.c.Publish(mqtt.Message{Topic: test.topic, QoS: 1}); got != test.want {
				t.Errorf("%s publishes %s: %v, want %v", *test.c.Username, test.topic, got, test.want)
			}
		}
		for _, want := range []string{"a/1", "b/4"} {
			if m, ok := ann.Message(mqtt.Patience); !ok || m.Topic != want {
				t.Errorf("ann received %+v, want %s", m, want)
			}
		}
		if m, ok := bob.Message(mqtt.Patience); !ok || m.Topic != "b/4" {
			t.Errorf("bob received %+v, want b/4", m)
		}
	})
}

// Every mosquitto_passwd that there is writes each kind of hash it can; all of
// them verify on all brokers.
func TestPasswordFilesOfEachBroker(t *testing.T) {
	brokers := brokertest.All(t)
	dir := t.TempDir()
	var passwd strings.Builder
	var names []string
	shapes := map[string]int{}
	for _, b := range brokers {
		if b.Passwd() == "" {
			continue
		}
		for _, kind := range []string{"", "sha512", "sha512-pbkdf2", "argon2id"} {
			name := fmt.Sprintf("%s %s", b.Version, kind)
			line := hashWith(t, b, filepath.Join(dir, name), kind, name)
			if line == "" {
				t.Logf("mosquitto_passwd %s makes no %s", b.Version, kind)
				continue
			}
			passwd.WriteString(line)
			names = append(names, strings.TrimSpace(name))
			shapes[shape(line)]++
		}
	}
	t.Log("shapes:", shapes)
	if len(names) == 0 {
		t.Skip("no mosquitto_passwd")
	}
	if shapes["$argon2id with 86 characters of salt"] == 0 {
		names = append(names, "like 2.1")
		passwd.WriteString("like 2.1:" + argon2id(t, secret+"like 2.1") + "\n")
	}
	for _, b := range brokers {
		t.Run(b.Version, func(t *testing.T) {
			r := start(t, b, passwd.String(), "")
			for _, name := range names {
				o := mqtt.As(name, secret+name)
				o.ID = "client"
				if _, got := mqtt.TryLogin(t, r.Addr, o); got.Code != mqtt.Success {
					t.Errorf("%s: %v", name, got.Code)
				}
				o.Password = []byte(secret)
				if _, got := mqtt.TryLogin(t, r.Addr, o); got.Code != mqtt.NotAuthorized {
					t.Errorf("%s with a wrong password: %v", name, got.Code)
				}
			}
		})
	}
}

// argon2id returns what a mosquitto_passwd of 2.1 would write that was built with
// argon2; Debian's is not.
func argon2id(t *testing.T, password string) string {
	t.Helper()
	m, err := hashing.New("argon2id", hashing.Params{Memory: 47104, Iterations: 1, SaltSize: 64, KeyLength: 64})
	if err != nil {
		t.Fatal(err)
	}
	hash, err := m.Make(password)
	if err != nil {
		t.Fatal(err)
	}
	return hash
}

// hashWith returns the line that mosquitto_passwd writes, "" if it cannot.
func hashWith(t *testing.T, b brokertest.Broker, file, kind, name string) string {
	t.Helper()
	name = strings.TrimSpace(name)
	args := []string{"-c", "-b", file, name, secret + name}
	if kind != "" {
		args = append([]string{"-H", kind}, args...)
	}
	out, err := exec.Command(b.Passwd(), args...).CombinedOutput()
	if err != nil {
		if kind == "" {
			t.Fatalf("mosquitto_passwd %s: %v: %s", b.Version, err, out)
		}
		return ""
	}
	return brokertest.Read(t, file)
}

// shape tells the kind of a hash, and how long its salt is.
func shape(line string) string {
	_, hash, _ := strings.Cut(strings.TrimSpace(line), ":")
	fields := strings.Split(hash, "$")
	salt := fields[len(fields)-2]
	return fmt.Sprintf("$%s with %d characters of salt", fields[1], len(salt))
}
