package plugin_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"mosquitto-go-auth/backends"
	"mosquitto-go-auth/plugin"
)

// stranger is a client that did not log in through the engine, such as one with
// a certificate.
func (b *broker) stranger(id, name string) client {
	b.lastRef += 16
	b.connect(id, b.lastRef)
	return client{id: id, name: name, ref: b.lastRef}
}

// Rights that are not known yet are fetched: at once from memory, else within
// the stall credit.
func TestMissingProfile(t *testing.T) {
	for _, c := range []struct {
		title  string
		store  *store
		delay  time.Duration
		first  bool
		waited time.Duration
	}{
		{"from memory", memoryDB(), 0, true, 0},
		{"from a prompt store", population(), 20 * time.Millisecond, true, 20 * time.Millisecond},
		{"from a slow store", population(), time.Second, false, 250 * time.Millisecond},
	} {
		t.Run(c.title, func(t *testing.T) {
			onBoth(t, func(t *testing.T, v version) {
				db := population()
				db.memory, db.delay = c.store.memory, c.delay
				b := start(t, v, []*store{db}, "login_wait 250ms")
				s := b.stranger("s", "alice")
				stall := took(func() { expect(t, "at first", b.may(s, backends.Read, "a/1"), c.first) })
				expect(t, "waited", stall, c.waited)
				stall = took(func() { b.may(s, backends.Read, "a/1") })
				expect(t, "waited again in the turn", stall, 0)
				b.pass(2 * time.Second)
				expect(t, "then", b.may(s, backends.Read, "a/1"), true)
				expect(t, "questions to the store", db.asked(), 1)
			})
		})
	}
}

// With the credit spent the answer is no, and is logged once.
func TestMissingProfileUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, v21, []*store{population()})
		release := b.stores[0].hold()
		for i := range 20 {
			s := b.stranger(fmt.Sprint("s", i), "alice")
			expect(t, "not known", b.may(s, backends.Read, "a/1"), false)
			b.tick()
		}
		expect(t, "lines", b.logged(`the rights are not known yet`), 1)
		expect(t, "questions to the store", b.stores[0].asked(), 1)
		release()
	})
}

func TestMissingProfileQueueFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, v20, []*store{population()}, "queue_max 1")
		release := b.stores[0].hold()
		b.first(alice)
		b.tick()
		expect(t, "no room", b.may(b.stranger("s", "Bob Ä"), backends.Read, "b/1"), false)
		release()
		b.settle()
		s := b.stranger("s", "Bob Ä")
		b.may(s, backends.Read, "b/1")
		b.settle()
		expect(t, "room", b.may(s, backends.Read, "b/1"), true)
	})
}

// A check in Complete does not wait for a result that has come already.
func TestCheckInComplete(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, v21, []*store{population()})
		release := b.stores[0].hold()
		b.first(alice)
		synctest.Wait()
		s := b.stranger("s", "Bob Ä")
		var stall time.Duration
		b.completing = func(string) {
			stall = took(func() { expect(t, "the author of a queued message", b.may(s, backends.Read, "b/1"), true) })
		}
		took(func() { b.may(s, backends.Read, "b/1") }) // in vain
		release()
		b.settle()
		expect(t, "waited", stall, 0)
	})
}

// Who has no rights, whatever the rules say.
func TestNobodys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := memoryStore("db").with("al+ce", account(right, "x")).with("#", account(right, "x")).with("alice", account(right, "x"))
		b := start(t, v21, []*store{db})
		for _, c := range []struct {
			id, name string
			want     plugin.Answer
		}{
			{"c", "alice", plugin.Granted},
			{"c", "", plugin.Denied},
			{"c", "al+ce", plugin.Denied},
			{"c", "#", plugin.Denied},
			{"c#", "alice", plugin.Denied},
			{"+", "alice", plugin.Denied},
			{"", "alice", plugin.Granted},
			{"c/d", "alice", plugin.Granted},
			{"c", "nobody", plugin.Denied},
		} {
			expect(t, fmt.Sprintf("%q with id %q", c.name, c.id), b.Check(plugin.ACLCheck{Client: 1, ClientID: c.id, Username: c.name, HasUsername: true, Topic: "x/1", Access: backends.Read}), c.want)
			expect(t, fmt.Sprintf("%q with id %q, elsewhere", c.name, c.id), b.CheckElsewhere(c.id, c.name, true, "x/1", backends.Read), c.want)
		}
	})
}

func TestSpecialCharsAllowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := memoryStore("db").with("al+ce", backends.Account{Hash: hashed(right), Sections: grant("x/#", "own/%u", "id/%c")})
		b := start(t, v20, []*store{db}, "deny_special_chars false")
		c := client{id: "c#", name: "al+ce", password: right}
		expect(t, "login", b.enter(c), plugin.Accept)
		expect(t, "right", b.may(c, backends.Read, "x/1"), true)
		expect(t, "a rule with %u never matches", b.may(c, backends.Subscribe, "own/al+ce"), false)
		expect(t, "a rule with %c never matches", b.may(c, backends.Read, "id/c#"), false)
	})
}

// UNSUBSCRIBE is always granted.
func TestUnsubscribe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, v21, []*store{population()})
		for _, name := range []string{"alice", "nobody", "", "a+"} {
			expect(t, name, b.Check(plugin.ACLCheck{Client: 1, ClientID: "c", Username: name, HasUsername: true, Topic: "any", Access: plugin.Unsubscribe}), plugin.Granted)
			expect(t, name+" elsewhere", b.CheckElsewhere("c", name, true, "any", plugin.Unsubscribe), plugin.Granted)
		}
		expect(t, "questions to the store", b.stores[0].asked(), 0)
	})
}

// Without a source of rules the engine judges nothing, but keeps back the wills
// of pending clients.
func TestNotJudged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := population()
		db.provides = backends.CheckUser
		b := start(t, v21, []*store{db})
		release := db.hold()
		pending := client{id: "p", name: "alice", password: wrong, ref: 9}
		b.first(pending)
		for _, access := range []backends.Access{backends.Read, backends.Write, backends.Subscribe, plugin.Unsubscribe} {
			expect(t, fmt.Sprint("access ", access), b.Check(plugin.ACLCheck{Client: 1, ClientID: "c", Username: "alice", HasUsername: true, Topic: "x", Access: access}), plugin.NotJudged)
			expect(t, fmt.Sprint("access ", access, " elsewhere"), b.CheckElsewhere("c", "alice", true, "x", access), plugin.NotJudged)
		}
		expect(t, "pending", b.keptBack(pending), true)
		release()
	})
}

// Clients without a user name have rights of their own, which nobody else has.
func TestAnonymous(t *testing.T) {
	onBoth(t, func(t *testing.T, v version) {
		db := memoryDB()
		rules := backends.Account{Hash: hashed(right), Sections: grant("open/#", "id/%c", "own/%u")}
		db.anonymous = &rules
		other := population() // which knows no anonymous clients, and is down
		other.name, other.err = "other", errDown
		b := start(t, v, []*store{db, other})
		a := client{id: "a9", unnamed: true, passwordless: true}
		expect(t, "login", b.first(a), plugin.Defer)
		b.connect("a9", 9)
		expect(t, "open", b.may(a, backends.Read, "open/1"), true)
		expect(t, "by its client id", b.may(a, backends.Read, "id/a9"), true)
		expect(t, "no name", b.may(a, backends.Read, "own/"), false)
		expect(t, "alice's", b.may(a, backends.Read, "a/1"), false)
		expect(t, "elsewhere", b.CheckElsewhere("a9", "", false, "open/1", backends.Read), plugin.Granted)
		expect(t, "alice may not", b.may(client{id: "x", name: "alice"}, backends.Read, "open/1"), false)
		expect(t, "the name NUL is no way in", b.may(client{id: "x", name: "\x00"}, backends.Read, "open/1"), false)
		b.settle()
		expect(t, "the store that is down is told to answer", b.logged("other answers again"), 0)
	})
}

// Names and client ids are only lent to Check: the engine keeps copies.
func TestLentNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, v21, []*store{population()}, "acl_cache_seconds 0")
		expect(t, "at first", b.may(b.stranger("s", "alice"), backends.Read, "a/1"), true)
		b.settle()
		for _, l := range b.stores[0].lookups {
			expect(t, "name", l.Name, "alice")
			expect(t, "client id", l.ClientID, "s")
		}
	})
}

// What is queued for a session without a connection, and what an author retained,
// passes while the store is down, also after it was asked in vain; then the rights
// decide. Nothing else passes.
func TestMissingProfileWhileDown(t *testing.T) {
	onBoth(t, func(t *testing.T, v version) {
		db := population()
		b := start(t, v, []*store{db})
		db.set(func() { db.err = errDown })
		queued := plugin.ACLCheck{Client: 77, ClientID: "away", Username: "alice", HasUsername: true, Access: backends.Read, Offline: true}
		author := plugin.ACLCheck{Username: "Bob Ä", HasUsername: true, Access: backends.Write}
		ask := func(c plugin.ACLCheck, topic string) bool { c.Topic = topic; return b.Check(c) == plugin.Granted }
		for range 3 {
			expect(t, "queued", ask(queued, "none/1"), true)
			expect(t, "retained", ask(author, "none/1"), true)
			for _, name := range []string{"alice", "Bob Ä"} {
				_, shown := b.rights.(plugin.Table)[name]
				expect(t, "the table answers for "+name, shown, false)
			}
			online := queued
			online.Offline = false
			expect(t, "for a client that is there", ask(online, "a/1"), false)
			b.pass(2 * time.Second)
		}
		db.set(func() { db.err = nil })
		b.pass(2 * time.Second)
		ask(queued, "a/1") // has the rights fetched
		ask(author, "b/1")
		b.pass(2 * time.Second)
		expect(t, "queued, not granted", ask(queued, "none/1"), false)
		expect(t, "queued, granted", ask(queued, "a/1"), true)
		expect(t, "retained, not granted", ask(author, "none/1"), false)
		expect(t, "retained, granted", ask(author, "b/1"), true)
	})
}

// The rights of who comes in without us, such as by a certificate, are fetched at the
// connection: the first question finds them.
func TestFetchedAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := population()
		db.delay = 100 * time.Millisecond
		b := start(t, v21, []*store{db}, "login_wait 1ms")
		b.pass(time.Second)
		before := db.asked()
		device := client{id: "d", name: "alice", ref: 77}
		b.clients["d"] = 77
		b.Connected(77, "d", "alice", true)
		b.pass(200 * time.Millisecond)
		expect(t, "questions at the connection", db.asked(), before+1)
		expect(t, "a right", b.may(device, backends.Read, "a/1"), true)
		expect(t, "another", b.may(device, backends.Read, "b/1"), false)
		expect(t, "questions", db.asked(), before+1)
	})
}
