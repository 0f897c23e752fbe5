package seed

import (
	"testing"

	"mosquitto-go-auth/test/brokertest"
	"mosquitto-go-auth/test/mqtt"
)

// What changes in the database holds within seconds for clients that are in.
func TestRevocation(t *testing.T) {
	brokertest.Each(t, func(t *testing.T, b brokertest.Broker) {
		t.Parallel()
		s := newStore(t)
		s.addUser(t, "ann", "bob", "cid", "root")
		s.exec(t, "UPDATE mqtt_user SET is_admin = 1 WHERE username = 'root'")
		broker := start(t, b, "backends mysql\nacl_cache_seconds 1\n"+s.options())
		root := login(t, broker, "root")

		ann := s.active(t, broker, root, "ann")
		s.exec(t, "UPDATE mqtt_user SET password_hash = ? WHERE username = 'ann'", bcrypt(4))
		kicked(t, broker, ann)
		login(t, broker, "ann") // the new hash is of the same password

		bob := s.active(t, broker, root, "bob")
		s.exec(t, "DELETE FROM mqtt_user WHERE username = 'bob'")
		kicked(t, broker, bob)
		refused(t, broker, user("bob"))

		cid := s.active(t, broker, root, "cid")
		s.exec(t, "UPDATE mqtt_acl SET rw = 1 WHERE username = 'cid'")
		brokertest.WaitFor(t, "the end of a right", func() bool { return !reaches(t, cid, root, "cid") })
		if !reaches(t, root, cid, "cid") {
			t.Error("the right that was left has gone, too")
		}
		s.exec(t, "UPDATE mqtt_user SET is_admin = 0 WHERE username = 'root'")
		brokertest.WaitFor(t, "the end of a superuser", func() bool { return !reaches(t, root, cid, "cid") })
	})
}

// active logs a user in and gives it a topic of its own name.
func (s *store) active(t *testing.T, broker *brokertest.Running, root *mqtt.Client, name string) *mqtt.Client {
	t.Helper()
	s.grant(t, name, name, 7)
	c := login(t, broker, name)
	expect(t, c, root, name, "rws")
	return c
}

// kicked waits until a client that publishes now and then is disconnected.
func kicked(t *testing.T, broker *brokertest.Running, c *mqtt.Client) {
	t.Helper()
	brokertest.WaitFor(t, "the end of "+c.ID, func() bool {
		return c.Publish(mqtt.Message{Topic: "nobody/listens", QoS: 1}) == mqtt.Closed
	})
	logs(t, broker, quoted(c.ID)+`, client "`+c.ID+`": disconnected, the account has gone, or its password has changed`)
}
