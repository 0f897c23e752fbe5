package storm

import (
	"fmt"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"mosquitto-go-auth/test/brokertest"
	"mosquitto-go-auth/test/mqtt"
)

// The clients that people use come back and get in where no login can be waited
// for: every one with Mosquitto 2.0, and with 2.1 those of MQTT 5 and persistent
// sessions.
func TestLibrariesComeBack(t *testing.T) {
	s := newStore(t)
	for _, name := range names("user", 2*len(libraries)) {
		s.add(t, bcrypt[7], name) // longer than login_wait
		s.grant(t, name, "topic", 7)
	}
	for _, b := range brokertest.All(t) {
		r := start(t, b, "backends mysql\nlogin_wait 1ms\nhash_memo false\n"+s.options(), "")
		port := portOf(t, r.Addr)
		var all sync.WaitGroup
		for i, l := range libraries {
			if l.oneTry {
				continue
			}
			for _, version := range l.versions {
				o := user(fmt.Sprint("user", 2*i+int(version)/5), version)
				o.Persistent = version == 4 && b.Delays()
				all.Go(func() {
					t.Run(fmt.Sprintf("%s/%s/%d", b.Version, l.name, version), func(t *testing.T) { comesBack(t, r, l, port, o) })
				})
			}
		}
		all.Wait()
	}
}

// comesBack starts a client and waits until it is in.
func comesBack(t *testing.T, r *brokertest.Running, l library, port int, o mqtt.Options) {
	begin := time.Now()
	l.start(t, port, o)
	comesIn(t, r, o.ID)
	turned := strings.Count(r.Log(), fmt.Sprintf("client %q, address 127.0.0.1: told to come back", o.ID))
	t.Logf("in after %v, told to come back %d times", time.Since(begin).Round(time.Millisecond), turned)
	if turned == 0 {
		t.Error("the client was let in at once: the test shows nothing")
	}
}

// backOff is how long a library may pause that pauses for longer each time.
const backOff = 20 * time.Second

// comesIn waits until a client is in.
func comesIn(t *testing.T, r *brokertest.Running, id string) {
	t.Helper()
	in := " as " + id + " ("
	for deadline := time.Now().Add(backOff); !strings.Contains(r.Log(), in) && time.Now().Before(deadline); {
		time.Sleep(100 * time.Millisecond)
	}
	r.WaitLog(t, in)
}

// A database that is down when they come, and for a while then, is no reason for them
// to give up.
func TestLibrariesOutlastAnOutage(t *testing.T) {
	s := newMortal(t)
	s.add(t, bcrypt[4], names("user", 2*len(libraries))...)
	for _, b := range brokertest.All(t) {
		s.server.Kill(t)
		r := start(t, b, "backends mysql\n"+s.options(), "")
		r.WaitLog(t, "logins that need it are refused as unavailable")
		var turnedAway, all sync.WaitGroup
		up := make(chan struct{})
		for i, l := range libraries {
			for _, version := range l.versions {
				o := user(fmt.Sprint("user", 2*i+int(version)/5), version)
				if l.oneTry {
					continue
				}
				turnedAway.Add(1)
				all.Go(func() {
					t.Run(fmt.Sprintf("%s/%s/%d", b.Version, l.name, version), func(t *testing.T) {
						waits := sync.OnceFunc(turnedAway.Done)
						defer waits()
						l.start(t, portOf(t, r.Addr), o)
						r.WaitLog(t, fmt.Sprintf("client %q, address 127.0.0.1: unavailable", o.ID))
						waits()
						<-up
						comesIn(t, r, o.ID)
					})
				})
			}
		}
		turnedAway.Wait()
		s.server.Restart(t)
		close(up)
		all.Wait()
	}
}

// Single programs that do not come back are let in, one after the other: the
// broker waits for each. Another one comes when the credit has been refilled, which
// takes 20 times what was spent.
func TestOneShots(t *testing.T) {
	measured(t)
	if _, err := exec.LookPath("mosquitto_pub"); err != nil {
		t.Skip("mosquitto_pub is not installed; scripts/setup installs it")
	}
	const cost, shots = 9, 5
	s := newStore(t)
	s.add(t, bcrypt[cost], names("user", shots)...)
	brokertest.Each(t, func(t *testing.T, b brokertest.Broker) {
		r := start(t, b, "backends mysql\nhash_memo false\n"+s.options(), "")
		port := strconv.Itoa(portOf(t, r.Addr))
		for _, version := range []string{"mqttv311", "mqttv5"} {
			for _, name := range names("user", shots) {
				begin := time.Now()
				out, err := exec.Command("mosquitto_pub", "-p", port, "-V", version, "-u", name, "-P", password,
					"-t", name+"/topic", "-m", "message", "-q", "1").CombinedOutput()
				if err != nil || len(out) > 0 {
					t.Errorf("mosquitto_pub, %s: %v: %s", version, err, out)
				}
				time.Sleep(20 * time.Since(begin)) // the credit fills up again
			}
		}
	})
}

func portOf(t *testing.T, addr string) int {
	t.Helper()
	_, text, _ := net.SplitHostPort(addr)
	port, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return port
}
