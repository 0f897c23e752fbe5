package plugin_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mosquitto-go-auth/backends"
	"mosquitto-go-auth/plugin"
	"mosquitto-go-auth/plugin/acl"
)

type watchedStore struct{ *store }

func (s watchedStore) Watch(ctx context.Context, changed func(string)) error {
	return s.watch(ctx, changed)
}

type watchedMemory struct{ inMemoryStore }

func (s watchedMemory) Watch(ctx context.Context, changed func(string)) error {
	return s.watch(ctx, changed)
}

// notifier is a store's way to tell of changes.
type notifier struct {
	mu    sync.Mutex
	tell  func(name string)
	fail  error // what a new watch comes to at once
	fault any
	begun []time.Time
	end   chan error // ends the watch
}

// watched makes a store one that tells of changes.
func watched(s *store) *notifier {
	n := &notifier{end: make(chan error, 1)}
	s.watch = n.watch
	return n
}

func (n *notifier) watch(ctx context.Context, changed func(string)) error {
	n.mu.Lock()
	n.begun = append(n.begun, time.Now())
	n.tell = changed
	fail, fault := n.fail, n.fault
	n.mu.Unlock()
	if fault != nil {
		panic(fault)
	}
	if fail != nil {
		return fail
	}
	changed("") // as the drivers do
	select {
	case <-ctx.Done():
		return ctx.Err()
	case err := <-n.end:
		return err
	}
}

// set changes the notifier under its lock.
func (n *notifier) set(change func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	change()
}

// watches is how many were begun.
func (n *notifier) watches() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.begun)
}

// changed tells of changes, a moment after what happened before: the clock of a
// bubble stands still otherwise.
func (n *notifier) changed(names ...string) {
	time.Sleep(time.Millisecond)
	n.mu.Lock()
	tell := n.tell
	n.mu.Unlock()
	for _, name := range names {
		tell(name)
	}
}

// noticed starts a broker on a store that tells of changes, with alice in.
func noticed(t *testing.T, v version, options ...string) (*broker, *store, *notifier) {
	t.Helper()
	db := population()
	n := watched(db)
	b := start(t, v, []*store{db}, options...)
	b.settle()
	expect(t, "login", b.enter(alice), plugin.Accept)
	return b, db, n
}

// What ended the account or changed its password ends the client as soon as the
// store tells of it; other rights count at once. No time passes but that of the
// store's answer.
func TestNotice(t *testing.T) {
	for _, c := range []struct {
		title  string
		change func(db *store)
		kicked string
		a, b   bool // the rights on these topics after it
	}{
		{"other rules", func(db *store) { db.accounts["alice"] = account(right, "b") }, "[]", false, true},
		{"another password", func(db *store) { db.accounts["alice"] = account(other, "a") }, "[a1]", true, false},
		{"gone", func(db *store) { delete(db.accounts, "alice") }, "[a1]", false, false},
		{"nothing", func(db *store) {}, "[]", true, false},
		{"the store is down", func(db *store) { db.err = errDown }, "[]", true, false},
		{"the store panics", func(db *store) { db.fault = right }, "[]", true, false},
	} {
		for _, name := range []string{"alice", "", "Bob Ä"} {
			t.Run(fmt.Sprintf("%s, %q is told", c.title, name), func(t *testing.T) {
				onBoth(t, func(t *testing.T, v version) {
					b, db, n := noticed(t, v)
					db.set(func() { c.change(db) })
					n.changed(name)
					asked := db.asked()
					b.settle()
					if name == "Bob Ä" { // of whom nothing is known here
						expect(t, "questions", db.asked(), asked)
						return
					}
					expect(t, "questions", db.asked(), asked+1)
					expect(t, "kicked", fmt.Sprint(b.kicked), c.kicked)
					expect(t, "right a", b.may(alice, backends.Read, "a/1"), c.a)
					expect(t, "right b", b.may(alice, backends.Read, "b/1"), c.b)
					expect(t, "notices", b.Counts().Notices.Load(), 2)
				})
			})
		}
	}
}

// A store that was down when it told of a change is asked until it answers.
func TestNoticeOfAStoreThatIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, db, n := noticed(t, v21)
		db.set(func() { db.accounts["alice"] = account(other, "b"); db.err = errDown })
		n.changed("alice")
		b.pass(10 * time.Second)
		expect(t, "kicked", len(b.kicked), 0)
		db.set(func() { db.err = nil })
		b.pass(1100 * time.Millisecond)
		expect(t, "kicked", fmt.Sprint(b.kicked), "[a1]")
	})
}

// What was asked before the notice came is asked again, whatever it was asked for.
func TestNoticeDuringAFetch(t *testing.T) {
	begin := map[string]func(b *broker){
		"a login": func(b *broker) { b.first(alice.but(func(c *client) { c.id = "a2" })) },
		"a login that is to come back": func(b *broker) {
			b.first(alice.but(func(c *client) { c.id = "a2" }).mqtt5())
		},
		"a refresh": func(b *broker) {
			time.Sleep(lasting)
			b.may(alice, backends.Read, "a/1")
			b.tick()
		},
		"a verification": func(b *broker) {
			b.Reload()
			b.first(b.again(alice))
			synctest.Wait()
			b.tick()
			synctest.Wait()
			b.tick()
		},
	}
	for title, begin := range begin {
		for _, name := range []string{"alice", ""} {
			t.Run(fmt.Sprintf("%s, %q is told", title, name), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					b, db, n := noticed(t, v21, "login_wait 1ms")
					b.pass(time.Second)
					asked, release := db.asked(), db.hold()
					begin(b)
					synctest.Wait()
					expect(t, "under way", db.asked(), asked+1)
					db.set(func() { db.accounts["alice"] = account(other, "b"); db.held = nil })
					n.changed(name)
					b.settle()
					release()
					b.settle()
					if got := fmt.Sprint(b.kicked); got != "[a1]" && got != "[a1 a2]" && got != "[a2 a1]" {
						t.Errorf("kicked: %s", got)
					}
					expect(t, "who is in", len(b.clients), 0)
					expect(t, "the old right", b.may(alice, backends.Read, "a/1"), false)
					expect(t, "the new right", b.may(alice, backends.Read, "b/1"), true)
				})
			})
		}
	}
}

// A login that was asked before the notice, and ends after it, is checked once more:
// what it found may not hold any longer.
func TestNoticeDuringASlowHash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, db, n := noticed(t, v21, "hash_limit 1", "hash_memo off")
		leave := b.occupied()
		b.first(alice.but(func(c *client) { c.id = "a2" }))
		synctest.Wait()
		db.set(func() { db.accounts["alice"] = account(other, "b") })
		n.changed("alice")
		b.settle()
		expect(t, "kicked", fmt.Sprint(b.kicked), "[a1]")
		b.pass(time.Second)
		leave()
		b.settle()
		expect(t, "the login", fmt.Sprint(b.completed), "[a1 true a2 false]")
		expect(t, "kicked", fmt.Sprint(b.kicked), "[a1]")
	})
}

// Also where the store tells of a change during each of its checks: a start at which
// the files are read twice, or an operator who changes one account after the other.
func TestNoticesDuringALogin(t *testing.T) {
	for _, tt := range []struct {
		notices int
		last    string
	}{{3, "[a1 true a2 true]"}, {20, "[a1 true a2 false]"}} {
		synctest.Test(t, func(t *testing.T) {
			b, db, n := noticed(t, v21, "auth_timeout 1s")
			db.set(func() { db.delay = 100 * time.Millisecond })
			b.pass(time.Second)
			b.first(alice.but(func(c *client) { c.id = "a2" }))
			for range tt.notices {
				b.pass(90 * time.Millisecond)
				n.changed("")
			}
			for range 20 {
				b.pass(50 * time.Millisecond)
			}
			expect(t, fmt.Sprint(tt.notices, " notices"), fmt.Sprint(b.completed), tt.last)
		})
	}
}

// What such a login found out in the end is remembered like any other's.
func TestNoticeDuringAHashIsRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		files := memoryStore("files").with("alice", account(right, "a"))
		n := watched(files)
		b := start(t, v21, []*store{files}, "hash_limit 1")
		b.pass(time.Second)
		leave := b.occupied()
		expect(t, "the first", b.first(alice), plugin.Pending)
		synctest.Wait()
		n.changed("")
		b.pass(time.Second)
		leave()
		b.settle()
		expect(t, "the first in the end", fmt.Sprint(b.completed), "[a1 true]")
		expect(t, "the next, at once", b.first(alice.but(func(c *client) { c.id = "a2" })), plugin.Accept)
	})
}

// Likewise where the rights are another store's, which tells of a change during the
// login.
func TestNoticeOfRightsDuringALogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		users := newStore("users").with("alice", account(right, "a"))
		rules := newStore("rules").with("alice", backends.Account{Sections: grant("r/#")})
		n := watched(rules)
		b := start(t, v21, []*store{users, rules})
		b.settle()
		release := rules.hold()
		b.first(alice)
		synctest.Wait()
		rules.set(func() { clear(rules.accounts); rules.held = nil })
		n.changed("alice")
		b.settle()
		release()
		b.settle()
		expect(t, "who is in", len(b.clients), 1)
		expect(t, "the old right", b.may(alice, backends.Read, "r/1"), false)
	})
}

// Likewise where a client that is in is verified by another store than at its login.
func TestNoticeDuringAVerificationElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, second := population(), newStore("second").with("alice", account(right, "a"))
		n := watched(second)
		b := start(t, v21, []*store{first, second}, "hash_limit 1", "hash_memo off")
		b.enter(alice)
		leave := b.occupied()
		first.set(func() { first.err = errDown })
		b.Reload()
		b.first(b.again(alice))
		b.settle() // the password is about to be verified by what the second says
		second.set(func() { second.accounts["alice"] = account(other, "a") })
		n.changed("alice")
		b.settle()
		expect(t, "kicked", len(b.kicked), 0)
		leave()
		b.settle()
		expect(t, "kicked", fmt.Sprint(b.kicked), "[a1]")
	})
}

// The rights of a user without a password here are asked for with the client id
// that they were asked for with before.
func TestNoticeKeepsTheClientID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := population()
		n := watched(db)
		b := start(t, v21, []*store{db}, "login_wait 250ms")
		b.settle()
		expect(t, "a right", b.may(b.stranger("s7", "alice"), backends.Read, "a/1"), true)
		before := db.asked()
		n.changed("alice")
		b.settle()
		expect(t, "questions", db.asked(), before+1)
		expect(t, "client id", db.lookups[before].ClientID, "s7")
	})
}

// Where logins are many, rights that are young are not fetched with each; those that
// are older than a notice are not young.
func TestNoticeEndsYouth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, db, n := noticed(t, v21)
		login := func(i int) backends.Lookup {
			before := db.asked()
			b.first(alice.but(func(c *client) { c.id = fmt.Sprint("c", i) }))
			synctest.Wait()
			if db.asked() == before {
				t.Fatal("the store is not asked")
			}
			return db.lookups[len(db.lookups)-1]
		}
		for i := range 30 {
			login(i)
			b.settle()
		}
		expect(t, "young: password only", login(30).PasswordOnly, true)
		b.settle()
		release := db.hold()
		n.changed("alice")
		b.tick()
		synctest.Wait()
		expect(t, "after the notice: password only", login(31).PasswordOnly, false)
		release()
		b.settle()
	})
}

// An answer that waits for a client who is to come back does not survive a notice
// for its user, and that of another does.
func TestNoticeDropsEarlyResults(t *testing.T) {
	for _, c := range []struct {
		told string
		want plugin.Verdict
	}{{"alice", plugin.ComeBack}, {"", plugin.ComeBack}, {"Bob Ä", plugin.Accept}} {
		t.Run(c.told, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				db := population()
				n := watched(db)
				b := start(t, v20, []*store{db}, "login_wait 1ms")
				b.settle()
				db.set(func() { db.delay = 200 * time.Millisecond })
				expect(t, "first", b.first(alice), plugin.ComeBack)
				b.pass(200 * time.Millisecond)
				n.changed(c.told)
				b.settle()
				expect(t, "back", b.first(alice), c.want)
				b.pass(time.Second)
			})
		})
	}
}

// Rights that are kept for a user who is not connected do not outlive a notice.
func TestNoticeOfUsersWhoAreNotConnected(t *testing.T) {
	for _, name := range []string{"alice", ""} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, db, n := noticed(t, v21)
				b.disconnect("a1", false)
				db.set(func() { db.accounts["alice"] = account(right, "b") })
				n.changed(name)
				b.settle()
				b.may(alice, backends.Read, "a/1") // of all, those that are asked for are fetched again
				b.settle()
				expect(t, "the old right", b.may(alice, backends.Read, "a/1"), false)
				expect(t, "the new right", b.may(alice, backends.Read, "b/1"), true)
			})
		})
	}
}

// until is a plugin.Rights that remembers until when the table may answer.
type until struct {
	plugin.Table
	at map[string]time.Time
}

func (u until) Publish(name string, p acl.Profile, at time.Time) {
	u.Table.Publish(name, p, at)
	u.at[name] = at
}

// After a notice for all, the table answers for nobody whose rights are old and who
// is not looked at in turn.
func TestNoticeEndsTheTable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := population()
		n := watched(db)
		b := newBroker(t, v21)
		table := until{plugin.Table{}, map[string]time.Time{}}
		b.rights = table
		if err := b.open([]*store{db}, "backends db"); err != nil {
			t.Fatal(err)
		}
		defer b.stop()
		b.settle()
		b.enter(alice)
		b.disconnect("a1", false)
		n.changed("")
		b.settle()
		expect(t, "the table may answer", table.at["alice"].After(time.Now()), false)
	})
}

// All users are looked at again as fast as refresh_rate allows, a user who is named
// at once.
func TestNoticeForAllIsPaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := newStore("db")
		n := watched(db)
		for i := range 100 {
			db.with(fmt.Sprint("u", i), account(right, "a"))
		}
		b := start(t, v21, []*store{db}, "refresh_rate 10")
		for i := range 100 {
			b.enter(client{id: fmt.Sprint("c", i), name: fmt.Sprint("u", i), password: right})
		}
		b.pass(time.Second)
		db.set(func() { clear(db.accounts) })
		before := db.asked()
		n.changed("")
		b.settle()
		if got := db.asked() - before; got < 5 || got > 11 {
			t.Errorf("%d questions at once, want 10", got)
		}
		expect(t, "put off", b.Counts().Postponed.Load() > 0, true)
		for i := range 100 {
			if name := fmt.Sprint("c", i); b.clients[name] != 0 {
				n.changed(fmt.Sprint("u", i))
				b.settle()
				expect(t, "a name is told: in", b.clients[name], 0)
				break
			}
		}
		for range 20 {
			b.pass(250 * time.Millisecond)
		}
		if got := len(b.kicked); got < 50 || got > 70 {
			t.Errorf("%d kicked after five seconds, want about 60", got)
		}
		for range 24 {
			b.pass(250 * time.Millisecond)
		}
		expect(t, "kicked in the end", len(b.kicked), 100)
	})
}

// Those who are named too often take their turn with all others.
func TestNoticesOfOneUserArePaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, db, n := noticed(t, v21, "refresh_rate 10")
		before := db.asked()
		for range 1000 {
			n.changed("alice")
			b.settle()
		}
		if got := db.asked() - before; got < 20 || got > 41 {
			t.Errorf("%d questions for a thousand notices in a second, want at most 40", got)
		}
		db.set(func() { delete(db.accounts, "alice") })
		n.changed("alice")
		b.pass(300 * time.Millisecond)
		expect(t, "kicked", len(b.kicked), 1)
	})
}

// A flood of names takes no memory, and nothing is missed in it.
func TestNoticeFlood(t *testing.T) {
	onBoth(t, func(t *testing.T, v version) {
		b, db, n := noticed(t, v)
		db.set(func() { delete(db.accounts, "alice") })
		before := db.asked()
		for i := range 100000 {
			if i == 500 {
				n.changed("alice")
			}
			n.changed(fmt.Sprint("nobody-we-know-", i))
			if i%7777 == 0 {
				b.settle()
			}
		}
		b.settle()
		expect(t, "kicked", len(b.kicked), 1)
		if got := db.asked() - before; got > 20 {
			t.Errorf("%d questions", got)
		}
		expect(t, "notices", b.Counts().Notices.Load(), 100002)
	})
}

// The watch is begun again when it failed, less and less often, and that is told
// once. What changed meanwhile is found when it works again.
func TestWatchFails(t *testing.T) {
	for _, c := range []struct {
		title string
		err   error
		fault any
		lines map[string]int
	}{
		{"error", errDown, nil, map[string]int{"db: connection refused; until the store tells of changes again": 1, "a fault in the plugin": 0}},
		{"no error", nil, nil, map[string]int{"db: the watch for changes ended; until": 1}},
		{"panic", errDown, right, map[string]int{"a fault in the plugin itself": 1}},
	} {
		t.Run(c.title, func(t *testing.T) {
			onBoth(t, func(t *testing.T, v version) {
				b, db, n := noticed(t, v)
				db.set(func() { delete(db.accounts, "alice") })
				n.set(func() { n.fail, n.fault = errDown, c.fault })
				if c.err == nil {
					n.set(func() { n.fail, n.fault = errors.New("the watch ended"), nil })
				}
				n.end <- c.err
				b.pass(5 * time.Second)
				for what, want := range c.lines {
					expect(t, what, b.logged(what), want)
				}
				expect(t, "lost", b.Counts().WatchesLost.Load(), 1)
				early := n.watches()
				if early < 6 || early > 9 {
					t.Errorf("%d watches in five seconds, want pauses from 0.1 s that double", early)
				}
				b.pass(5 * time.Second) // not until the rights are fetched again anyway
				expect(t, "kicked", len(b.kicked), 0)
				n.set(func() { n.fail, n.fault = nil, nil })
				b.pass(10 * time.Second)
				expect(t, "kicked", len(b.kicked), 1)
				expect(t, "told that it is back", b.logged("db tells of changes again"), 1)
				b.pass(15 * time.Second)
				n.end <- errDown // the pauses are short again
				b.pass(150 * time.Millisecond)
				expect(t, "outages", b.logged("connection refused; until")+b.logged("watch for changes ended; until")+
					b.logged("not an account: a fault in the plugin itself; until"), 2)
				expect(t, "told that it is back", b.logged("db tells of changes again"), 2)
			})
		})
	}
}

func TestWatchPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := population()
		n := watched(db)
		n.fail = errDown
		b := start(t, v21, []*store{db})
		b.pass(10 * time.Minute)
		n.set(func() {
			for i := 1; i < len(n.begun); i++ {
				longest := min(100*time.Millisecond<<min(i-1, 20), 10*time.Second)
				if pause := n.begun[i].Sub(n.begun[i-1]); pause < longest/2 || pause > longest {
					t.Errorf("pause %d: %v, want %v to %v", i, pause, longest/2, longest)
				}
			}
			if len(n.begun) < 60 {
				t.Errorf("%d watches in ten minutes", len(n.begun))
			}
		})
		expect(t, "lines", b.logged("connection refused; until"), 1)
	})
}

// A watch that tells of nothing, not even that it has begun, is taken to work in
// the end, and what changed before that is found.
func TestSilentWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := population()
		db.watch = func(ctx context.Context, _ func(string)) error { <-ctx.Done(); return ctx.Err() }
		b := start(t, v21, []*store{db}, "acl_cache_seconds 3600")
		b.enter(alice)
		db.set(func() { delete(db.accounts, "alice") })
		b.pass(31 * time.Second)
		expect(t, "kicked", len(b.kicked), 1)
	})
}

// Close waits for no watch, and one that goes on for a while does no harm.
func TestCloseDuringAWatch(t *testing.T) {
	onBoth(t, func(t *testing.T, v version) {
		db := population()
		db.watch = func(ctx context.Context, changed func(string)) error {
			changed("")
			<-ctx.Done()
			for range 1000 {
				time.Sleep(time.Minute)
				changed("alice")
			}
			return errDown
		}
		b := start(t, v, []*store{db})
		b.enter(alice)
		expect(t, "Close took", took(b.stop), 0)
		time.Sleep(24 * time.Hour)
		expect(t, "watches lost", b.Counts().WatchesLost.Load(), 0)
	})
}

// The names are the store's; users may have a prefix before them.
func TestNoticeWithPrefixes(t *testing.T) {
	for _, c := range []struct {
		title   string
		options []string
		told    string
		asked   string // the users who are looked at again, in order
	}{
		{"whole names", []string{"check_prefix true", "prefixes db, x"}, "db_alice", "[db_alice]"},
		{"whole names: another's", []string{"check_prefix true", "prefixes db, x"}, "x_alice", "[]"},
		{"whole names: none", []string{"check_prefix true", "prefixes db, x"}, "alice", "[alice]"},
		{"stripped", []string{"check_prefix true", "prefixes db, x", "strip_prefix true"}, "alice", "[alice db_alice]"},
		{"stripped: what looks like a prefix", []string{"check_prefix true", "prefixes db, x", "strip_prefix true"}, "db_alice", "[]"},
		{"no prefixes", nil, "db_alice", "[db_alice]"},
	} {
		t.Run(c.title, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				db, x := newStore("db"), newStore("x")
				n := watched(db)
				b := start(t, v21, []*store{db, x}, c.options...)
				names := []string{"alice", "db_alice", "x_alice"}
				for _, name := range names {
					db.with(name, account(right, "a"))
					x.with(name, account(right, "a"))
				}
				for _, name := range names {
					expect(t, "login", b.enter(client{id: name, name: name, password: right}), plugin.Accept)
				}
				b.pass(time.Second)
				db.set(func() { clear(db.accounts) })
				x.set(func() { clear(x.accounts) })
				n.changed(c.told)
				b.settle()
				out := []string{}
				for _, name := range names {
					if b.clients[name] == 0 {
						out = append(out, name)
					}
				}
				expect(t, "kicked", fmt.Sprint(out), c.asked)
			})
		})
	}
}

// perClientStore's answer on a password depends on the client id.
type perClientStore struct{ watchedStore }

func (perClientStore) PerClient() bool { return true }

// Where the answer depends on the client id, each client is asked about.
func TestNoticePerClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := population()
		db.perClient = true
		n := watched(db)
		b := start(t, v21, []*store{db})
		for i := range 5 {
			b.enter(alice.but(func(c *client) { c.id = fmt.Sprint("a", i) }))
		}
		b.pass(time.Second)
		db.set(func() { db.accounts["alice"] = account(other, "a") })
		n.changed("alice")
		b.settle()
		expect(t, "kicked", len(b.kicked), 5)
	})
}

// A store that keeps its accounts in memory reads them again when it tells of a
// change, as at SIGHUP; who still holds notices nothing.
func TestNoticeReadsAgain(t *testing.T) {
	onBoth(t, func(t *testing.T, v version) {
		db, sql := memoryDB(), newStore("sql")
		n := watched(db)
		b := start(t, v, []*store{db, sql})
		b.settle()
		b.prime()
		expect(t, "readings at the start", db.reloads, 1)
		bob := client{id: "b1", name: "Bob Ä", password: right}
		b.enter(alice)
		b.enter(bob)
		b.pass(time.Second)
		db.set(func() {
			db.reload = func() ([]string, error) {
				db.set(func() { db.accounts["alice"] = account(other, "a"); db.accounts["Bob Ä"] = account(right, "new") })
				return []string{"line 7 is odd"}, nil
			}
		})
		n.changed("")
		n.changed("")
		b.settle()
		expect(t, "readings", db.reloads, 2)
		expect(t, "of others", sql.reloads, 0)
		expect(t, "the note", b.logged("line 7 is odd"), 1)
		expect(t, "lines, but for the reading at the start", b.logged("read again: db"), 1)
		expect(t, "kicked", fmt.Sprint(b.kicked), "[a1]")
		expect(t, "new right", b.may(bob, backends.Read, "new/1"), true)

		db.set(func() { db.reload = func() ([]string, error) { return nil, errors.New("line 3 is wrong") } })
		for range 10 {
			n.changed("")
			b.settle()
		}
		expect(t, "readings", db.reloads, 12)
		expect(t, "an error is told once", b.logged("line 3 is wrong; what was read before stays in force"), 1)
		b.Reload()
		b.settle()
		expect(t, "and to an operator who asks", b.logged("line 3 is wrong; what was read before stays in force"), 2)
		expect(t, "readings of all", sql.reloads, 1)
		expect(t, "new right stays", b.may(bob, backends.Read, "new/1"), true)
		expect(t, "kicked", fmt.Sprint(b.kicked), "[a1]")
	})
}

// Notices during a reading lead to one more, of all that were told of.
func TestNoticeDuringAReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one, two := memoryStore("one").with("alice", account(right, "a")), memoryStore("two")
		n1, n2 := watched(one), watched(two)
		b := start(t, v21, []*store{one, two})
		b.settle()
		reading := make(chan struct{})
		one.set(func() { one.reload = func() ([]string, error) { <-reading; return nil, nil } })
		n1.changed("")
		synctest.Wait()
		b.tick()
		synctest.Wait()
		for range 10 {
			n1.changed("")
			n2.changed("")
			b.tick()
		}
		expect(t, "one", one.reloads, 2)
		close(reading)
		b.settle()
		expect(t, "one", one.reloads, 3)
		expect(t, "two", two.reloads, 2)
	})
}

// A change in the files counts too for users about whom another source is asked.
func TestNoticeInMemoryWithAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db, files := population(), memoryStore("files")
		files.with("alice", backends.Account{Sections: grant("f/#")})
		n := watched(files)
		b := start(t, v21, []*store{db, files})
		b.settle()
		b.enter(alice)
		expect(t, "a right of the files", b.may(alice, backends.Read, "f/1"), true)
		files.set(func() {
			files.reload = func() ([]string, error) {
				files.set(func() { clear(files.accounts) })
				return nil, nil
			}
		})
		n.changed("")
		b.settle()
		time.Sleep(time.Millisecond) // the reading took a moment
		b.settle()
		expect(t, "is gone though another source is asked about the user", b.may(alice, backends.Read, "f/1"), false)
		expect(t, "kicked", len(b.kicked), 0)
	})
}

// No profile is left out of a look at all, though some are dropped meanwhile.
func TestNoticeWithFewProfiles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := newStore("db")
		n := watched(db)
		b := start(t, v21, []*store{db}, "profiles_max 7")
		for round := range 20 {
			for i := range 12 {
				name := fmt.Sprint("u", (round*5+i)%30)
				db.with(name, account(right, "a"))
				b.enter(client{id: name, name: name, password: right})
			}
			n.changed("")
			b.settle()
		}
		b.pass(time.Minute)
		db.set(func() { clear(db.accounts) })
		n.changed("")
		b.pass(time.Minute)
		expect(t, "kicked", len(b.kicked), 30)
	})
}
