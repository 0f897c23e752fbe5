package seed

import (
	"context"
	"testing"
	"time"

	"mosquitto-go-auth/test/brokertest"
	"mosquitto-go-auth/test/mariadbtest"
	"mosquitto-go-auth/test/mqtt"
)

// mortal is a store on a server of its own, which may stop.
func mortal(t *testing.T) *store {
	t.Helper()
	server := mariadbtest.Start(t, mariadbtest.Options{})
	server.Exec(t, "CREATE DATABASE mqtt")
	s := open(t, server, "mqtt")
	s.makeTables(t)
	s.exec(t, "SET GLOBAL innodb_flush_log_at_trx_commit = 1") // what is written outlives a crash
	s.addUser(t, "ann", "bob", "root")
	s.grant(t, "ann", "ann", 7)
	s.exec(t, "UPDATE mqtt_user SET is_admin = 1 WHERE username = 'root'")
	return s
}

const down = "logins that need it are refused as unavailable until it answers"

// prompt is how long an answer may take that waits for no database: half of
// the plugin's time-out in these tests, and long enough for a busy machine.
const (
	prompt  = time.Second
	timeout = "auth_timeout 2\n"
)

func TestOutage(t *testing.T) {
	s := mortal(t)
	brokertest.Each(t, func(t *testing.T, b brokertest.Broker) {
		t.Run("at start", func(t *testing.T) { s.testStart(t, b) })
		t.Run("restart", func(t *testing.T) { s.testRestart(t, b) })
		t.Run("pause", func(t *testing.T) { s.testPause(t, b) })
		for _, backends := range []string{"files, mysql", "mysql, files"} {
			t.Run(backends, func(t *testing.T) { s.testOneOfTwo(t, b, backends) })
		}
	})
}

// A database that is down does not stop the broker, which says so, and lets
// users in once the database is there.
func (s *store) testStart(t *testing.T, b brokertest.Broker) {
	s.server.Stop(t)
	var broker *brokertest.Running
	within(t, prompt, "starting without the database", func() {
		broker = start(t, b, "backends mysql\n"+timeout+s.options())
	})
	logs(t, broker, down)
	unavailable(t, broker, "ann")
	s.server.Restart(t)
	within(t, 2*time.Second, "logging in after the database came back", func() {
		brokertest.WaitFor(t, "a login", func() bool {
			_, answer := mqtt.TryLogin(t, broker.Addr, user("ann"))
			return answer.Code == mqtt.Success
		})
	})
	logs(t, broker, "mysql answers again")
}

// unavailable checks that a user is turned away, and the log says why.
func unavailable(t *testing.T, broker *brokertest.Running, name string) {
	t.Helper()
	for _, version := range []byte{4, 5} {
		o := user(name)
		o.Version = version
		mqtt.TurnedAway(t, broker.Addr, o)
	}
	logs(t, broker, quoted(name)+`, client "`+name+`", address 127.0.0.1: unavailable`)
}

// Clients that are connected keep their rights while the database is away, and
// get new ones when it is back.
func (s *store) testRestart(t *testing.T, b brokertest.Broker) {
	broker := start(t, b, "backends mysql\nacl_cache_seconds 1\n"+timeout+s.options())
	ann, root := login(t, broker, "ann"), login(t, broker, "root")
	expect(t, ann, root, "ann", "rws")
	s.server.Kill(t)
	brokertest.WaitFor(t, "a refresh that fails", func() bool {
		keeps(t, ann, root)
		return contains(broker, down)
	})
	keeps(t, ann, root)
	s.server.Restart(t)
	brokertest.WaitFor(t, "a refresh", func() bool {
		keeps(t, ann, root)
		return contains(broker, "mysql answers again")
	})
	s.revoke(t, "ann")
	brokertest.WaitFor(t, "the end of a right", func() bool { return !reaches(t, ann, root, "ann") })
	s.grant(t, "ann", "ann", 7)
}

func keeps(t *testing.T, ann, root *mqtt.Client) {
	t.Helper()
	if !reaches(t, ann, root, "ann") || !reaches(t, root, ann, "ann") {
		t.Fatal("a connected client has lost its rights")
	}
}

// A database that takes connections and says nothing stalls nobody.
func (s *store) testPause(t *testing.T, b brokertest.Broker) {
	broker := start(t, b, "backends mysql\nacl_cache_seconds 1\n"+timeout+s.options())
	ann, root := login(t, broker, "ann"), login(t, broker, "root")
	mustSubscribe(t, ann, "ann")
	mustSubscribe(t, root, "ann")
	s.freeze(t)
	defer s.server.Continue(t)
	for i := range 20 {
		o := user("bob")
		o.ID, o.Version = "bob"+string(rune('a'+i)), []byte{4, 5}[i%2]
		c := mqtt.Dial(t, broker.Addr, o)
		c.Send(c.ConnectPacket())
		within(t, prompt, "a ping and two messages", func() { keeps(t, ann, root) })
	}
	brokertest.WaitFor(t, "the time-out of a question", func() bool {
		within(t, prompt, "a ping and two messages", func() { keeps(t, ann, root) })
		return contains(broker, down)
	})
	s.server.Continue(t)
	brokertest.WaitFor(t, "a login", func() bool {
		_, answer := mqtt.TryLogin(t, broker.Addr, user("bob"))
		return answer.Code == mqtt.Success
	})
}

// The users of one backend notice nothing of another one's outage, once it is
// known; finding it out takes a login's time-out at most.
func (s *store) testOneOfTwo(t *testing.T, b brokertest.Broker, backends string) {
	broker := start(t, b, "backends "+backends+"\n"+timeout+"acl_file {{.Dir}}/acl"+passwordFile+s.options(),
		passwords("file"), brokertest.File("acl", "user file\ntopic readwrite file\n"))
	root := login(t, broker, "root")
	check := func() {
		t.Helper()
		var file *mqtt.Client
		within(t, prompt, "a login of another backend", func() { file = login(t, broker, "file") })
		expect(t, file, root, "file", "rws")
	}
	check()

	s.server.Kill(t)
	unavailable(t, broker, "bob")
	firstTry(t, broker, "file")
	check()

	s.server.Restart(t)
	login(t, broker, "bob")
	s.freeze(t)
	login(t, broker, "file")
	check()
	s.server.Continue(t)
}

// freeze pauses the server and waits until it answers no more.
func (s *store) freeze(t *testing.T) {
	t.Helper()
	s.server.Pause(t)
	brokertest.WaitFor(t, "the server to be silent", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		return s.PingContext(ctx) != nil
	})
}

// firstTry checks that a user is let in without having to come back, in a
// broker that knows its database to be down. Programs that publish one message
// and end do not come back.
func firstTry(t *testing.T, broker *brokertest.Running, name string) {
	t.Helper()
	logs(t, broker, down)
	for _, version := range []byte{4, 5} {
		o := user(name)
		o.Version = version
		if code := mqtt.Dial(t, broker.Addr, o).Connect().Code; code != mqtt.Success {
			t.Errorf("the first login with version %d: %v", version, code)
		}
	}
}
