package plugin_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"mosquitto-go-auth/backends"
	"mosquitto-go-auth/plugin"
)

// lasting is longer than rights are kept before they are fetched again, with
// the jitter.
const lasting = 34 * time.Second

// entered starts a broker with alice in.
func entered(t *testing.T, options ...string) (*broker, *store) {
	db := population()
	b := start(t, v21, []*store{db}, options...)
	b.enter(alice)
	return b, db
}

// Rights are fetched again when they are acl_cache_seconds old; the old ones
// answer meanwhile.
func TestRefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, db := entered(t)
		db.set(func() { db.accounts["alice"] = account(right, "new") })
		before := db.asked()
		for range 29 {
			b.pass(time.Second)
			expect(t, "young: what is kept", b.may(alice, backends.Read, "a/1"), true)
		}
		expect(t, "questions to the store", db.asked()-before, 0)

		release := db.hold()
		b.pass(lasting - 29*time.Second)
		expect(t, "old: what is kept, once more", b.may(alice, backends.Read, "a/1"), true)
		for range 10 {
			b.may(alice, backends.Read, "a/1")
		}
		release()
		b.settle()
		expect(t, "questions to the store", db.asked()-before, 1)
		expect(t, "then the old right", b.may(alice, backends.Read, "a/1"), false)
		expect(t, "then the new right", b.may(alice, backends.Read, "new/1"), true)
		expect(t, "kicked", len(b.kicked), 0)
	})
}

// A client that does nothing must not outlive its account: the rights of those
// who are in are fetched again, whether or not somebody asks for them.
func TestRefreshOfIdleClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, db := entered(t)
		before := db.asked()
		for range 20 {
			b.pass(lasting)
			b.settle()
		}
		if n := db.asked() - before; n < 15 || n > 20 {
			t.Errorf("questions to the store: %d, want one for each time", n)
		}
		db.set(func() { delete(db.accounts, "alice") })
		b.pass(lasting)
		b.settle()
		expect(t, "kicked", len(b.kicked), 1)
	})
}

// Rights of users without a client are fetched only when somebody asks for them.
func TestNoRefreshUnused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, db := entered(t)
		b.Disconnected(b.clients["a1"], "a1", false)
		before := db.asked()
		for range 100 {
			b.pass(time.Minute)
		}
		expect(t, "questions to the store", db.asked()-before, 0)
	})
}

// What ended the account or changed its password ends the client too.
func TestRefreshKicks(t *testing.T) {
	for _, c := range []struct {
		title  string
		change func(db *store)
		kicked string
	}{
		{"other rules", func(db *store) { db.accounts["alice"] = account(right, "b") }, "[]"},
		{"another password", func(db *store) { db.accounts["alice"] = account(other, "a") }, "[a1]"},
		{"the password taken away", func(db *store) { db.accounts["alice"] = backends.Account{Sections: grant("a/#")} }, "[a1]"},
		{"gone", func(db *store) { delete(db.accounts, "alice") }, "[a1]"},
		{"expired", func(db *store) {
			a := account(right, "a")
			a.Expires = time.Now()
			db.accounts["alice"] = a
		}, "[a1]"},
		{"another name's row", func(db *store) {
			a := account(right, "a")
			a.Name = "ALICE"
			db.accounts["alice"] = a
		}, "[a1]"},
		{"the store is down", func(db *store) { db.err = errDown }, "[]"},
		{"the store answers nonsense", func(db *store) { db.err = backends.ErrBadAnswer }, "[]"},
		{"the store panics", func(db *store) { db.fault = right }, "[]"},
	} {
		t.Run(c.title, func(t *testing.T) {
			onBoth(t, func(t *testing.T, v version) {
				db := population()
				b := start(t, v, []*store{db})
				b.enter(alice)
				b.enter(client{id: "b1", name: "Bob Ä", password: right})
				db.set(func() { c.change(db) })
				b.pass(lasting)
				b.may(alice, backends.Read, "a/1")
				b.pass(6 * time.Second)
				expect(t, "kicked", fmt.Sprint(b.kicked), c.kicked)
			})
		})
	}
}

// Who logged in with the new password stays when those with the old one go.
func TestRefreshKicksTheOldOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, db := entered(t)
		db.set(func() { db.accounts["alice"] = account(other, "a") })
		expect(t, "with the new password", b.enter(client{id: "a2", name: "alice", password: other}), plugin.Accept)
		b.pass(lasting)
		b.may(alice, backends.Read, "a/1")
		b.settle()
		expect(t, "kicked", fmt.Sprint(b.kicked), "[a1]")
	})
}

// A store that vouches for nobody kicks nobody: its rules may come and go.
func TestRulesMayGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		users, rules := newStore("users").with("alice", account(right, "a")), newStore("rules").with("alice", backends.Account{Sections: grant("r/#")})
		b := start(t, v21, []*store{users, rules})
		b.enter(alice)
		expect(t, "a right there", b.may(alice, backends.Read, "r/1"), true)
		rules.set(func() { clear(rules.accounts) })
		b.pass(lasting)
		b.may(alice, backends.Read, "r/1")
		b.settle()
		expect(t, "kicked", len(b.kicked), 0)
		expect(t, "no right there any more", b.may(alice, backends.Read, "r/1"), false)
		expect(t, "a right here", b.may(alice, backends.Read, "a/1"), true)
	})
}

// The kick itself is for the broker's loop, not for the ACL check that found out:
// the broker must not lose the client that it asks about.
func TestNoKickInACheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, db := entered(t)
		db.set(func() { db.accounts["alice"] = account(other, "a") })
		time.Sleep(lasting)
		b.may(alice, backends.Read, "a/1")
		synctest.Wait()
		b.TickWithin()
		expect(t, "found out", b.may(alice, backends.Read, "a/1"), true)
		expect(t, "kicked in the check", len(b.kicked), 0)
		b.settle()
		expect(t, "kicked", fmt.Sprint(b.kicked), "[a1]")
	})
}

// What is known outlives its store, until max_stale.
func TestMaxStale(t *testing.T) {
	for _, c := range []struct {
		option string
		after  time.Duration
		want   bool
	}{
		{"max_stale 600", 590 * time.Second, true},
		{"max_stale 600", 700 * time.Second, false},
		{"max_stale 0", 1000 * time.Hour, true},
	} {
		t.Run(fmt.Sprint(c.option, " ", c.after), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, db := entered(t, c.option)
				db.set(func() { db.err = errDown })
				for range 10 {
					b.pass(c.after / 10)
					b.may(alice, backends.Read, "a/1")
				}
				b.settle()
				expect(t, "right", b.may(alice, backends.Read, "a/1"), c.want)
				expect(t, "counted", b.Counts().Outlived.Load() == 0, c.want)
				expect(t, "kicked", len(b.kicked), 0)

				db.set(func() { db.err = nil })
				b.pass(2 * time.Second)
				b.may(alice, backends.Read, "a/1")
				b.settle()
				expect(t, "when the store is back", b.may(alice, backends.Read, "a/1"), true)
			})
		})
	}
}

// A store that is down is tried about once a second, not for each message.
func TestDownIsNotHammered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, db := entered(t)
		db.set(func() { db.err = errDown })
		b.pass(lasting)
		before := db.asked()
		for range 1000 {
			b.may(alice, backends.Read, "a/1")
			b.pass(10 * time.Millisecond)
		}
		if n := db.asked() - before; n < 5 || n > 12 {
			t.Errorf("%d questions in ten seconds", n)
		}
	})
}

// What a login brings is not overwritten by a refresh that began before it.
func TestRefreshRace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, db := entered(t)
		b.pass(lasting)
		release := db.hold()
		b.may(alice, backends.Read, "a/1") // asks for the old rights
		synctest.Wait()
		db.set(func() { db.held = nil; db.accounts["alice"] = account(other, "new") })
		b.pass(time.Second)
		expect(t, "with the new password", b.enter(client{id: "a2", name: "alice", password: other}), plugin.Accept)
		release()
		b.settle()
		expect(t, "the new right", b.may(alice, backends.Read, "new/1"), true)
		expect(t, "the old right", b.may(alice, backends.Read, "a/1"), false)
		expect(t, "kicked", len(b.kicked), 0)
	})
}

// Nor by a slow login that began before it.
func TestLoginRace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := population()
		b := start(t, v21, []*store{db})
		release := db.hold()
		b.first(alice)
		synctest.Wait()
		db.set(func() { db.held = nil; db.accounts["alice"] = account(right, "new") })
		b.pass(time.Second)
		expect(t, "a later login", b.enter(alice.but(func(c *client) { c.id = "a2" })), plugin.Accept)
		release()
		b.settle()
		expect(t, "the earlier one", b.outcome("a1", 0), plugin.Accept)
		expect(t, "the new right", b.may(alice, backends.Read, "new/1"), true)
		expect(t, "the old right", b.may(alice, backends.Read, "a/1"), false)
	})
}

// acl_cache_seconds 0 asks for the rights behind each check, one question at a
// time.
func TestNoCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, db := entered(t, "acl_cache_seconds 0")
		release := db.hold()
		before := db.asked()
		for range 100 {
			expect(t, "right", b.may(alice, backends.Read, "a/1"), true)
			b.settle()
		}
		if n := db.asked() - before; n > 1 { // there may have been one before
			t.Errorf("%d questions at a time", n)
		}
		release()
	})
}

func TestProfilesMax(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := plugin.Table{}
		db := memoryStore("db")
		for i := range 100 {
			db.with(fmt.Sprint("u", i), account(right, "a"))
		}
		b := newBroker(t, v20)
		b.rights = table
		if err := b.open([]*store{db}, "backends db", "profiles_max 10"); err != nil {
			t.Fatal(err)
		}
		defer b.stop()
		for i := range 100 {
			c := client{id: fmt.Sprint("c", i), name: fmt.Sprint("u", i)}
			expect(t, c.name, b.may(c, backends.Read, "a/1"), true)
			if len(table) > 10 {
				t.Fatalf("%d profiles", len(table))
			}
		}
		expect(t, "profiles", len(table), 10)
		expect(t, "dropped", b.Counts().Dropped.Load(), 90)
	})
}

// The questions of a client whose user is one whom another client keeps in use
// spare that user's profile.
func TestProfilesInUseStay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := newStore("db").with("alice", account(right, "a"))
		for i := range 50 {
			db.with(fmt.Sprint("u", i), account(right, "a"))
		}
		b := start(t, v20, []*store{db}, "profiles_max 5")
		b.enter(alice)
		for i := range 50 {
			expect(t, "in use", b.may(alice, backends.Read, "a/1"), true)
			b.enter(client{id: fmt.Sprint("c", i), name: fmt.Sprint("u", i), password: right})
		}
		rules := 0
		for _, l := range db.lookups {
			if l.Name == "alice" {
				rules++
			}
		}
		expect(t, "questions about alice", rules, 1)
	})
}
