package plugin_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"mosquitto-go-auth/plugin"
)

// A store that takes 1.5 s, 300 clients with a clean session of 3.1.1, each from
// its own address: who is not in time is to be told to come back.
func TestSlowStoreDelaysWhatItCan(t *testing.T) {
	for _, delay := range []time.Duration{1500 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			db := population()
			b := start(t, v21, []*store{db}, "queue_max 2000")
			db.set(func() { db.delay = delay })
			b.enter(alice) // took is known now
			const users = 200
			pending := 0
			for i := range users {
				c := client{id: fmt.Sprint(i), name: fmt.Sprint("user", i), password: right, address: fmt.Sprint("192.0.2.", i)}
				db.with(c.name, account(right, "a"))
				if b.first(c) == plugin.Pending {
					pending++
				}
				synctest.Wait()
			}
			b.settle()
			for range 200 {
				b.pass(100 * time.Millisecond)
			}
			no := 0
			for i := range users {
				if b.outcome(fmt.Sprint(i), 0) == plugin.Refuse {
					no++
				}
			}
			t.Logf("store %v: %d delayed, %d of them refused with a CONNACK; store logged down %d times, back %d times", delay, pending, no,
				b.logged("refused as unavailable"), b.logged("answers again"))
			expect(t, "refused", no, 0)
		})
	}
}

// Like TestDelayedOnlyInTime, but the clients come while the store is being
// asked (50 ms), as in a storm.
func TestInTimeDuringAFetch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := population()
		b := start(t, v21, []*store{db}, "hash_limit 1", "hash_memo false", "fetch_limit 1000")
		db.set(func() { db.delay = 50 * time.Millisecond })
		if err := b.process.Hashing.Enter(t.Context(), "test"); err != nil {
			t.Fatal(err)
		}
		delayed := 0
		for i := range 400 {
			c := client{id: fmt.Sprint(i), name: fmt.Sprint("user", i), password: right, address: fmt.Sprint("192.0.2.", i)}
			db.with(c.name, account(right, "a"))
			if b.first(c) == plugin.Pending {
				delayed++
			}
		}
		b.process.Hashing.Leave()
		b.settle()
		if delayed > 67 {
			t.Errorf("%d were delayed; in 5 s there are 67 hashes", delayed)
		}
	})
}

// One bad login from an address that many share (Docker's proxy, NAT); then
// more come from there than can be checked in time.
func TestInTimeFromASharedAddress(t *testing.T) {
	for _, bad := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			db := population()
			b := start(t, v21, []*store{db}, "hash_limit 1", "hash_memo false")
			addr := "172.17.0.1"
			if bad {
				b.enter(client{id: "bad", name: "alice", password: wrong, address: addr})
			}
			if err := b.process.Hashing.Enter(t.Context(), "test"); err != nil {
				t.Fatal(err)
			}
			delayed := 0
			for i := range 240 {
				c := client{id: fmt.Sprint(i), name: fmt.Sprint("user", i), password: right, address: addr}
				db.with(c.name, account(right, "a"))
				if b.first(c) == plugin.Pending {
					delayed++
				}
				synctest.Wait()
			}
			before := len(b.completed)
			for range 120 {
				b.pass(100 * time.Millisecond) // nobody leaves the gate: they all time out
			}
			no := 0
			for _, c := range b.completed[before:] {
				if len(c) > 5 && c[len(c)-5:] == "false" {
					no++
				}
			}
			b.process.Hashing.Leave()
			b.settle()
			t.Logf("one bad login before: %v: %d delayed, %d refused", bad, delayed, no)
			if bad {
				expect(t, "delayed beyond what 5 s can check", delayed > 67, false)
			}
		})
	}
}

// What was not to be had is remembered: the store is back, the client is turned away.
func TestOutageIsAskedAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := population()
		b := start(t, v21, []*store{db})
		release := db.hold()
		c := alice.mqtt5()
		v := b.first(c)
		t.Log("while it hangs:", v)
		b.pass(5100 * time.Millisecond) // the question's time is up
		release()                       // the store works again
		b.pass(3 * time.Second)
		asked := db.asked()
		v = b.first(c)
		t.Log("after it is back:", v, "asked:", db.asked()-asked)
		if v == plugin.Unavailable {
			t.Error("an outage was remembered")
		}
	})
}

// A chain of two; a wrong password in the first waits long for its hash.
func TestSecondSourceAfterALongHash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := newStore("first").with("alice", account(other, "a"))
		second := newStore("second").with("alice", account(right, "b"))
		b := start(t, v21, []*store{first, second}, "hash_limit 1", "hash_memo off")
		if err := b.process.Hashing.Enter(t.Context(), "test"); err != nil {
			t.Fatal(err)
		}
		v := b.first(alice)
		b.pass(6 * time.Second)
		b.process.Hashing.Leave()
		b.settle()
		t.Log(v, b.completed, "asked second", second.asked())
		expect(t, "let in after 6 of 10 s", fmt.Sprint(b.completed), "[a1 true]")
	})
}
