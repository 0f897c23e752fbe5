package plugin_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mosquitto-go-auth/backends"
	"mosquitto-go-auth/plugin"
)

// slow starts a broker that delays logins, with a store that holds its answers.
func slow(t *testing.T, options ...string) (b *broker, db *store, release func()) {
	db = population()
	b = start(t, v21, []*store{db}, options...)
	return b, db, db.hold()
}

func TestDelayed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _, release := slow(t)
		expect(t, "right", b.first(alice), plugin.Pending)
		expect(t, "wrong", b.first(client{id: "a2", name: "alice", password: wrong}), plugin.Pending)
		b.settle()
		expect(t, "completed while the store thinks", len(b.completed), 0)
		b.completing = func(id string) { // the broker asks about queued messages before Complete returns
			expect(t, "may read at once", b.may(alice, backends.Read, "a/1"), true)
		}
		release()
		b.settle()
		expect(t, "right", b.outcome("a1", 0), plugin.Accept)
		expect(t, "wrong", b.outcome("a2", 0), plugin.Refuse)
		expect(t, "delayed", b.Counts().Delayed.Load(), 2)
		expect(t, "accepted", b.Counts().Accepted.Load(), 1)
		expect(t, "refused", b.Counts().Refused.Load(), 1)
	})
}

// A login is answered within auth_timeout, whatever the store does.
func TestDelayedTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _, release := slow(t, "auth_timeout 3")
		defer release()
		b.first(alice)
		b.pass(2900 * time.Millisecond)
		expect(t, "completed before the time", len(b.completed), 0)
		b.pass(200 * time.Millisecond)
		expect(t, "completed", b.outcome("a1", 0), plugin.Refuse)
		expect(t, "unavailable", b.Counts().Unavailable.Load(), 1)
		expect(t, "timed out", b.Counts().TimedOut.Load(), 1)
		expect(t, "refused", b.Counts().Refused.Load(), 0)
	})
}

// A driver that does not end its question in time keeps no client pending for ever,
// and what it says at last lets nobody in.
func TestDelayedWithoutEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, db, release := slow(t, "auth_timeout 3")
		db.set(func() { db.deaf = true })
		b.first(alice)
		b.pass(time.Second)
		b.first(client{id: "a2", name: "alice", password: right})
		b.pass(7 * time.Second)
		expect(t, "completed before the time", len(b.completed), 0)
		b.pass(time.Second)
		expect(t, "the first", strings.Join(b.completed, ", "), "a1 false")
		b.pass(time.Second)
		expect(t, "both", strings.Join(b.completed, ", "), "a1 false, a2 false")
		expect(t, "unavailable", b.Counts().Unavailable.Load(), 2)
		release()
		b.settle()
		expect(t, "more completions", len(b.completed), 2)
		expect(t, "again", b.enter(alice), plugin.Accept)
	})
}

// The late success of a client that has gone must not let in the next that comes
// with its id: the broker completes logins by client id alone.
func TestTicketOfVanishedClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _, release := slow(t)
		b.first(alice)
		b.settle()
		b.vanish("a1")
		thief := alice.but(func(c *client) { c.password = wrong })
		expect(t, "the next with that id is not delayed", b.first(thief), plugin.ComeBack)
		b.pending["a1"] = 999 // even if the broker had it delayed
		release()
		b.settle()
		expect(t, "completions", len(b.completed), 0)
		_, in := b.clients["a1"]
		expect(t, "in", in, false)
		expect(t, "at last", b.enter(thief), plugin.Refuse)

		// for a minute
		expect(t, "still not delayed", b.first(alice.but(func(c *client) { c.password = other })) == plugin.Pending, false)
		b.pass(time.Minute + time.Second)
		expect(t, "a minute later", b.first(alice), plugin.Pending)
		b.settle()
	})
}

// What a vanished client leaves behind does not replace the record of the client
// that is connected with its id.
func TestVanishedWhileAnotherIsConnected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, v21, []*store{population()})
		b.enter(alice)
		first := b.clients["a1"]
		b.first(alice.but(func(c *client) { c.name = "Bob Ä" })) // would take over, but goes
		b.vanish("a1")
		b.settle()
		expect(t, "still in", b.clients["a1"], first)

		b.Reload()
		expect(t, "asked again, as another", b.first(client{id: "a1", name: "Bob Ä", password: right, ref: first}), plugin.Refuse)
		expect(t, "asked again", b.first(alice.but(func(c *client) { c.ref = first })), plugin.Accept)
	})
}

// A client that has gone before its login was completed leaves no record.
func TestVanishedLeavesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := population()
		b := start(t, v21, []*store{db}, "acl_cache_seconds 0")
		b.first(alice)
		b.vanish("a1")
		b.settle()
		b.may(alice, backends.Read, "a/1") // whose rights are known now
		b.settle()
		db.set(func() { clear(db.lookups) })
		b.may(alice, backends.Read, "a/1")
		b.settle()
		expect(t, "asks for rights only", db.lookups[len(db.lookups)-1].RulesOnly, true)
	})
}

// guarding is a broker with alice in, and a client of hers pending.
func guarding(t *testing.T) (b *broker, pending client, release func()) {
	db := population()
	b = start(t, v21, []*store{db})
	b.enter(alice)
	pending = client{id: "p", name: "alice", password: wrong, ref: 1001}
	release = db.hold()
	expect(t, "pending", b.first(pending), plugin.Pending)
	synctest.Wait()
	return b, pending, release
}

// keptBack tells whether the will of a client would be kept back. The broker may
// ask with the claimed name, or without one.
func (b *broker) keptBack(c client) bool {
	named := b.Check(plugin.ACLCheck{Client: c.ref, ClientID: c.id, Username: "alice", HasUsername: true, Topic: "a/will", Access: backends.Write})
	unnamed := b.Check(plugin.ACLCheck{Client: c.ref, ClientID: c.id, Username: "", HasUsername: false, Topic: "a/will", Access: backends.Write})
	return named == plugin.Denied && unnamed == plugin.Denied
}

// The broker publishes the will of a pending client that goes, and may do so one
// turn of its loop after its login has ended.
func TestWillOfPendingClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, pending, release := guarding(t)
		defer release()
		expect(t, "pending", b.keptBack(pending), true)
		b.vanish("p")
		expect(t, "gone", b.keptBack(pending), true)
		b.tick()
		b.tick()
		expect(t, "gone, some turns later", b.keptBack(pending), true)
	})
}

func TestWillAfterTheLoginEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, pending, release := guarding(t)
		b.vanish("p")
		release()
		synctest.Wait()
		b.tick() // the login ends in this turn
		expect(t, "its end", b.completed[len(b.completed)-1], "p false")
		b.tick() // TICK may come twice in a turn
		expect(t, "in the next turn", b.keptBack(pending), true)
		b.pass(time.Second)
		expect(t, "after a while, without more asking", b.keptBack(pending), false)
	})
}

func TestWillAfterAnotherCame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, pending, release := guarding(t)
		defer release()
		b.vanish("p")
		b.first(pending.but(func(c *client) { c.ref = 2002 }))
		b.pass(time.Second)
		expect(t, "after a while, without more asking", b.keptBack(pending), false)
	})
}

// The broker keeps one table of delayed logins for all listeners: the late success
// of a client of one must not let in another, with its id, at the next.
func TestPendingInTwoInstances(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, second := population(), population()
		one := start(t, v21, []*store{first})
		two := newBroker(t, v21)
		two.process = one.process
		if err := two.open([]*store{second}, "backends "+second.name); err != nil {
			t.Fatal(err)
		}
		defer two.stop()
		releaseOne, releaseTwo := first.hold(), second.hold()
		expect(t, "the first client", one.first(alice), plugin.Pending)
		one.vanish(alice.id)
		rival := client{id: alice.id, name: "Bob Ä", password: wrong, ref: 3003}
		// The first one's going shows: the next with the id is not delayed.
		expect(t, "another with its id", two.first(rival), plugin.ComeBack)
		releaseOne()
		releaseTwo()
		synctest.Wait()
		one.tick()
		two.tick()
		expect(t, "logins completed", len(one.completed)+len(two.completed), 0)
		expect(t, "the other again", two.first(rival), plugin.Refuse)
	})
}

// A client that was let in may publish at once, though its guard still stands.
func TestPublishAfterCompletion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, v21, []*store{population()})
		b.completing = func(string) { expect(t, "in Complete", b.may(alice, backends.Write, "a/1"), true) }
		b.first(alice)
		synctest.Wait()
		b.tick()
		expect(t, "in the same turn", b.may(alice, backends.Write, "a/1"), true)
	})
}

// The broker gives the address of a client that has gone to the next at once.
func TestPointerReuse(t *testing.T) {
	newcomer := client{id: "n", name: "alice", password: right, ref: 1001}
	for _, c := range []struct {
		title string
		come  func(b *broker)
	}{
		{"password", func(b *broker) { b.enter(newcomer.mqtt5()) }},
		{"another way", func(b *broker) { b.Forget(newcomer.ref); b.connect("n", newcomer.ref) }},
		{"certificate", func(b *broker) { b.connect("n", newcomer.ref) }},
	} {
		t.Run(c.title, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, _, release := guarding(t)
				b.vanish("p")
				release()
				synctest.Wait()
				b.tick()
				c.come(b)
				expect(t, "the newcomer may publish", b.may(newcomer, backends.Write, "a/1"), true)
			})
		})
	}
}

// A newcomer that is pending itself is guarded for as long as it is.
func TestPointerReusePending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _, release := guarding(t)
		defer release()
		b.vanish("p")
		newcomer := client{id: "n", name: "alice", password: right, ref: 1001}
		expect(t, "pending", b.first(newcomer), plugin.Pending)
		b.tick()
		b.tick()
		expect(t, "kept back", b.keptBack(newcomer), true)
	})
}

func TestQueueFull(t *testing.T) {
	onBoth(t, func(t *testing.T, v version) {
		db := population()
		b := start(t, v, []*store{db}, "queue_max 1")
		release := db.hold()
		first := b.first(alice)
		for range 3 {
			expect(t, "no room", b.first(client{id: "a2", name: "alice", password: right}), plugin.ComeBack)
		}
		expect(t, "counted", b.Counts().QueueFull.Load(), 3)
		release()
		b.settle()
		if first == plugin.Pending {
			expect(t, "the first", b.outcome("a1", 0), plugin.Accept)
		}
		expect(t, "room again", b.enter(client{id: "a2", name: "alice", password: right}), plugin.Accept)
		expect(t, "wants nothing more", b.tick(), false)
	})
}

// An address has its share of the queue, and others have theirs.
func TestAddressFull(t *testing.T) {
	onBoth(t, func(t *testing.T, v version) {
		db := population()
		b := start(t, v, []*store{db}, "address_max 1")
		release := db.hold()
		b.first(client{id: "a1", name: "alice", password: right, address: "192.0.2.6"})
		for range 3 {
			expect(t, "no room", b.first(client{id: "a2", name: "alice", password: right, address: "192.0.2.6"}), plugin.ComeBack)
		}
		b.first(client{id: "a3", name: "alice", password: right, address: "192.0.2.7"})
		expect(t, "counted", b.Counts().AddressFull.Load(), 3)
		expect(t, "not for the queue", b.Counts().QueueFull.Load(), 0)
		release()
		b.settle()
	})
}

// Those who guess cannot fill the queue for others.
func TestQueueFullOfGuessers(t *testing.T) {
	onBoth(t, func(t *testing.T, v version) {
		db := population()
		b := start(t, v, []*store{db}, "queue_max 4")
		guesser := client{id: "g", name: "alice", password: "guess", address: "192.0.2.6"}
		expect(t, "a guess", b.enter(guesser), plugin.Refuse)
		release := db.hold()
		for i := range 10 {
			g := guesser
			g.id, g.password = fmt.Sprint("g", i), fmt.Sprint("guess", i)
			b.first(g)
		}
		full := b.Counts().QueueFull.Load()
		expect(t, "no room for all of them", full > 0, true)
		b.first(client{id: "a1", name: "bob", password: right, address: "192.0.2.7"})
		expect(t, "room for another", b.Counts().QueueFull.Load(), full)
		release()
		b.settle()
	})
}
