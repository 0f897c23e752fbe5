package broker_test

import (
	"testing"

	"mosquitto-go-auth/test/brokertest"
	"mosquitto-go-auth/test/mqtt"
)

// After a login from an address failed, others from there get their answers too,
// though not at the first try.
func TestOthersFromASuspectAddress(t *testing.T) { suspect(t, "a client") }

// A client without an id of its own, as mosquitto_pub is, comes back with another
// that the broker gives it.
func TestSuspectWithoutAnID(t *testing.T) {
	suspect(t, "")
}

func suspect(t *testing.T, id string) {
	passwd := account("ann", secret, slow/4) + account("bob", secret, slow/4)
	brokertest.Each(t, func(t *testing.T, b brokertest.Broker) {
		r := start(t, b, passwd, "")
		for _, version := range []byte{3, 4, 5} {
			for _, test := range []struct {
				name, password string
				right          bool
			}{{"ann", "guess", false}, {"ann", "guess", false}, {"bob", secret, true}, {"bob", "guess", false}} {
				o := mqtt.As(test.name, test.password)
				o.Version, o.ID = version, id
				if version == 3 {
					o.ID = "an old client has one" // MQTT 3.1 demands it
				}
				_, got := mqtt.TryLogin(t, r.Addr, o)
				if want := answer(version, test.right); got.Code != want {
					t.Errorf("version %d, %s, %s: %v, want %v", version, test.name, test.password, got.Code, want)
				}
			}
		}
	})
}

// answer is what a broker says to a client that is let in, or refused.
func answer(version byte, right bool) mqtt.Code {
	switch {
	case right:
		return mqtt.Success
	case version == 5:
		return mqtt.Denied
	}
	return mqtt.NotAuthorized
}
