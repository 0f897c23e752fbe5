package plugin_test

import (
	"testing"
	"testing/synctest"
	"time"

	"mosquitto-go-auth/backends"
	"mosquitto-go-auth/plugin"
)

// crowded has alice log in so often that the next logins reuse young rights.
func crowded(b *broker) {
	for range 25 {
		b.enter(alice)
	}
}

// last is how the store was asked the last time.
func (s *store) last() backends.Lookup {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lookups[len(s.lookups)-1]
}

// Where logins are few, all is fetched with each; where they are many, the rights
// may be as old as those of clients that stay.
func TestYoungRights(t *testing.T) {
	onBoth(t, func(t *testing.T, v version) {
		db := population()
		b := start(t, v, []*store{db})
		b.enter(alice)
		db.set(func() { db.accounts["alice"] = account(right, "b") })
		b.enter(alice)
		expect(t, "one login: the new right", b.may(alice, backends.Read, "b/1"), true)

		crowded(b)
		expect(t, "many logins: the password only", db.last().PasswordOnly, true)
		db.set(func() { db.accounts["alice"] = account(right, "c") })
		expect(t, "many logins", b.enter(alice), plugin.Accept)
		expect(t, "many logins: the right that was", b.may(alice, backends.Read, "b/1"), true)
		for range 34 {
			b.pass(time.Second)
			for range 20 {
				b.enter(alice)
			}
		}
		expect(t, "in time: the new right", b.may(alice, backends.Read, "c/1"), true)
		expect(t, "in time: the old right", b.may(alice, backends.Read, "b/1"), false)
		expect(t, "kicked", len(b.kicked), 0)
	})
}

// The account itself is never young.
func TestYoungRightsOfNobody(t *testing.T) {
	for _, c := range []struct {
		title  string
		change func(*store)
	}{
		{"another password", func(s *store) { s.accounts["alice"] = account(other, "a") }},
		{"gone", func(s *store) { delete(s.accounts, "alice") }},
		{"expired", func(s *store) {
			a := account(right, "a")
			a.Expires = time.Now().Add(-time.Second)
			s.accounts["alice"] = a
		}},
		{"down", func(s *store) { s.err = errDown }},
	} {
		t.Run(c.title, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, db := entered(t)
				crowded(b)
				db.set(func() { c.change(db) })
				before := len(b.completed)
				b.enter(alice)
				expect(t, "the login is refused", b.outcome("a1", before) == plugin.Accept, false)
			})
		})
	}
}

// What one store says of a user who has a password in another is young, too; not
// so what it said of one whom it has forgotten since.
func TestYoungRightsElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, second := newStore("first"), newStore("second")
		first.with("alice", account(right, "a"))
		second.with("alice", account(other, "b"))
		b := start(t, v21, []*store{first, second})
		crowded(b)
		before := second.asked()
		b.enter(alice)
		expect(t, "questions to the second", second.asked(), before)
		expect(t, "its right", b.may(alice, backends.Read, "b/1"), true)

		second.with("alice", account(right, "b"))
		first.set(func() { delete(first.accounts, "alice") })
		crowded(b)
		expect(t, "the right of a store that forgot her", b.may(alice, backends.Read, "a/1"), false)
	})
}

// After a reload nothing is young.
func TestYoungRightsReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, db := entered(t)
		crowded(b)
		db.set(func() { db.accounts["alice"] = account(right, "b") })
		b.pass(time.Millisecond)
		b.Reload()
		b.settle()
		b.enter(alice)
		expect(t, "the new right", b.may(alice, backends.Read, "b/1"), true)
	})
}
