package stores

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"mosquitto-go-auth/test/brokertest"
	"mosquitto-go-auth/test/mqtt"
	"mosquitto-go-auth/test/postgrestest"
)

// patience is for a machine that is busy with other things. How long it takes is
// shown by -v.
const patience = 5 * time.Second

// rounds is how many users are removed and lose their rights.
const rounds = 6

// A change in the store that is made once counts on each of several brokers of
// different versions, for clients that do nothing: who is removed is disconnected,
// and a right that was taken away is gone.
func TestNotice(t *testing.T) {
	all := brokertest.All(t)
	eachPlace(t, func(t *testing.T, p place) { counts(t, p.slow(), all...) })
}

// reader is a user with the right to two topics, and a client of it on each of the
// brokers.
type reader struct {
	name, lost, kept string
	clients          []*mqtt.Client
}

// crowd is readers, and on each of the brokers a client that may write what they
// read.
type crowd struct {
	readers []reader
	writers []*mqtt.Client
}

// counts starts brokers on a store, checks that changes count on each of them, and
// shows after what time.
func counts(t *testing.T, p place, brokers ...brokertest.Broker) {
	c := gather(t, p, brokers)
	var lost, ended []time.Duration
	for _, r := range c.readers {
		p.put(t, r.name, rights{r.kept})
		lost = append(lost, c.after(t, "the end of a right", func(i int) bool { return !writes(t, c.writers[i], r.clients[i], r.lost) }))
		for i, w := range c.writers {
			if !writes(t, w, r.clients[i], r.kept) {
				t.Error("the right that was left has gone, too")
			}
		}
	}
	for _, r := range c.readers {
		p.remove(t, r.name)
		ended = append(ended, c.after(t, "the end of a client", func(i int) bool { return r.clients[i].Ended(patience) }))
	}
	for _, w := range c.writers {
		if !w.Alive() {
			t.Error("a client whose account is as it was has been disconnected")
		}
	}
	t.Logf("a right: %s; a client: %s", figures(lost), figures(ended))
}

// gather fills the store, starts the brokers and logs the users in.
func gather(t *testing.T, p place, brokers []brokertest.Broker) (c crowd) {
	t.Helper()
	p.put(t, "writer", rights{"news/#"})
	for i := range rounds {
		name := fmt.Sprint("reader", i)
		r := reader{name: name, lost: "news/" + name + "/1", kept: "news/" + name + "/2"}
		p.put(t, name, rights{r.lost, r.kept})
		c.readers = append(c.readers, r)
	}
	if p.follow != nil {
		p.follow(t)
	}
	for i, b := range brokers {
		running := start(t, b, p.options)
		c.writers = append(c.writers, login(t, running, "writer"))
		for k := range c.readers {
			r := &c.readers[k]
			o := client(r.name)
			o.Version = []byte{4, 5}[k%2]
			r.clients = append(r.clients, mqtt.Login(t, running.Addr, o))
			r.clients[i].Subscribe(1, r.lost, r.kept)
			if !writes(t, c.writers[i], r.clients[i], r.lost) {
				t.Fatal("there is no right to lose")
			}
		}
	}
	return c
}

// after returns how long it takes from now until something is so on each of the
// brokers.
func (c crowd) after(t *testing.T, what string, so func(i int) bool) time.Duration {
	t.Helper()
	begin := time.Now()
	for i := range c.writers {
		for !so(i) {
			if time.Since(begin) > patience {
				t.Fatalf("waited in vain for %s", what)
			}
		}
	}
	return time.Since(begin)
}

func figures(d []time.Duration) string {
	slices.Sort(d)
	round := func(d time.Duration) time.Duration { return d.Round(100 * time.Microsecond) }
	return fmt.Sprintf("median %v, longest %v", round(d[len(d)/2]), round(d[len(d)-1]))
}

// Brokers that read from a replica listen to the primary all the same. What they
// read may be older than the notice, so a change counts within acl_cache_seconds at
// the latest.
func TestReplica(t *testing.T) {
	all := brokertest.All(t)
	primary := postgrestest.Start(t, postgrestest.Options{})
	replica := primary.Replica(t)
	p := onPostgres(t, primary, primary.Host()+", "+replica.Host(), fmt.Sprintf("%d, %d", primary.Port(), replica.Port()))
	p.options += "pg_target_session_attrs prefer-standby\n"
	p.follow = func(t testing.TB) {
		written := primary.Query(t, "", "SELECT pg_current_wal_lsn()::text")
		brokertest.WaitFor(t, "the replica to follow", func() bool {
			return replica.Query(t, "", "SELECT (pg_last_wal_replay_lsn() >= '"+written+"')::text") == "true"
		})
	}
	p.follow(t)
	p.options += "acl_cache_seconds 1\n"
	counts(t, p, all[0], all[len(all)-1])
}
