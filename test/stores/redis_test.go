package stores

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"mosquitto-go-auth/test/brokertest"
	"mosquitto-go-auth/test/mqtt"
	"mosquitto-go-auth/test/redistest"
)

// newRedis starts a server with users in mosquitto-go-auth's keys, in its default
// database: ann may use her topic, root may do everything.
func newRedis(t *testing.T) *redistest.Server {
	t.Helper()
	s := redistest.Start(t)
	one := s.Client().Conn()
	defer one.Close()
	for _, command := range [][]any{
		{"SELECT", 1},
		{"SET", "ann", stored()}, {"SADD", "ann:rwacls", "ann"}, {"SADD", "ann:sacls", "ann"},
		{"SET", "root", stored()}, {"SET", "root:su", "true"},
		{"SET", "reader", stored()}, {"SADD", "reader:racls", "r/#"},
		{"SET", "writer", stored()}, {"SADD", "writer:wacls", "w/+"},
		{"SADD", "common:rwacls", "of/%u"}, {"SADD", "common:sacls", "of/%u", "news"}, {"SADD", "common:racls", "news"},
	} {
		if err := one.Do(t.Context(), command...).Err(); err != nil {
			t.Fatalf("%v: %v", command[:2], err)
		}
	}
	return s
}

// redisAt is a configuration for mosquitto-go-auth.
func redisAt(s *redistest.Server) string {
	return fmt.Sprintf("backends redis\nauth_timeout 2\nredis_host %s\nredis_port %d\nredis_disable_superuser false\nredis_mode single", s.Host(), s.Port())
}

// mosquitto-go-auth's configuration and keys give its rights: to read is not to
// subscribe, %u is the user name in common sets.
func TestRedisRights(t *testing.T) {
	s := newRedis(t)
	brokertest.Each(t, func(t *testing.T, b brokertest.Broker) {
		broker := start(t, b, redisAt(s))
		root := login(t, broker, "root")
		if root.Subscribe(1, "#")[0] != 1 {
			t.Fatal("root may not subscribe")
		}
		for _, want := range []struct {
			user, topic       string
			writes, subscribe bool
		}{
			{"ann", "ann", true, true}, {"ann", "of/ann", true, true}, {"ann", "of/reader", false, false}, {"ann", "news", false, true},
			{"reader", "r/x", false, false}, {"reader", "of/reader", true, true}, {"reader", "w/x", false, false},
			{"writer", "w/x", true, false}, {"writer", "w/x/y", false, false}, {"writer", "r/x", false, false},
		} {
			c := login(t, broker, want.user)
			if got := c.Subscribe(1, want.topic)[0] == 1; got != want.subscribe {
				t.Errorf("%s subscribes to %s: %v", want.user, want.topic, got)
			}
			if got := writes(t, c, root, want.topic); got != want.writes {
				t.Errorf("%s writes to %s: %v", want.user, want.topic, got)
			}
			if got := want.subscribe && writes(t, root, c, want.topic); got != want.subscribe {
				t.Errorf("%s reads %s: %v", want.user, want.topic, got)
			}
			c.Drop()
		}
		for _, name := range []string{"common", "root:su", "ann:rwacls", "nobody", "Ann", "ann "} {
			if in(t, broker, name) {
				t.Errorf("%q is let in", name)
			}
		}
		o := client("ann")
		o.Password = []byte("wrong")
		if _, answer := mqtt.TryLogin(t, broker.Addr, o); answer.Code != mqtt.NotAuthorized {
			t.Errorf("a wrong password: %v", answer.Code)
		}
	})
}

// The service is back soon after the server is; who is connected notices nothing.
func TestRedisIsBackSoon(t *testing.T) {
	t.Parallel()
	s := newRedis(t)
	s.Stop(t)
	broker := start(t, newest(t), redisAt(s), "acl_cache_seconds 1")
	turnedAway(t, broker, "ann") // down at the start
	s.Restart(t)
	backWithin(t, 2*time.Second, broker, "ann")
	ann, root := login(t, broker, "ann"), login(t, broker, "root")
	if root.Subscribe(1, "ann")[0] != 1 {
		t.Fatal("root may not subscribe")
	}
	away := func(t *testing.T, end, again func(testing.TB)) {
		end(t)
		for range 2 {
			turnedAway(t, broker, "ann")
			if !writes(t, ann, root, "ann") {
				t.Error("a connected client has lost its rights")
			}
		}
		again(t)
		backWithin(t, 2*time.Second, broker, "ann")
	}
	t.Run("killed", func(t *testing.T) { away(t, s.Kill, s.Restart) })
	t.Run("stopped", func(t *testing.T) { away(t, s.Pause, s.Continue) })
}

// Our own wrong password is told, and is no end of the service: it is back as soon
// as the server accepts it.
func TestRedisWrongPassword(t *testing.T) {
	t.Parallel()
	s := newRedis(t)
	s.Do(t, "ACL", "SETUSER", "plugin", "on", ">other", "~*", "+get", "+smembers", "+select")
	broker := start(t, newest(t), redisAt(s), "redis_user plugin", "redis_password wrong")
	for range 3 {
		turnedAway(t, broker, "ann")
	}
	broker.WaitLog(t, "the server does not accept our own user and password, see redis_user and redis_password")
	if n := strings.Count(broker.Log(), outage); n != 1 {
		t.Errorf("the outage is logged %d times, want once", n)
	}
	s.Do(t, "ACL", "SETUSER", "plugin", ">wrong")
	backWithin(t, 2*time.Second, broker, "ann")
}

// A thousand failed logins leave nothing behind in the broker.
func TestRedisFailuresLeaveNothing(t *testing.T) {
	t.Parallel()
	s := newRedis(t)
	broker := start(t, newest(t), redisAt(s), "address_max 1000")
	login(t, broker, "ann").Drop()
	leavesNothing(t, broker, func() { s.Kill(t) }, func() { s.Restart(t) })
}

// Two brokers on one Cluster: what is changed once reaches both, and the loss of
// a master ends when its replica has taken over.
func TestRedisClusterTwoBrokers(t *testing.T) {
	t.Parallel()
	c := redistest.StartCluster(t, 3, "--notify-keyspace-events", "K$sgxe")
	c.Do(t, "SET", "ann", stored())
	c.Do(t, "SET", "root", stored())
	c.Do(t, "SET", "root:su", "true")
	options := "backends redis\nauth_timeout 2\nacl_cache_seconds 3600\nredis_mode cluster\nredis_connect_timeout 500ms\nredis_keyspace_events true\n" +
		"redis_cluster_addresses " + c.Addresses()
	var brokers [2]*brokertest.Running
	var ann, root [2]*mqtt.Client
	for i := range brokers {
		brokers[i] = start(t, newest(t), options)
		ann[i], root[i] = login(t, brokers[i], "ann"), login(t, brokers[i], "root")
		root[i].Subscribe(1, "new")
		if writes(t, ann[i], root[i], "new") {
			t.Fatal("ann may write already")
		}
	}
	change := func(command string, want bool) {
		t.Helper()
		c.Do(t, command, "ann:wacls", "new")
		for i := range brokers {
			brokertest.WaitFor(t, "the change", func() bool { return writes(t, ann[i], root[i], "new") == want })
		}
	}
	change("SADD", true)
	change("SREM", false)
	change("SADD", true)

	lost := c.Owner(t, "ann")
	redistest.WaitFor(t, "the replica to have it all", func() bool {
		return c.Replicas[lost].Do(t, "DBSIZE") == c.Masters[lost].Do(t, "DBSIZE")
	})
	c.FailOverSoon(t)
	c.Masters[lost].Kill(t)
	redistest.WaitFor(t, "the replica's promotion", func() bool {
		return strings.Contains(fmt.Sprint(c.Replicas[lost].Do(t, "INFO", "replication")), "role:master")
	})
	for i := range brokers {
		backWithin(t, 2*time.Second, brokers[i], "ann")
		if !writes(t, ann[i], root[i], "new") {
			t.Error("a connected client has lost its rights")
		}
	}
}
