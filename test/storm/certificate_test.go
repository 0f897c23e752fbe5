package storm

import (
	"testing"
	"time"

	"mosquitto-go-auth/test/brokertest"
	"mosquitto-go-auth/test/mqtt"
	"mosquitto-go-auth/test/stall"
	"mosquitto-go-auth/test/tlstest"
)

// Who is known by a certificate never logs in through the plugin. The rights are
// fetched at the first question; the broker waits for them, out of its credit, which
// a machine that stands still meanwhile can use up.
func TestFirstQuestionOfACertificate(t *testing.T) {
	const clients = 10
	s := newMortal(t)
	all := names("device", clients)
	s.add(t, cheap, append(all, "bystander", "late")...)
	authority := tlstest.New(t, "authority", nil)
	own := tlstest.New(t, "127.0.0.1", authority)
	brokertest.Each(t, func(t *testing.T, b brokertest.Broker) {
		r := start(t, b, "backends mysql\nauth_timeout 2\n"+s.options(), `
listener {{.Port}} 127.0.0.1
listener {{.Port2}} 127.0.0.1
cafile {{.Dir}}/ca.pem
certfile {{.Dir}}/cert.pem
keyfile {{.Dir}}/key.pem
require_certificate true
use_identity_as_username true
`, brokertest.File("ca.pem", authority.PEM()), brokertest.File("cert.pem", own.PEM()),
			brokertest.File("key.pem", own.KeyPEM(t)))
		stop := watch(t, r, hurried("bystander"))
		var longest time.Duration
		for _, name := range all {
			clock := stall.Start()
			got := firstPublish(t, r, authority, name, name+"/topic")
			if cut := got == mqtt.Denied && clock.Stood() > 0; !cut && (got >= mqtt.Failure || got < 0) {
				t.Errorf("%s publishes what it may: %v", name, got)
			}
			longest = max(longest, clock.Took())
		}
		if got := firstPublish(t, r, authority, "unknown", "unknown/topic"); got != mqtt.Denied {
			t.Errorf("one without an account publishes: %v", got)
		}
		t.Logf("from the connection to the first PUBACK: %v at most", round(longest))

		s.pause(t)
		if got := firstPublish(t, r, authority, "late", "late/topic"); got != mqtt.Denied {
			t.Errorf("publishing while the database is silent: %v", got)
		}
		r.WaitLog(t, `user "late"`)
		s.server.Continue(t)
		brokertest.WaitFor(t, "the rights", func() bool {
			return firstPublish(t, r, authority, "late", "late/topic") < mqtt.Failure
		})
		stop().check(t, "certificates", 500*time.Millisecond)
	})
}

// firstPublish connects as the holder of a certificate, publishes in the same
// breath, and returns the code of the PUBACK.
func firstPublish(t *testing.T, r *brokertest.Running, authority *tlstest.Certificate, name, topic string) mqtt.Code {
	t.Helper()
	c := mqtt.Dial(t, tlstest.New(t, name, authority).Relay(t, r.Addr2), mqtt.Options{ID: name, Version: 5})
	defer c.Drop()
	c.Send(c.ConnectPacket(), c.PublishPacket(mqtt.Message{Topic: topic, QoS: 1}, 1))
	if got := c.Connack(mqtt.Patience); got.Code != mqtt.Success {
		t.Fatalf("%s: CONNACK %v", name, got.Code)
	}
	p, code := c.ReadPacket(mqtt.Patience)
	if code != mqtt.Success || p.Type != mqtt.PUBACK {
		t.Fatalf("%s: %v instead of PUBACK", name, code)
	}
	if len(p.Body) < 3 {
		return mqtt.Success
	}
	return mqtt.Code(p.Body[2])
}
