package storm

import (
	"slices"
	"testing"

	"mosquitto-go-auth/test/brokertest"
	"mosquitto-go-auth/test/mqtt"
)

// A session that the broker has restored keeps what is queued for it while the
// database is down and its user's rights are not known. What the user may not read
// any more is not delivered: the broker asks again when the client connects. That is
// what lets the plugin pass what it cannot judge.
func TestRestoredSession(t *testing.T) {
	s := newMortal(t)
	s.add(t, cheap, "sam")
	brokertest.Each(t, func(t *testing.T, b brokertest.Broker) {
		for _, version := range []byte{4, 5} {
			for _, revoked := range []bool{false, true} {
				want := []string{"sam/before", "lent/before", "sam/while down", "lent/while down", "sam/after"}
				if revoked {
					want = []string{"sam/before", "sam/while down", "sam/after"}
				}
				if got := s.restore(t, b, version, revoked); !slices.Equal(got, want) {
					t.Errorf("version %d, revoked %v: sam receives %q, want %q", version, revoked, got, want)
				}
			}
		}
	})
}

// restore returns what sam receives who was away while the broker was started
// again, and the database was down. One of the rights may be revoked meanwhile.
func (s *store) restore(t *testing.T, b brokertest.Broker, version byte, revoked bool) (topics []string) {
	s.grant(t, "sam", "lent/#", 7)
	store := brokertest.Var("store", t.TempDir())
	run := func() *brokertest.Running {
		return start(t, b, "backends files, mysql\npassword_file {{.Dir}}/passwd\nacl_file {{.Dir}}/acl\n"+s.options(),
			"persistence true\npersistence_location {{.Vars.store}}/\n", store,
			brokertest.File("passwd", "pub:"+cheap+"\n"), brokertest.File("acl", "user pub\ntopic write #\n"))
	}
	sam := user("sam", version)
	sam.Persistent, sam.SessionExpiry = true, 3600

	r := run()
	c := mqtt.Login(t, r.Addr, sam)
	if got := c.Subscribe(1, "sam/#", "lent/#"); !slices.Equal(got, []mqtt.Code{1, 1}) {
		t.Fatalf("subscribing: %v", got)
	}
	c.Drop()
	publish(t, r, "sam/before", "lent/before")
	r.Stop()

	if revoked {
		s.grant(t, "sam", "lent/#", 0)
	}
	s.server.Stop(t)
	r = run()
	publish(t, r, "sam/while down", "lent/while down")
	s.server.Restart(t)
	brokertest.WaitFor(t, "the login", func() bool {
		var answer mqtt.Connack
		c, answer = mqtt.TryLogin(t, r.Addr, sam)
		return answer.Code == mqtt.Success && answer.SessionPresent
	})
	publish(t, r, "sam/after")
	for !slices.Contains(topics, "sam/after") {
		m, ok := c.Message(mqtt.Patience)
		if !ok {
			break
		}
		topics = append(topics, m.Topic)
	}
	r.Stop()
	return topics
}

// publish sends messages as a user whose rights are in a file.
func publish(t *testing.T, r *brokertest.Running, topics ...string) {
	t.Helper()
	c := mqtt.Login(t, r.Addr, user("pub", 5))
	for _, topic := range topics {
		if code := c.Publish(mqtt.Message{Topic: topic, Payload: "queued", QoS: 1}); code >= mqtt.Failure || code < 0 {
			t.Fatalf("publishing %s: %v", topic, code)
		}
	}
	c.Disconnect(mqtt.Success)
}
