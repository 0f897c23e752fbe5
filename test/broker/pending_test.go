package broker_test

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"mosquitto-go-auth/test/brokertest"
	"mosquitto-go-auth/test/mqtt"
)

// evil returns a client that claims a name and leaves a will.
func evil(name, password, id string) mqtt.Options {
	o := mqtt.As(name, password)
	o.ID = id
	o.Will = &mqtt.Will{Message: mqtt.Message{Topic: "will/" + id, Payload: "owned"}}
	return o
}

// ping is what a pending client must not send: the broker drops it.
var ping = mqtt.Packet{Type: mqtt.PINGREQ}.Bytes()

// ends are the ways in which a pending client can go.
var ends = []struct {
	name      string
	keepAlive uint16
	end       func(*mqtt.Client)
}{
	{"FIN", 0, (*mqtt.Client).Drop},
	{"RST", 0, (*mqtt.Client).Abort},
	{"ping", 0, func(c *mqtt.Client) { c.Send(ping) }},
	{"subscribe", 0, func(c *mqtt.Client) { c.Send(c.SubscribePacket(1, 0, "#")) }},
	{"second connect", 0, func(c *mqtt.Client) { c.Send(c.ConnectPacket()) }},
	{"keepalive", 1, func(*mqtt.Client) {}},
}

// slowest is a hash of secret with 40 times the rounds of slow, made beforehand: the
// race detector makes hashing slow.
const slowest = "$7$6000000$dHdlbHZlIGJ5dGVz$YJgfY2IPv0kFZlB6JXcTRO0GogZvbtIb+djDAknAbrSvE+rTxvGyCAwBDeKC0vKFtn1FeVb8LwWi6Ljlq/cXAQ=="

// Without rules, so that every will that gets past the guard is published. The
// passwords are right: a client that goes before it is let in has no will all the
// same. Only the keepalive may end too late for that, so who waits for it guesses.
func TestWillOfAPendingClient(t *testing.T) {
	delaying(t, func(t *testing.T, b brokertest.Broker) {
		// The first hash takes longer than the keepalive, and than all that is done to the
		// others, which wait for it.
		passwd := accounts("watcher") + account("ann", secret, slow) + "first:" + slowest + "\n"
		r := start(t, b, passwd, "plugin_opt_hash_limit 1\nplugin_opt_auth_timeout 60s\nplugin_opt_hash_max_pbkdf2_iterations 10000000\n")
		watcher := watch(t, r.Addr, "watcher")
		first := mqtt.Dial(t, r.Addr, as("first", "first"))
		first.Send(first.ConnectPacket())
		var ids []string
		for _, version := range []byte{3, 4} {
			for _, end := range ends {
				id := fmt.Sprintf("%s-%d", end.name, version)
				o := evil("ann", secret, id)
				o.Version, o.KeepAlive = version, end.keepAlive
				if end.keepAlive > 0 {
					o.Password = []byte("guess")
				}
				c := mqtt.Dial(t, r.Addr, o)
				c.Send(c.ConnectPacket())
				settle(t, r)
				end.end(c)
				ids = append(ids, id)
			}
		}
		if got := first.Connack(12 * mqtt.Patience); got.Code != mqtt.Success {
			t.Fatalf("the client that stays: %v", got.Code)
		}
		for _, id := range ids {
			r.WaitLog(t, fmt.Sprintf("client %q, address 127.0.0.1: ", id)) // the verdict
		}
		for range 3 { // turns of the broker's loop
			for _, topic := range seen(t, watcher) {
				t.Errorf("published: %s", topic)
			}
		}
	})
}

// A client that was let in has a will as ever.
func TestWillOfAClient(t *testing.T) {
	brokertest.Each(t, func(t *testing.T, b brokertest.Broker) {
		r := start(t, b, accounts("watcher", "ann"), "")
		watcher := watch(t, r.Addr, "watcher")
		for _, version := range []byte{3, 4, 5} {
			o := evil("ann", secret, fmt.Sprint(version))
			o.Version = version
			mqtt.Login(t, r.Addr, o).Drop()
			if m, ok := watcher.Message(mqtt.Patience); !ok || m.Topic != "will/"+o.ID {
				t.Errorf("version %d: %+v, %v", version, m, ok)
			}
		}
	})
}

// The keepalive of many clients ends while their refusals come in: a guard that is
// gone a turn of the broker's loop too early lets some wills out. With plugin_use
// for two listeners, the broker calls TICK twice a turn.
func TestWillsWhenRefusalAndKeepaliveMeet(t *testing.T) {
	const clients = 100
	for name, lines := range map[string]string{
		"plugin": `
plugin {{.Plugin}}
plugin_opt_password_file {{.Dir}}/passwd
listener {{.Port}} 127.0.0.1
`,
		"plugin_use twice": `
plugin_load auth {{.Plugin}}
plugin_opt_password_file {{.Dir}}/passwd
listener {{.Port}} 127.0.0.1
plugin_use auth
listener {{.Port2}} 127.0.0.1
plugin_use auth
`} {
		t.Run(name, func(t *testing.T) {
			delaying(t, func(t *testing.T, b brokertest.Broker) {
				passwd := accounts("watcher")
				for i := range clients { // a user each, since refusals that are alike are counted in the log
					passwd += account(fmt.Sprint("ann", i), secret, slow/5)
				}
				r := brokertest.Start(t, b, "allow_anonymous false\n"+lines, brokertest.File("passwd", passwd))
				watcher := watch(t, r.Addr, "watcher")
				var all []*mqtt.Client
				for i := range clients {
					o := evil(fmt.Sprint("ann", i), fmt.Sprint("guess", i), fmt.Sprint("evil", i))
					o.KeepAlive = 1
					c := mqtt.Dial(t, r.Addr, o)
					c.Send(c.ConnectPacket())
					all = append(all, c)
				}
				refused := 0
				for _, c := range all {
					if c.Connack(mqtt.Patience).Code == mqtt.NotAuthorized {
						refused++
					}
				}
				t.Logf("%d of %d were refused before their keepalive ended", refused, clients)
				brokertest.WaitFor(t, "the last refusal", func() bool {
					return strings.Count(r.Log(), `user "ann`) >= clients
				})
				for range 3 {
					if got := seen(t, watcher); len(got) > 0 {
						t.Errorf("published: %v", got)
					}
				}
			})
		})
	}
}

// With MQTT 5 nobody is pending: a client whose hash takes longer than login_wait is
// told to come back at once. Its will, which in Mosquitto 2.1 could go out under the name that
// it claims, does not.
func TestVersion5IsNotDelayed(t *testing.T) {
	brokertest.Each(t, func(t *testing.T, b brokertest.Broker) {
		passwd := accounts("watcher") + account("ann", secret, 4*slow)
		r := start(t, b, passwd, "plugin_opt_login_wait 1ms\n")
		watcher := watch(t, r.Addr, "watcher")
		for i, tail := range [][]byte{nil, {0xe0, 1, 4}, append([]byte{0xe0, 1, 4}, ping...)} {
			for _, password := range []string{"guess", secret} {
				o := evil("ann", fmt.Sprint(password, i), fmt.Sprintf("evil-%s-%d", password, i))
				o.Version, o.SessionExpiry, o.KeepAlive = 5, 10, 1
				if password == secret {
					o.Password = []byte(secret)
					o.Will = nil // it may have one: after the first check it is let in
				}
				c := mqtt.Dial(t, r.Addr, o)
				c.Send(c.ConnectPacket(), tail)
				if password != secret {
					r.WaitLog(t, fmt.Sprintf("client %q, address 127.0.0.1: told to come back", o.ID))
					if got := c.Connack(mqtt.Patience); got.Code != mqtt.Closed {
						t.Errorf("%d: %v, want it closed", i, got.Code)
					}
				}
			}
		}
		if _, got := mqtt.TryLogin(t, r.Addr, with(as("ann", "in"), func(o *mqtt.Options) { o.Version = 5 })); got.Code != mqtt.Success {
			t.Errorf("in the end: %v", got.Code)
		}
		if got := seen(t, watcher); len(got) > 0 {
			t.Errorf("published: %v", got)
		}
		if strings.Contains(r.Log(), " 1 delayed") {
			t.Error("a login was delayed")
		}
	})
}

// pend connects a client and waits until its login is under way.
func pend(t *testing.T, r *brokertest.Running, o mqtt.Options) *mqtt.Client {
	t.Helper()
	c := mqtt.Dial(t, r.Addr, o)
	c.Send(c.ConnectPacket())
	settle(t, r)
	return c
}

// settle waits until the broker has read what was sent before: it takes a new
// connection only after that, and refuses this one, of no version that there is.
func settle(t *testing.T, r *brokertest.Running) {
	t.Helper()
	c := mqtt.Dial(t, r.Addr, mqtt.Options{ID: "of no version", Version: 9})
	if got := c.Connect(); got.Code == mqtt.Success || got.Code == mqtt.Silent {
		t.Fatalf("a client of no version: %v", got.Code)
	}
	c.Drop()
}

// The broker completes a login by client id alone: the late success of one client
// must not let in another that came with its id.
func TestLateSuccessOfAnother(t *testing.T) {
	delaying(t, func(t *testing.T, b brokertest.Broker) {
		r := start(t, b, account("ann", secret, 4*slow), "")
		for _, version := range []byte{3, 4, 5} {
			id := fmt.Sprint("dev", version)
			pend(t, r, with(as("ann", id), func(o *mqtt.Options) { o.Version = 4 })).Drop()
			o := mqtt.As("ann", "guess")
			o.ID, o.Version = id, version
			if _, got := mqtt.TryLogin(t, r.Addr, o); got.Code != answer(version, false) {
				t.Errorf("version %d: the second client is answered %v", version, got.Code)
			}
		}
		mqtt.Login(t, r.Addr, as("ann", "in"))
	})
}

// Who comes with the id of a pending client is closed by the broker; the pending
// one goes on.
func TestSecondClientWithAPendingID(t *testing.T) {
	delaying(t, func(t *testing.T, b brokertest.Broker) {
		r := start(t, b, account("ann", secret, 4*slow)+account("bob", secret, quick), "plugin_opt_acl_file {{.Dir}}/acl\n",
			brokertest.File("acl", "user ann\ntopic a/#\n"))
		var all []*mqtt.Client
		r.Together(func() { // or the first could be in before the others come
			for _, o := range []mqtt.Options{as("ann", "dev"), mqtt.As("ann", "guess"), as("bob", "")} {
				o.ID = "dev"
				c := mqtt.Dial(t, r.Addr, o)
				c.Send(c.ConnectPacket())
				all = append(all, c)
			}
		})
		first := all[0]
		for _, c := range all[1:] {
			if got := c.Connack(mqtt.Patience); got.Code != mqtt.Closed {
				t.Errorf("%s: %v, want it closed", *c.Username, got.Code)
			}
		}
		if got := first.Connack(mqtt.Patience); got.Code != mqtt.Success {
			t.Fatalf("the first: %v", got.Code)
		}
		first.Subscribe(0, "a/#")
		first.Publish(mqtt.Message{Topic: "a/1"})
		if got := seen(t, first); !slices.Equal(got, []string{"a/1"}) {
			t.Errorf("the first receives %v", got)
		}
	})
}

// A client that is connected stays until one with its id and a right password
// comes.
func TestTakeOver(t *testing.T) {
	brokertest.Each(t, func(t *testing.T, b brokertest.Broker) {
		r := start(t, b, account("ann", secret, slow/10)+accounts("bob"), "plugin_opt_acl_file {{.Dir}}/acl\n",
			brokertest.File("acl", "user ann\ntopic a/#\nuser bob\ntopic b/#\n"))
		for _, version := range []byte{4, 5} {
			v := func(o *mqtt.Options) { o.Version = version }
			c := mqtt.Login(t, r.Addr, with(as("ann", "dev"), v))
			guess := mqtt.As("ann", "guess")
			guess.ID = "dev"
			if _, got := mqtt.TryLogin(t, r.Addr, with(guess, v)); got.Code != answer(version, false) {
				t.Errorf("a guess: %v", got.Code)
			}
			if !c.Alive() {
				t.Error("a refused client has driven out the one with its id")
			}
			other := mqtt.Login(t, r.Addr, with(as("bob", "dev"), v))
			if !c.Ended(mqtt.Patience) {
				t.Error("the first client stays")
			}
			other.Subscribe(0, "#")
			other.Publish(mqtt.Message{Topic: "a/1"})
			other.Publish(mqtt.Message{Topic: "b/1"})
			if got := seen(t, other); !slices.Equal(got, []string{"b/1"}) {
				t.Errorf("version %d: the second client receives %v, want what bob may", version, got)
			}
		}
	})
}

// A client that does not wait for its CONNACK is dropped by the broker while it is
// pending. When it comes again, it is not delayed.
func TestClientThatDoesNotWait(t *testing.T) {
	brokertest.Each(t, func(t *testing.T, b brokertest.Broker) {
		for _, version := range []byte{3, 4, 5} {
			r := start(t, b, account("ann", secret, slow/10), "")
			o := with(as("ann", "hasty"), func(o *mqtt.Options) { o.Version = version })
			tries, in := 0, false
			for ; tries < 5 && !in; tries++ {
				c := mqtt.Dial(t, r.Addr, o)
				c.Send(c.ConnectPacket(), c.SubscribePacket(1, 0, "a/#"), c.PublishPacket(mqtt.Message{Topic: "a/1"}, 0))
				if in = c.Connack(mqtt.Patience).Code == mqtt.Success; !in {
					time.Sleep(time.Second) // as a real client does; then the hash is there
				} else if got := seen(t, c); !slices.Equal(got, []string{"a/1"}) {
					t.Errorf("version %d: received %v", version, got)
				}
			}
			if tries > 2 {
				t.Errorf("version %d: not in by the second try", version)
			}
			t.Logf("version %d: in by try %d", version, tries)
		}
	})
}

// The broker gives the address of a client that has gone to the next. That one must
// not be taken for the first, whose publishing was held back.
func TestAddressReuse(t *testing.T) {
	delaying(t, func(t *testing.T, b brokertest.Broker) {
		r := start(t, b, accounts("watcher", "bob")+account("ann", secret, slow), "")
		watcher := watch(t, r.Addr, "watcher")
		for i := range 10 {
			for _, version := range []byte{4, 5} {
				gone := pend(t, r, as("ann", fmt.Sprint("gone", i, version)))
				gone.Drop()
				c := mqtt.Login(t, r.Addr, with(as("bob", fmt.Sprint("next", i, version)), func(o *mqtt.Options) { o.Version = version }))
				if got := c.Publish(mqtt.Message{Topic: "next", QoS: 1}); got != mqtt.Success {
					t.Errorf("publishing: %v", got)
				}
				if m, ok := watcher.Message(mqtt.Patience); !ok || m.Topic != "next" {
					t.Fatalf("the publish of the next client has not come: %+v", m)
				}
				c.Disconnect(mqtt.Success)
			}
		}
	})
}

// A pending client that stays silent is answered, or closed, in bounded time.
func TestPendingEnds(t *testing.T) {
	delaying(t, func(t *testing.T, b brokertest.Broker) {
		passwd := account("ann", secret, quick) + "slow:$7$9999999$" + strings.Repeat("A", 16) + "$" + strings.Repeat("A", 86) + "==\n" // seconds
		r := start(t, b, passwd, "plugin_opt_hash_limit 1\nplugin_opt_auth_timeout 500ms\nplugin_opt_hash_max_pbkdf2_iterations 10000000\n")
		before := ticks(t, r)
		pend(t, r, as("slow", "first"))
		brokertest.WaitFor(t, "the first hash to be under way", func() bool { return ticks(t, r) > before+10 })
		begin := time.Now()
		c := pend(t, r, as("ann", "behind"))
		if got := c.Connack(mqtt.Patience); got.Code != mqtt.NotAuthorized {
			t.Errorf("who waited in vain for its turn: %v after %v, want a refusal", got.Code, time.Since(begin))
		}
	})
}

// ticks is how many hundredths of a second of a processor the broker has used by
// itself (utime in proc_pid_stat(5)).
func ticks(t *testing.T, r *brokertest.Running) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", r.PID))
	if err != nil {
		t.Fatal(err)
	}
	_, fields, _ := strings.Cut(string(text), ") ")
	n, err := strconv.Atoi(strings.Fields(fields)[11])
	if err != nil {
		t.Fatal(err)
	}
	return n
}
