package soak

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"mosquitto-go-auth/test/brokertest"
	"mosquitto-go-auth/test/mqtt"
)

// connackMost is how long the median login with a cheap hash may take on an idle
// broker.
const connackMost = 2 * time.Millisecond

// signalledMost is what it may take on a machine at work. Without the private signal,
// the broker would wake up by itself after 54 to 100 ms.
const signalledMost = 20 * time.Millisecond

// TestLoginTime measures the time from CONNECT to CONNACK, one login at a time,
// where each computes a cheap hash: the way to a worker, and the waking of the
// broker. It does not fail by the slowest: the machine may be at work.
func TestLoginTime(t *testing.T) {
	logins, most := 50, signalledMost
	if full() {
		logins, most = 500, connackMost
	}
	var rows table
	rows.add("broker", "client", "p50", "p90", "p99", "longest", "p50 may be")
	for _, b := range brokertest.All(t) {
		for _, version := range []byte{4, 5} {
			if version == 5 && logins > 50 {
				logins = 200 // each takes its time from the stall credit
			}
			took := logInOneByOne(t, b, version, logins)
			at := func(share float64) time.Duration {
				return took[int(share*float64(len(took)-1))].Round(10 * time.Microsecond)
			}
			way := "answered in the call"
			if b.Delays() && version == 4 {
				way = "delayed"
			}
			rows.add(b.Version, fmt.Sprintf("MQTT %d, %s", version, way), fmt.Sprint(at(0.5)), fmt.Sprint(at(0.9)),
				fmt.Sprint(at(0.99)), fmt.Sprint(at(1)), fmt.Sprint(most))
			if at(0.5) > most {
				t.Errorf("mosquitto %s, MQTT %d: the median login takes %v", b.Version, version, at(0.5))
			}
		}
	}
	rows.print(t)
}

// logInOneByOne returns the times in order. Where the broker waits for the hash, on a
// busy machine the stall credit may be spent; who is told to come back then does so,
// and is not measured.
func logInOneByOne(t *testing.T, b brokertest.Broker, version byte, n int) []time.Duration {
	t.Helper()
	r := brokertest.Start(t, b, "set_tcp_nodelay true\n"+filesConf+"plugin_opt_hash_memo false\n", confFiles...)
	defer r.Stop()
	o := mqtt.As("u0-0", "right")
	o.Version = version
	var took []time.Duration
	for try := 0; len(took) < n; try++ {
		o.ID = fmt.Sprint("c", try)
		c := mqtt.Dial(t, r.Addr, o)
		time.Sleep(5 * time.Millisecond) // the broker is asleep again after the connection
		start := time.Now()
		answer := c.Connect()
		switch {
		case answer.Code == mqtt.Success:
			took = append(took, time.Since(start))
			c.Disconnect(mqtt.Success)
		case answer.Code == mqtt.Closed && try < 10*n:
			time.Sleep(mqtt.Pause)
		default:
			t.Fatalf("try %d of %d logins: %v", try, n, answer.Code)
		}
	}
	slices.Sort(took)
	return took
}
