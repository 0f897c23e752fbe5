package plugin_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mosquitto-go-auth/backends"
	"mosquitto-go-auth/plugin"
)

// again is the client as the broker asks about it after SIGHUP.
func (b *broker) again(c client) client {
	c.ref = b.clients[c.id]
	return c
}

// After SIGHUP the broker asks about every session, and ends those whose answer
// is not success.
func TestReask(t *testing.T) {
	onBoth(t, func(t *testing.T, v version) {
		db := population()
		b := start(t, v, []*store{db}, "hash_limit 1", "hash_memo off")
		b.enter(alice)
		bob := client{id: "b1", name: "Bob Ä", password: right, persistent: true}
		b.enter(bob)
		b.disconnect("b1", true) // whose session stays
		leave := b.occupied()    // no hash can be computed
		release := db.hold()     // and the store hangs

		b.Reload()
		stall := took(func() {
			expect(t, "connected", b.first(b.again(alice)), plugin.Accept)
			expect(t, "offline", b.first(b.again(bob)), plugin.Accept)
			bad := b.again(alice)
			bad.password = wrong
			expect(t, "with another password", b.first(bad), plugin.Refuse)
			bad = b.again(alice)
			bad.name = "Bob Ä"
			expect(t, "with another name", b.first(bad), plugin.Refuse)
		})
		expect(t, "waited", stall, 0)
		leave()
		release()
		b.settle()
		expect(t, "kicked", len(b.kicked), 0)
	})
}

// What was answered at SIGHUP is verified behind the answer.
func TestReaskIsVerified(t *testing.T) {
	for _, c := range []struct {
		title  string
		change func(db *store)
		kicked int
	}{
		{"nothing changed", func(db *store) {}, 0},
		{"another password", func(db *store) { db.accounts["alice"] = account(other, "a") }, 1},
		{"gone", func(db *store) { delete(db.accounts, "alice") }, 1},
		{"expired", func(db *store) {
			db.accounts["alice"] = backends.Account{Hash: hashed(right), Expires: time.Unix(1, 0)}
		}, 1},
		{"the store is down", func(db *store) { db.err = errDown }, 0},
		{"the store panics", func(db *store) { db.fault = "s3cret" }, 0},
	} {
		t.Run(c.title, func(t *testing.T) {
			onBoth(t, func(t *testing.T, v version) {
				db := population()
				b := start(t, v, []*store{db})
				b.enter(alice)
				db.set(func() { c.change(db) })
				b.Reload()
				expect(t, "asked again", b.first(b.again(alice)), plugin.Accept)
				b.pass(6 * time.Second)
				expect(t, "kicked", len(b.kicked), c.kicked)
			})
		})
	}
}

// The verification waits until the files were read again.
func TestReaskAfterReading(t *testing.T) {
	onBoth(t, func(t *testing.T, v version) {
		db := memoryDB()
		b := start(t, v, []*store{db})
		b.enter(alice)
		read := make(chan struct{})
		db.set(func() {
			db.reload = func() ([]string, error) {
				<-read
				db.set(func() { db.accounts["alice"] = account(other, "b") })
				return []string{"line 7 is odd"}, nil
			}
		})
		b.Reload()
		expect(t, "asked again", b.first(b.again(alice)), plugin.Accept)
		b.settle()
		expect(t, "rights before", b.may(alice, backends.Read, "a/1"), true)
		close(read)
		b.settle()
		expect(t, "kicked", fmt.Sprint(b.kicked), "[a1]")
		expect(t, "rights after", b.may(alice, backends.Read, "b/1"), true)
		expect(t, "the note is logged", b.logged("line 7 is odd"), 1)
	})
}

// A session that came in by another way, such as a certificate, is not ours to
// end; the broker asks about it with its name and no password.
func TestReaskForeign(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, v21, []*store{population()})
		b.connect("f", 77)
		b.Reload()
		expect(t, "named", b.first(client{id: "f", name: "CN=device", passwordless: true, ref: 77}), plugin.Accept)
		expect(t, "without a name: allow_anonymous decides",
			b.first(client{id: "f", unnamed: true, passwordless: true, ref: 77}), plugin.Defer)
		expect(t, "another client with that name", b.first(client{id: "g", name: "CN=device", passwordless: true}), plugin.Refuse)
		b.settle()
		expect(t, "questions to the store", b.Counts().Accepted.Load(), 0)
	})
}

// A session that was restored from disk has no password, and no connection. It stays
// until somebody comes for it, who has to log in.
func TestReaskRestored(t *testing.T) {
	onBoth(t, func(t *testing.T, v version) {
		b := start(t, v, []*store{population()})
		b.clients["r"] = 77
		restored := client{id: "r", name: "alice", passwordless: true, persistent: true, ref: 77}
		expect(t, "before a reload", b.first(restored), map[version]plugin.Verdict{v20: plugin.Refuse, v21: plugin.Accept}[v])
		b.Reload()
		expect(t, "restored", b.first(restored), plugin.Accept)
		expect(t, "restored, without a name", b.first(client{id: "r", unnamed: true, passwordless: true, ref: 77}), plugin.Defer)
		expect(t, "with a connection", b.first(restored.but(func(c *client) { c.address = "192.0.2.7" })), plugin.Refuse)
		expect(t, "with a password", b.first(restored.but(func(c *client) { c.password, c.passwordless = wrong, false })), plugin.Refuse)
		newcomer := client{id: "n", name: "alice", passwordless: true}
		if v == v21 {
			expect(t, "a newcomer without a password", b.first(newcomer), plugin.Refuse)
		}
		b.tick()
		expect(t, "a newcomer in another turn", b.first(newcomer), plugin.Refuse)
	})
}

// The window in which Mosquitto 2.0 may ask about sessions ends soon, and covers
// nobody who was not in.
func TestReaskWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := population()
		b := start(t, v20, []*store{db}, "hash_memo off")
		b.enter(alice)
		b.Reload()
		before := db.asked()
		expect(t, "a newcomer", b.first(client{id: "a2", name: "alice", password: wrong}), plugin.Refuse)
		b.pass(3 * time.Second)
		b.settle()
		b.first(b.again(alice))
		b.settle()
		expect(t, "after the window, the store is asked", db.asked()-before, 2)
	})
}

func TestReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := population()
		b := start(t, v21, []*store{db}, "queue_max 1")
		reading := make(chan struct{})
		db.set(func() { db.reload = func() ([]string, error) { <-reading; return nil, nil } })
		release := db.hold()
		b.first(client{id: "x", name: "Bob Ä", password: wrong}) // takes all the room there is
		b.Reload()
		b.Reload() // while the first is under way
		b.Reload()
		synctest.Wait()
		expect(t, "readings", db.reloads, 1)
		close(reading)
		release()
		b.settle()
		expect(t, "and one more for the changes since", db.reloads, 2)
		expect(t, "lines", b.logged("read again: db"), 2)
	})
}

func TestReloadFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := memoryDB()
		b := start(t, v21, []*store{db})
		b.enter(alice)
		db.set(func() { db.reload = func() ([]string, error) { return nil, errors.New("line 3 is wrong") } })
		b.Reload()
		b.settle()
		expect(t, "is logged", b.logged("line 3 is wrong; what was read before stays in force"), 1)
		expect(t, "rights", b.may(alice, backends.Read, "a/1"), true)
		if strings.Contains(strings.Join(b.logs, "\n"), "read again: db") {
			t.Error("a failed reload is told as one that worked")
		}
	})
}

// Mosquitto 2.0.11 calls no TICK with per_listener_settings; what is due is then
// done at the next login, also while the broker asks about the sessions.
func TestReaskWithTicks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := population()
		b := start(t, v20, []*store{db}, "hash_limit 1", "hash_memo off")
		bob := client{id: "b1", name: "Bob Ä", password: right}
		b.enter(alice)
		b.enter(bob)
		b.pass(time.Minute)
		defer b.occupied()() // no hash can be computed
		b.Reload()
		for _, c := range []client{alice, bob} {
			b.TickAtLogin()
			expect(t, c.name, b.first(b.again(c)), plugin.Accept)
		}
	})
}
