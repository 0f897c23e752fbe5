package storm

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"mosquitto-go-auth/test/brokertest"
	"mosquitto-go-auth/test/mqtt"
)

// A silent database does not keep a client waiting for longer than auth_timeout,
// and the time for coming back.
func TestTimeOut(t *testing.T) {
	s := newMortal(t)
	s.add(t, cheap, "ann")
	brokertest.Each(t, func(t *testing.T, b brokertest.Broker) {
		r := start(t, b, "backends mysql\nauth_timeout 1\n"+s.options(), "")
		s.pause(t)
		defer s.server.Continue(t)
		var all sync.WaitGroup
		for _, version := range []byte{3, 4, 5} {
			o := user("ann", version)
			o.ID = fmt.Sprint(version)
			all.Go(func() {
				begin := time.Now()
				mqtt.TurnedAway(t, r.Addr, o)
				if took := time.Since(begin); took > 3*time.Second {
					t.Errorf("version %d: an answer after %v", version, took)
				}
			})
		}
		all.Wait()
	})
}

// With the queue full, or an address's share of it, clients are told to come back,
// and get in when there is room. Other addresses have their own share.
func TestLimitsOfTheQueue(t *testing.T) {
	const clients, limit = 20, 5
	s := newMortal(t)
	s.add(t, cheap, append(names("user", clients), "other", "bystander")...)
	for _, option := range []string{"queue_max", "address_max"} {
		t.Run(option, func(t *testing.T) {
			brokertest.Each(t, func(t *testing.T, b brokertest.Broker) {
				r := start(t, b, fmt.Sprintf("backends mysql\nauth_timeout 20\n%s %d\n%s", option, limit, s.options()), "")
				stop := watch(t, r, hurried("bystander"))
				s.pause(t)
				var others sync.WaitGroup
				answers := make(chan mqtt.Code, clients)
				for _, name := range names("user", clients) {
					others.Go(func() { answers <- loginFrom("127.0.0.2", r.Addr, user(name, 4)) })
				}
				brokertest.WaitFor(t, "a full queue", func() bool { return turnedAway(r, option) >= clients-limit })
				tryFor(300*time.Millisecond, "127.0.0.3", r.Addr, user("other", 4))
				s.server.Continue(t)
				others.Wait()
				if got := loginFrom("127.0.0.3", r.Addr, user("other", 4)); got != mqtt.Success {
					t.Errorf("the other in the end: %v", got)
				}
				if strings.Contains(r.Log(), "address 127.0.0.3: told to come back, too many logins from") {
					t.Error("the address of another is taken for full")
				}
				close(answers)
				for got := range answers {
					if got != mqtt.Success {
						t.Errorf("in the end: %v", got)
					}
				}
				stop().check(t, option, 500*time.Millisecond)
			})
		})
	}
}

// turnedAway counts the logins that a limit has turned away, by the log.
func turnedAway(r *brokertest.Running, option string) int {
	why := map[string]string{"queue_max": "too many logins are waiting", "address_max": "too many logins from that address"}
	return strings.Count(r.Log(), "address 127.0.0.2: told to come back, "+why[option])
}
