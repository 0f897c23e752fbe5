package plugin_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"mosquitto-go-auth/plugin"
)

// A polling store, a user name shared by a fleet. The password changes; the
// attacker's client, in with the old one, must be kicked after acl_cache_seconds.
func TestOldPasswordBesideTheNew(t *testing.T) {
	for _, every := range []time.Duration{20 * time.Second, 60 * time.Second} {
		t.Run(every.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, db := entered(t) // a1, with the old password
				db.set(func() { db.accounts["alice"] = account(other, "a") })
				for range int(10 * time.Minute / every) {
					b.pass(every)
					c := client{id: "fleet", name: "alice", password: other}
					expect(t, "fleet", b.enter(c), plugin.Accept)
					b.disconnect("fleet", false)
				}
				expect(t, "kicked after 10 minutes", fmt.Sprint(b.kicked), "[a1]")
			})
		})
	}
}

// With a store that tells, and logins of the same user while it is looked up.
func TestNoticeAmongLogins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, db, n := noticed(t, v21)
		db.set(func() { db.accounts["alice"] = account(other, "a"); db.delay = 300 * time.Millisecond })
		n.changed("alice")
		b.tick()
		for i := range 300 { // a login every 100 ms, for 30 s
			b.first(client{id: fmt.Sprint("f", i), name: "alice", password: other})
			synctest.Wait()
			b.tick()
			b.pass(100 * time.Millisecond)
		}
		expect(t, "kicked after 30 s", fmt.Sprint(b.kicked), "[a1]")
	})
}

// A watch that begins well and breaks at once, for ever (a pooler, a proxy).
func TestWatchThatBreaksAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := population()
		watches := 0
		db.watch = func(ctx context.Context, changed func(string)) error {
			watches++
			changed("")
			return errors.New("the server closed the connection")
		}
		b := start(t, v21, []*store{db})
		b.enter(alice)
		before := db.asked()
		for range 600 {
			b.pass(100 * time.Millisecond)
		}
		t.Logf("in a minute: %d watches, %d warnings, %d questions for one idle client", watches, b.logged("until the store tells of changes again"), db.asked()-before)
		if watches > 60 {
			t.Error("no back-off")
		}
		b.stop()
	})
}

// The password is made right, the store tells of it, and the client comes again.
func TestWrongPasswordMadeRight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, db, n := noticed(t, v21)
		c := client{id: "x", name: "Bob Ä", password: other, address: "192.0.2.7"}.mqtt5()
		expect(t, "wrong", b.enter(c), plugin.Refuse)
		db.set(func() { db.accounts["Bob Ä"] = account(other, "b") })
		n.changed("Bob Ä")
		b.settle()
		expect(t, "right now", b.enter(c), plugin.Accept)
	})
}

// A login that began before a notice, and the store goes down: a stale success
// that lasts for the outage.
func TestOvertakenInAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := population()
		n := watched(db)
		b := start(t, v21, []*store{db}, "hash_limit 1", "hash_memo off")
		b.enter(client{id: "z", name: "sam", password: right})
		if err := b.process.Hashing.Enter(t.Context(), "test"); err != nil {
			t.Fatal(err)
		}
		v := b.first(alice)
		synctest.Wait()
		db.set(func() { delete(db.accounts, "alice") })
		n.changed("alice")
		b.settle()
		db.set(func() { db.err = errDown })
		b.process.Hashing.Leave()
		b.settle()
		t.Log(v, b.completed)
		b.pass(10 * time.Minute)
		expect(t, "in, ten minutes after the account was removed and that was told", b.clients["a1"] != 0, false)
	})
}

// Profiles_max below the number of users that are in: a notice for all.
func TestNoticeOfAllWithFewProfiles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, db, n := noticed(t, v21, "profiles_max 1")
		expect(t, "bob", b.enter(client{id: "b1", name: "Bob Ä", password: right}), plugin.Accept)
		db.set(func() { delete(db.accounts, "alice") })
		n.changed("")
		b.pass(2 * time.Minute)
		expect(t, "kicked", fmt.Sprint(b.kicked), "[a1]")
	})
}

// A steady stream of logins of the same user; the notice comes in between.
func TestNoticeInAStreamOfLogins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, db, n := noticed(t, v21)
		db.set(func() { db.accounts["alice"] = account(other, "a"); db.delay = 300 * time.Millisecond })
		for i := range 300 {
			if i == 20 {
				n.changed("alice")
				b.tick()
			}
			b.first(client{id: fmt.Sprint("f", i), name: "alice", password: other})
			b.pass(100 * time.Millisecond)
		}
		expect(t, "kicked 28 s after the notice", fmt.Sprint(b.kicked), "[a1]")
	})
}
