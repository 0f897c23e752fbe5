package broker_test

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mosquitto-go-auth/test/brokertest"
	"mosquitto-go-auth/test/mqtt"
)

// kinds are the sessions that a broker can have.
var kinds = []struct {
	name string
	set  func(*mqtt.Options)
}{
	{"3.1", func(o *mqtt.Options) { o.Version = 3 }},
	{"3.1.1", func(o *mqtt.Options) {}},
	{"3.1.1 persistent", func(o *mqtt.Options) { o.Persistent = true }},
	{"5", func(o *mqtt.Options) { o.Version = 5 }},
	{"5 persistent", func(o *mqtt.Options) { o.Version, o.Persistent, o.SessionExpiry = 5, true, 600 }},
	{"5 begun clean", func(o *mqtt.Options) { o.Version, o.SessionExpiry = 5, 600 }},
	{"5 resumed for now", func(o *mqtt.Options) { o.Version, o.Persistent = 5, true }},
}

// reload has the broker reload for the nth time, and waits until the plugin has.
func reload(t *testing.T, r *brokertest.Running, n int) {
	t.Helper()
	r.Reload()
	brokertest.WaitFor(t, "the reload", func() bool { return strings.Count(r.Log(), "read again: files") >= n })
}

// Clients of users that stay stay, whatever kind they are; the others go.
func TestReloadKeepsAndKicks(t *testing.T) {
	brokertest.Each(t, func(t *testing.T, b brokertest.Broker) {
		r := start(t, b, accounts("stays", "goes", "changes"), "allow_anonymous true\n")
		log := func(name string) (all []*mqtt.Client) {
			for _, kind := range kinds {
				all = append(all, mqtt.Login(t, r.Addr, with(as(name, name+" "+kind.name), kind.set)))
			}
			return all
		}
		stay, go1, go2 := log("stays"), log("goes"), log("changes")
		for _, version := range []byte{3, 4, 5} {
			stay = append(stay, mqtt.Login(t, r.Addr, mqtt.Options{ID: fmt.Sprint("none", version), Version: version}))
		}

		reload(t, r, 1) // nothing has changed
		for _, c := range slices.Concat(stay, go1, go2) {
			if !c.Alive() {
				t.Errorf("%q is gone after a reload that changed nothing", c.ID)
			}
		}

		write(t, filepath.Join(r.Dir, "passwd"), accounts("stays")+account("changes", "new", quick))
		reload(t, r, 2)
		for _, c := range slices.Concat(go1, go2) {
			if !c.Ended(mqtt.Patience) {
				t.Errorf("%q is still there", c.ID)
			}
		}
		reload(t, r, 3)
		for _, c := range stay {
			if !c.Alive() {
				t.Errorf("%q is gone", c.ID)
			}
		}
		expectLogin(t, r.Addr, "goes", secret, mqtt.NotAuthorized)
		expectLogin(t, r.Addr, "changes", secret, mqtt.NotAuthorized)
		expectLogin(t, r.Addr, "changes", "new", mqtt.Success)
		expectLogin(t, r.Addr, "stays", secret, mqtt.Success)
	})
}

// Rights that are gone from the file are gone at once.
func TestReloadTakesRights(t *testing.T) {
	brokertest.Each(t, func(t *testing.T, b brokertest.Broker) {
		r := start(t, b, accounts("ann"), "plugin_opt_acl_file {{.Dir}}/acl\nallow_anonymous true\n",
			brokertest.File("acl", "topic a/#\nuser ann\ntopic a/#\n"))
		clients := []*mqtt.Client{
			mqtt.Login(t, r.Addr, with(as("ann", "c"), func(o *mqtt.Options) { o.Version = 5 })),
			mqtt.Login(t, r.Addr, mqtt.Options{ID: "none", Version: 5}),
		}
		publish := func(topic string) (codes []mqtt.Code) {
			for _, c := range clients {
				codes = append(codes, c.Publish(mqtt.Message{Topic: topic, QoS: 1}))
			}
			return codes
		}
		if got := publish("b/1"); !slices.Equal(got, []mqtt.Code{mqtt.Denied, mqtt.Denied}) {
			t.Errorf("before: %v", got)
		}
		clients[0].Subscribe(0, "#")
		write(t, filepath.Join(r.Dir, "acl"), "topic b/#\nuser ann\ntopic b/#\n")
		reload(t, r, 1)
		if got := publish("a/1"); !slices.Equal(got, []mqtt.Code{mqtt.Denied, mqtt.Denied}) {
			t.Errorf("what is no longer allowed: %v", got)
		}
		for _, code := range publish("b/1") {
			if code >= 0x80 {
				t.Errorf("what is allowed now: %v", code)
			}
		}
		if got := seen(t, clients[0]); !slices.Equal(got, []string{"b/1", "b/1"}) {
			t.Errorf("delivered: %v", got)
		}

		write(t, filepath.Join(r.Dir, "acl"), "topic c/#\nnonsense\n")
		r.Reload()
		r.WaitLog(t, "/acl:2: ")
		r.WaitLog(t, "what was read before stays in force")
		if got := publish("b/1"); got[0] >= 0x80 {
			t.Errorf("after a reload of a bad file: %v", got)
		}
		if got := publish("c/1"); !slices.Equal(got, []mqtt.Code{mqtt.Denied, mqtt.Denied}) {
			t.Errorf("what a bad file grants: %v", got)
		}
	})
}

// A session without a connection outlives a reload, and with it what waits there,
// also where its password would take long to verify.
func TestReloadKeepsOfflineSessions(t *testing.T) {
	for name, lines := range map[string]string{"remembered": "", "not remembered": "plugin_opt_hash_memo false\n"} {
		t.Run(name, func(t *testing.T) {
			brokertest.Each(t, func(t *testing.T, b brokertest.Broker) {
				r := start(t, b, account("ann", secret, slow/2)+accounts("boss"), lines)
				gone := leaveSessions(t, r)
				sender := mqtt.Login(t, r.Addr, as("boss", "sender"))
				for n := range 2 {
					sender.Publish(mqtt.Message{Topic: fmt.Sprint("queue/", n), QoS: 1})
					reload(t, r, n+1)
				}
				sender.Publish(mqtt.Message{Topic: "queue/2", QoS: 1})
				for _, o := range gone {
					o.Persistent = true // now it is to be resumed
					c, answer := mqtt.TryLogin(t, r.Addr, o)
					if answer.Code != mqtt.Success || !answer.SessionPresent {
						t.Errorf("%s: %+v, want its session", o.ID, answer)
						continue
					}
					if got := seen(t, c); !slices.Equal(got, []string{"queue/0", "queue/1", "queue/2"}) {
						t.Errorf("%s receives %v", o.ID, got)
					}
				}
			})
		})
	}
}

// leaveSessions has clients subscribe and go, and returns those whose session
// stays.
func leaveSessions(t *testing.T, r *brokertest.Running) (gone []mqtt.Options) {
	t.Helper()
	for _, kind := range kinds {
		o := with(as("ann", kind.name), kind.set)
		if o.SessionExpiry == 0 && (o.Version == 5 || !o.Persistent) {
			continue
		}
		c := mqtt.Login(t, r.Addr, o)
		if got := c.Subscribe(1, "queue/#"); got[0] != 1 {
			t.Fatalf("%s subscribes: %v", o.ID, got)
		}
		c.Disconnect(mqtt.Success)
		gone = append(gone, o)
	}
	return gone
}

// A session of MQTT 5 without a connection that the broker is told to end at a
// reload is freed twice, in Mosquitto 2.0, when its client comes back: the broker's
// own password file ends it so. malloc is made to show it.
func TestReloadAndARefusedSession(t *testing.T) {
	brokertest.Each(t, func(t *testing.T, b brokertest.Broker) {
		r := start(t, b, accounts("ann"), "", brokertest.Env("MALLOC_PERTURB_=165"), brokertest.Env("GLIBC_TUNABLES=glibc.malloc.tcache_count=0"))
		o := with(as("ann", "offline"), func(o *mqtt.Options) { o.Version, o.Persistent, o.SessionExpiry = 5, true, 600 })
		mqtt.Login(t, r.Addr, o).Disconnect(mqtt.Success)
		write(t, filepath.Join(r.Dir, "passwd"), account("ann", "new", quick))
		time.Sleep(sessionCheck) // the broker sorts by the second
		reload(t, r, 1)
		time.Sleep(sessionCheck)
		o.Password = []byte("new")
		c := mqtt.Login(t, r.Addr, o)
		time.Sleep(sessionCheck)
		if !c.Alive() {
			t.Error("the broker is gone")
		}
	})
}

// Likewise of a session that was restored from the disk: the broker has no password of
// it to ask about. It stays until somebody comes for it, and so does what waits in it.
func TestReloadAndARestoredSession(t *testing.T) {
	brokertest.Each(t, func(t *testing.T, b brokertest.Broker) {
		hostile := []brokertest.Option{brokertest.Env("MALLOC_PERTURB_=165"), brokertest.Env("GLIBC_TUNABLES=glibc.malloc.tcache_count=0"),
			brokertest.Var("store", t.TempDir())}
		const persistence = "persistence true\npersistence_location {{.Vars.store}}/\n"
		passwd := accounts("ann", "bob")
		r := start(t, b, passwd, persistence, hostile...)
		o := with(as("ann", "offline"), func(o *mqtt.Options) { o.Version, o.Persistent, o.SessionExpiry = 5, true, 600 })
		c := mqtt.Login(t, r.Addr, o)
		c.Subscribe(1, "news")
		c.Disconnect(mqtt.Success)
		r.Stop()
		r = start(t, b, passwd, persistence, hostile...)
		bob := mqtt.Login(t, r.Addr, with(as("bob", "sender"), func(o *mqtt.Options) { o.Version = 5 }))
		bob.Publish(mqtt.Message{Topic: "news", Payload: "queued", QoS: 1})
		time.Sleep(sessionCheck)
		reload(t, r, 1)
		time.Sleep(sessionCheck)
		if strings.Contains(r.Log(), "no password") {
			t.Error("the session was refused")
		}
		c = mqtt.Login(t, r.Addr, o)
		if m, ok := c.Message(mqtt.Patience); !ok || m.Payload != "queued" {
			t.Errorf("what waited: %+v, %v", m, ok)
		}
		time.Sleep(sessionCheck)
		if !c.Alive() {
			t.Error("the broker is gone")
		}
	})
}

// sessionCheck is more than the second after which the broker looks for sessions
// that have expired.
const sessionCheck = 1200 * time.Millisecond

// A reload while logins are pending, and two reloads in a row.
func TestReloadsAndLogins(t *testing.T) {
	brokertest.Each(t, func(t *testing.T, b brokertest.Broker) {
		r := start(t, b, account("ann", secret, slow)+accounts("bob"), "")
		stay := mqtt.Login(t, r.Addr, as("bob", "stay"))
		c := mqtt.Dial(t, r.Addr, as("ann", "pending"))
		c.Send(c.ConnectPacket())
		for range 5 {
			r.Reload()
		}
		if got := c.Connack(mqtt.Patience); b.Delays() && got.Code != mqtt.Success {
			t.Errorf("the pending client: %v", got.Code)
		}
		mqtt.Login(t, r.Addr, as("ann", "again"))
		r.WaitLog(t, "read again: files")
		if !stay.Alive() {
			t.Error("a client is gone")
		}
	})
}

// What the plugin answers to RELOAD must not keep it from plugins behind it, nor
// from the broker's own files, nor end the broker.
func TestReloadReachesOthers(t *testing.T) {
	gcc, err := exec.LookPath("gcc")
	if err != nil {
		t.Skip("no gcc: the second plugin is a C program")
	}
	so := filepath.Join(t.TempDir(), "second.so")
	if out, err := exec.Command(gcc, "-shared", "-fPIC", "-Wall", "-Werror", "-o", so, "testdata/second.c").CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, out)
	}
	brokertest.Each(t, func(t *testing.T, b brokertest.Broker) {
		answer := ""
		if b.Delays() {
			answer = "plugin_opt_answer 0\n"
		}
		r := start(t, b, accounts("ann"), "plugin {{.Vars.second}}\n"+answer+"acl_file {{.Dir}}/acl\n",
			brokertest.Var("second", so), brokertest.File("acl", "user ann\ntopic a/#\n"))
		judges(t, r.Addr, "ann", "a/1", "b/1")
		write(t, filepath.Join(r.Dir, "acl"), "user ann\ntopic b/#\n")
		reload(t, r, 1)
		r.WaitLog(t, "second plugin told to reload")
		judges(t, r.Addr, "ann", "b/1", "a/1")
	})
}
