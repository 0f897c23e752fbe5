package plugin_test

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mosquitto-go-auth/backends"
	"mosquitto-go-auth/plugin"
)

// population is one store with accounts of every kind.
func population() *store {
	return newStore("db").
		with("alice", account(right, "a")).
		with("Bob Ä", account(right, "b")).
		with("no-hash", backends.Account{}).
		with("bad-hash", backends.Account{Hash: "$6$s3cret-no-hash"}).
		with("plain", backends.Account{Hash: right}).
		with("expired", backends.Account{Hash: hashed(right), Expires: time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC)}).
		with("lasting", backends.Account{Hash: hashed(right), Expires: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)}).
		with("Sam", backends.Account{Hash: hashed(right), Name: "sam"}).
		with("sam", backends.Account{Hash: hashed(right), Name: "sam"})
}

// Each line of testdata/logins.txt is a login and its verdict, which is the same
// on all brokers.
func TestVerdicts(t *testing.T) {
	text, err := os.ReadFile("testdata/logins.txt")
	if err != nil {
		t.Fatal(err)
	}
	onBoth(t, func(t *testing.T, v version) {
		b := start(t, v, []*store{population()})
		expect(t, "the first of all", b.enter(alice), plugin.Accept)
		for s := bufio.NewScanner(strings.NewReader(string(text))); s.Scan(); {
			line := strings.TrimSpace(s.Text())
			ask, want, ok := strings.Cut(line, "→")
			if line == "" || strings.HasPrefix(line, "#") && !ok {
				continue
			}
			fields := strings.Fields(ask)
			if !ok || len(fields) != 3 {
				t.Fatalf("testdata/logins.txt: not a login: %s", line)
			}
			expect(t, line, b.enter(scripted(fields)).String(), strings.TrimSpace(want))
		}
	})
}

// scripted reads a client from a line: name, password and client id, where NULL
// stands for none.
func scripted(fields []string) client {
	word := func(s string) string {
		return strings.NewReplacer("·", " ", "EMPTY", "", "right", right, "wrong", wrong).Replace(s)
	}
	return client{name: word(fields[0]), password: word(fields[1]), id: fields[2],
		unnamed: fields[0] == "NULL", passwordless: fields[1] == "NULL"}
}

// The first answer tells which way a login takes.
func TestWays(t *testing.T) {
	clean, persistent, five := alice, alice.but(func(c *client) { c.persistent = true }), alice.mqtt5()
	for _, c := range []struct {
		title   string
		client  client
		options string
		v20     plugin.Verdict
		v21     plugin.Verdict
	}{
		{"3.1.1, clean session", clean, "", plugin.Accept, plugin.Pending},
		{"3.1, clean session", clean.but(func(c *client) { c.version = 3 }), "", plugin.Accept, plugin.Pending},
		{"persistent session", persistent, "", plugin.Accept, plugin.Accept},
		{"MQTT 5", five, "", plugin.Accept, plugin.Accept},
		{"never delayed", clean, "delay_logins never", plugin.Accept, plugin.Accept},
	} {
		t.Run(c.title, func(t *testing.T) {
			onBoth(t, func(t *testing.T, v version) {
				options := []string{}
				if c.options != "" {
					options = append(options, c.options)
				}
				b := start(t, v, []*store{population()}, options...)
				want := c.v20
				if v == v21 {
					want = c.v21
				}
				expect(t, "first answer", b.first(c.client), want)
				b.settle()
				_, in := b.clients["a1"]
				expect(t, "in", in, true)
			})
		})
	}
}

func TestUnavailable(t *testing.T) {
	onBoth(t, func(t *testing.T, v version) {
		db := population()
		b := start(t, v, []*store{db})
		b.enter(alice)
		db.set(func() { db.err = errDown })
		got := b.enter(alice)
		if v == v20 {
			expect(t, "down", got, plugin.Unavailable)
		}
		expect(t, "refused", b.Counts().Refused.Load(), 0)
		expect(t, "unavailable", b.Counts().Unavailable.Load(), 1)
		expect(t, "lines about the outage", b.logged("connection refused; logins that need it"), 1)

		db.set(func() { db.err = nil })
		expect(t, "up again, at once", b.enter(alice), plugin.Accept)
		expect(t, "lines about its end", b.logged("db answers again"), 1)
	})
}

// A login that would not be checked before its time is up is not delayed, but comes
// back until it is in. One hash is taken to last 75 ms here.
func TestDelayedOnlyInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := population()
		b := start(t, v21, []*store{db}, "hash_limit 1", "hash_memo false")
		if err := b.process.Hashing.Enter(t.Context(), "test"); err != nil {
			t.Fatal(err)
		}
		const users = 80
		delayed := 0
		for i := range users {
			c := client{id: fmt.Sprint(i), name: fmt.Sprint("user", i), password: right, address: "192.0.2.1"}
			db.with(c.name, account(right, "a"))
			if b.first(c) == plugin.Pending {
				delayed++
			}
			synctest.Wait()
		}
		if delayed < 63 || delayed > 67 { // 5 s ÷ 75 ms
			t.Errorf("%d were delayed", delayed)
		}
		again := client{id: fmt.Sprint(users - 1), name: fmt.Sprint("user", users-1), password: right, address: "192.0.2.1"}
		flying := db.asked()
		expect(t, "who comes back too early", b.first(again), plugin.ComeBack)
		expect(t, "and is looked up for that", db.asked()-flying, 0)
		other := client{id: "other", name: "alice", password: right, address: "192.0.2.2"}
		expect(t, "who has another address", b.first(other), plugin.Pending)
		b.process.Hashing.Leave()
		b.settle()
		expect(t, "are in", len(b.completed), delayed+1)
		for i := range users {
			c := client{id: fmt.Sprint(i), name: fmt.Sprint("user", i), password: right, address: "192.0.2.1"}
			if b.clients[c.id] == 0 {
				expect(t, "who came back", b.enter(c), plugin.Accept)
			}
		}
		expect(t, "unavailable", b.Counts().Unavailable.Load(), 0)
	})
}

// Unknown users spend the time of a hash: they go through the gate of hashes
// like everybody else.
func TestDecoy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, v21, []*store{population()}, "hash_limit 1")
		b.enter(alice) // decoys cost what the last hash cost
		gate := b.process.Hashing
		if err := gate.Enter(t.Context(), "test"); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"alice", "nobody", "no-hash", "expired", "bad-hash"} {
			b.first(client{id: "x-" + name, name: name, password: wrong})
		}
		synctest.Wait()
		expect(t, "logins at the gate of hashes", gate.Ahead(true, 0), 5.5)
		gate.Leave()
		b.settle()
		expect(t, "refused", b.Counts().Refused.Load(), 5)
	})
}
