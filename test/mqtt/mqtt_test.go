package mqtt_test

import (
	"fmt"
	"net"
	"slices"
	"testing"
	"time"

	"mosquitto-go-auth/test/brokertest"
	"mosquitto-go-auth/test/mqtt"
)

const aclFile = `
topic readwrite open/#
topic read wills
user ann
topic readwrite open/#
topic readwrite wills
`

func start(t *testing.T) *brokertest.Running {
	t.Helper()
	brokers := brokertest.All(t)
	return brokertest.Start(t, brokers[len(brokers)-1], "allow_anonymous true\nacl_file {{.Dir}}/acl\n",
		brokertest.File("acl", aclFile))
}

func TestVersions(t *testing.T) {
	broker := start(t)
	for _, test := range []struct {
		version byte
		denied  mqtt.Code // the PUBACK of a publish that is denied
	}{{3, mqtt.Success}, {4, mqtt.Success}, {5, mqtt.Denied}} {
		t.Run(fmt.Sprint(test.version), func(t *testing.T) {
			c := mqtt.Login(t, broker.Addr, mqtt.Options{Version: test.version, ID: fmt.Sprintf("c%d", test.version)})
			if got := c.Subscribe(1, "open/a", "open/+/b"); !slices.Equal(got, []mqtt.Code{1, 1}) {
				t.Errorf("subscribing: %v, want 1 and 1", got)
			}
			sent := mqtt.Message{Topic: "open/x/b", Payload: "hello", QoS: 1}
			if got := c.Publish(sent); got != mqtt.Success {
				t.Errorf("publishing: %v", got)
			}
			if got, ok := c.Message(mqtt.Patience); got != sent || !ok {
				t.Errorf("received %+v, %v, want %+v", got, ok, sent)
			}
			if got := c.Publish(mqtt.Message{Topic: "shut", QoS: 1}); got != test.denied {
				t.Errorf("a denied publish: %v, want %v", got, test.denied)
			}
			if got := c.Unsubscribe("open/a", "open/+/b"); !slices.Equal(got, []mqtt.Code{0, 0}) {
				t.Errorf("unsubscribing: %v", got)
			}
			if !c.Alive() {
				t.Error("no answer to a ping")
			}
		})
	}
}

func TestPacketsShareASegment(t *testing.T) {
	broker := start(t)
	c := mqtt.Dial(t, broker.Addr, mqtt.Options{Version: 5})
	c.Send(c.ConnectPacket(), c.SubscribePacket(7, 0, "open/#"), c.PublishPacket(mqtt.Message{Topic: "open/x", Retain: true}, 0))
	if got := c.Connack(mqtt.Patience); got.Code != mqtt.Success || got.AssignedID == "" {
		t.Errorf("CONNACK %+v, want success and an id", got)
	}
	if got, ok := c.Message(mqtt.Patience); got.Topic != "open/x" || !ok {
		t.Errorf("received %+v, %v", got, ok)
	}
}

func TestWillAndSession(t *testing.T) {
	broker := start(t)
	watcher := mqtt.Login(t, broker.Addr, mqtt.Options{})
	watcher.Subscribe(0, "wills")
	o := mqtt.As("ann", "")
	o.ID, o.Version, o.Persistent, o.SessionExpiry = "kept", 5, true, 60
	o.Will = &mqtt.Will{Message: mqtt.Message{Topic: "wills", Payload: "gone", QoS: 1}}
	for i, end := range []func(*mqtt.Client){(*mqtt.Client).Drop, (*mqtt.Client).Abort} {
		c, answer := mqtt.TryLogin(t, broker.Addr, o)
		if answer.Code != mqtt.Success || answer.SessionPresent != (i == 1) {
			t.Fatalf("login %d: %+v", i, answer)
		}
		end(c)
		if got, ok := watcher.Message(mqtt.Patience); got.Payload != "gone" || !ok {
			t.Errorf("the will of login %d: %+v, %v", i, got, ok)
		}
	}
	c := mqtt.Login(t, broker.Addr, o)
	taker := mqtt.Login(t, broker.Addr, o)
	if !c.Ended(mqtt.Patience) || c.Reason != 0x8e {
		t.Errorf("taken over with %v, want 0x8e", c.Reason)
	}
	taker.Disconnect(mqtt.Success)
}

// A login goes on where the broker closes twice and is then busy.
func TestLoginComesBack(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for _, answer := range [][]byte{nil, nil, {0, 0x89, 0}, {0, 0x87, 0}} {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conn.Read(make([]byte, 100))
			if answer != nil {
				conn.Write(mqtt.Packet{Type: mqtt.CONNACK, Body: answer}.Bytes())
			}
			conn.Close()
		}
	}()
	if _, got := mqtt.TryLogin(t, l.Addr().String(), mqtt.Options{Version: 5}); got.Code != mqtt.Denied {
		t.Errorf("the last answer is %v, want %v", got.Code, mqtt.Denied)
	}
	silent := mqtt.Dial(t, start(t).Addr, mqtt.Options{})
	if _, code := silent.ReadPacket(10 * time.Millisecond); code != mqtt.Silent {
		t.Errorf("a broker that was sent nothing answers %v", code)
	}
}
