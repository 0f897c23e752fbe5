package broker_test

import (
	"slices"
	"testing"

	"mosquitto-go-auth/test/brokertest"
	"mosquitto-go-auth/test/mqtt"
)

// startNumbered starts a broker for what conf/rights.md says that clients see. Its
// users have the rights of the numbers 2, 4, 5 and 7; sys has 7 for $SYS.
func startNumbered(t *testing.T, b brokertest.Broker) *brokertest.Running {
	t.Helper()
	return start(t, b, accounts("two", "four", "five", "seven", "sys"), "plugin_opt_files_acl_path {{.Dir}}/acl\n",
		brokertest.File("acl", "user two\ntopic write t/#\nuser four\ntopic subscribe t/#\n"+
			"user five\ntopic read t/#\nuser seven\ntopic readwrite #\nuser sys\ntopic readwrite $SYS/#\n"))
}

// loginAs logs a user in with a version of MQTT.
func loginAs(t *testing.T, r *brokertest.Running, name string, version byte) *mqtt.Client {
	t.Helper()
	return mqtt.Login(t, r.Addr, with(as(name, name), func(o *mqtt.Options) { o.Version = version }))
}

// What a client sees whose right is missing, in each version of MQTT.
func TestWhatRefusedClientsSee(t *testing.T) {
	brokertest.Each(t, func(t *testing.T, b brokertest.Broker) {
		r := startNumbered(t, b)
		all := watch(t, r.Addr, "seven")
		for _, v := range []struct{ version, publish, subscribe byte }{{3, 0, 0}, {4, 0, 0x80}, {5, 0x87, 0x87}} {
			two, four, five := loginAs(t, r, "two", v.version), loginAs(t, r, "four", v.version), loginAs(t, r, "five", v.version)
			if got := five.Publish(mqtt.Message{Topic: "t/no", QoS: 1}); byte(got) != v.publish {
				t.Errorf("MQTT %d: the PUBACK of a refused message has %v, want %#x", v.version, got, v.publish)
			}
			if got := pubrec(t, five, "t/no"); got != v.publish {
				t.Errorf("MQTT %d: the PUBREC of a refused message has %#x, want %#x", v.version, got, v.publish)
			}
			if got := two.Subscribe(0, "t/#"); byte(got[0]) != v.subscribe {
				t.Errorf("MQTT %d: the SUBACK of a refused subscription has %v, want %#x", v.version, got, v.subscribe)
			}
			four.Subscribe(0, "t/#")
			five.Subscribe(0, "t/#")
			if got := two.Publish(mqtt.Message{Topic: "t/yes", QoS: 1}); got != 0 {
				t.Errorf("MQTT %d: the publisher of what one may not receive gets %v", v.version, got)
			}
			for c, want := range map[*mqtt.Client]int{all: 1, two: 0, four: 0, five: 1} {
				if got := seen(t, c); len(got) != want {
					t.Errorf("MQTT %d: %s received %v, want %d messages", v.version, c.ID, got, want)
				}
			}
		}
	})
}

// pubrec publishes with QoS 2 and returns the code of the answer.
func pubrec(t *testing.T, c *mqtt.Client, topic string) byte {
	t.Helper()
	c.Send(c.PublishPacket(mqtt.Message{Topic: topic, QoS: 2}, 77))
	p, code := c.ReadPacket(mqtt.Patience)
	if code != mqtt.Success || p.Type != mqtt.PUBREC {
		t.Fatalf("got packet %d (%v), want PUBREC", p.Type, code)
	}
	if len(p.Body) > 2 {
		return p.Body[2]
	}
	return 0
}

// Retained messages, wills, shared subscriptions, and what begins with $.
func TestWhereRightsAreAsked(t *testing.T) {
	brokertest.Each(t, func(t *testing.T, b brokertest.Broker) {
		r := startNumbered(t, b)
		all := watch(t, r.Addr, "seven")
		two, four, five := loginAs(t, r, "two", 5), loginAs(t, r, "four", 5), loginAs(t, r, "five", 5)
		expect := func(what string, c *mqtt.Client, want int) {
			t.Helper()
			if got := seen(t, c); len(got) != want {
				t.Errorf("%s: %s received %v, want %d messages", what, c.ID, got, want)
			}
		}

		two.Publish(mqtt.Message{Topic: "t/kept", Payload: "x", QoS: 1, Retain: true})
		four.Subscribe(0, "t/kept")
		five.Subscribe(0, "t/kept")
		expect("retained", four, 0)
		expect("retained", five, 1)
		if got := slices.Concat(four.Unsubscribe("t/kept", "never"), five.Unsubscribe("t/kept")); slices.Max(got) >= 0x80 {
			t.Errorf("unsubscribing: %v", got)
		}
		expect("retained", all, 1)

		for _, c := range []*mqtt.Client{four, five} {
			if got := c.Subscribe(0, "$share/g/t/shared"); got[0] != 0 {
				t.Errorf("%s joins the group: %v", c.ID, got)
			}
		}
		for range 10 {
			two.Publish(mqtt.Message{Topic: "t/shared", QoS: 1})
		}
		expect("shared", all, 10)
		expect("shared", four, 0)
		expect("shared", five, 5) // the rest is lost

		for name, want := range map[string]int{"two": 1, "five": 0} {
			o := as(name, "dying")
			o.Version, o.Will = 5, &mqtt.Will{Message: mqtt.Message{Topic: "t/will"}}
			c := mqtt.Login(t, r.Addr, o)
			c.Send(mqtt.Packet{Type: mqtt.DISCONNECT, Body: []byte{4}}.Bytes()) // with will
			if !c.Ended(mqtt.Patience) {
				t.Errorf("%s is not disconnected", name)
			}
			expect("will of "+name, all, want)
		}

		if got := loginAs(t, r, "seven", 5).Subscribe(0, "$SYS/#"); got[0] != mqtt.Denied {
			t.Errorf("with a rule #, subscribing to $SYS/#: %v", got)
		}
		sys := loginAs(t, r, "sys", 5)
		if got := sys.Subscribe(0, "$SYS/#"); got[0] != 0 {
			t.Errorf("with a rule $SYS/#, subscribing to it: %v", got)
		}
		for topic, want := range map[string]mqtt.Code{"$SYS/x": mqtt.Denied, "$SYS/broker/connection/x/state": 0} {
			if got := sys.Publish(mqtt.Message{Topic: topic, QoS: 1}); got != want {
				t.Errorf("with a rule $SYS/#, publishing to %s: %v, want %v", topic, got, want)
			}
		}
	})
}
