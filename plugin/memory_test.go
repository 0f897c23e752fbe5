package plugin_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"mosquitto-go-auth/backends"
	"mosquitto-go-auth/plugin"
)

// memoryDB is a population that answers from memory.
func memoryDB() *store {
	s := population()
	s.memory = true
	return s
}

// occupied takes the one place at the gate of hashes, so that no login that
// needs a hash can end.
func (b *broker) occupied() (leave func()) {
	b.t.Helper()
	if err := b.process.Hashing.Enter(context.Background(), "test"); err != nil {
		b.t.Fatal(err)
	}
	return b.process.Hashing.Leave
}

// A password that a hash from memory has verified before is answered in the call
// itself, whatever the client.
func TestFromMemory(t *testing.T) {
	onBoth(t, func(t *testing.T, v version) {
		b := start(t, v, []*store{memoryDB()}, "hash_limit 1")
		b.enter(alice)
		defer b.occupied()()
		b.tick()
		expect(t, "the same", b.first(alice), plugin.Accept)
		expect(t, "another client", b.first(alice.but(func(c *client) { c.id = "a2" })), plugin.Accept)
		expect(t, "MQTT 5", b.first(alice.mqtt5()), plugin.Accept)
		expect(t, "may publish at once", b.may(alice, backends.Write, "a/1"), true)
		for _, c := range []client{{id: "x", name: "alice", password: wrong}, {id: "x", name: "nobody", password: right},
			{id: "x", name: "expired", password: right}, {id: "x", name: "no-hash", password: right}} {
			stall := took(func() { expect(t, c.name+" needs a worker", b.first(c) == plugin.Accept, false) })
			if stall > 250*time.Millisecond {
				t.Errorf("%s: the broker was blocked for %v", c.name, stall)
			}
		}
	})
}

// The broker's thread never computes a hash, also where the files change between
// two looks at them.
func TestFromMemoryNeverHashes(t *testing.T) {
	for _, c := range []struct {
		title string
		first backends.Account // of the first source; the second verifies
		want  plugin.Verdict
	}{
		{"expired in the first", backends.Account{Hash: hashed(right), Expires: time.Unix(1, 0)}, plugin.Accept},
		{"no password in the first", backends.Account{}, plugin.Accept},
		{"another password in the first", backends.Account{Hash: hashed(other)}, plugin.ComeBack},
	} {
		t.Run(c.title, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				one, two := memoryStore("one").with("alice", c.first), memoryStore("two").with("alice", account(right, "a"))
				b := start(t, v20, []*store{one, two}, "hash_limit 1")
				expect(t, "first login", b.enter(alice), plugin.Accept)
				defer b.occupied()()
				b.tick()
				expect(t, "second", b.first(alice), c.want)
			})
		})
	}
}

func TestFromMemoryOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, v20, []*store{memoryDB()}, "hash_limit 1", "hash_memo off")
		b.enter(alice)
		defer b.occupied()()
		b.tick()
		expect(t, "needs a hash", b.first(alice), plugin.ComeBack)
	})
}

// A changed password, or a user that has gone, counts at the next login.
func TestFromMemoryIsNeverStale(t *testing.T) {
	onBoth(t, func(t *testing.T, v version) {
		db := memoryDB()
		b := start(t, v, []*store{db})
		b.enter(alice)
		db.set(func() { db.accounts["alice"] = account(other, "b") })
		expect(t, "old password", b.enter(alice), plugin.Refuse)
		expect(t, "new password", b.enter(alice.but(func(c *client) { c.password = other })), plugin.Accept)
		db.set(func() { delete(db.accounts, "alice") })
		expect(t, "gone", b.enter(alice.but(func(c *client) { c.password = other })), plugin.Refuse)
	})
}
