package plugin_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"mosquitto-go-auth/plugin"
)

// took is how long the broker's thread was blocked.
func took(f func()) time.Duration {
	start := time.Now()
	f()
	return time.Since(start)
}

// hurried starts a broker that cannot delay, with a store that takes its time.
func hurried(t *testing.T, delay time.Duration, options ...string) (*broker, *store) {
	db := population()
	b := start(t, v20, []*store{db}, options...)
	db.set(func() { db.delay = delay })
	return b, db
}

func TestWaitWithinTheCredit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _ := hurried(t, 20*time.Millisecond)
		stall := took(func() { expect(t, "in time", b.first(alice), plugin.Accept) })
		expect(t, "waited", stall, 20*time.Millisecond)
	})
}

// The broker waits at most once per turn of its loop.
func TestWaitOncePerTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _ := hurried(t, 20*time.Millisecond)
		b.first(alice)
		next := client{id: "b1", name: "Bob Ä", password: right}
		stall := took(func() { expect(t, "the second in a turn", b.first(next), plugin.ComeBack) })
		expect(t, "waited", stall, 0)
		b.pass(20 * time.Millisecond)
		expect(t, "when it comes back", b.first(next), plugin.Accept)
	})
}

// No storm stalls the broker for longer than the credit, and what it refills.
func TestCreditIsSpent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, db := hurried(t, 0, "login_wait 250ms", "queue_max 10000")
		b.first(alice)
		b.settle()
		began := time.Now()
		var stalled time.Duration
		for i := range 2000 {
			db.set(func() { db.delay = time.Minute }) // never prompt, which shows only when it is asked
			c := alice.but(func(c *client) { c.id = fmt.Sprint("c", i) })
			stalled += took(func() { b.first(c) })
			b.tick()
		}
		allowed := 250*time.Millisecond + time.Since(began)/20
		if stalled > allowed+time.Millisecond {
			t.Errorf("stalled for %v in %v, want at most %v", stalled, time.Since(began), allowed)
		}
		if stalled < 200*time.Millisecond {
			t.Errorf("stalled for %v only: the credit was not used", stalled)
		}
		b.pass(10 * time.Second)
	})
}

func TestLoginWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _ := hurried(t, time.Second, "login_wait 80ms")
		stall := took(func() { expect(t, "too slow", b.first(alice), plugin.ComeBack) })
		expect(t, "waited", stall, 80*time.Millisecond)
		expect(t, "counted", b.Counts().NoCredit.Load(), 1)
		b.pass(time.Second)
		stall = took(func() { expect(t, "when it comes back", b.first(alice), plugin.Accept) })
		expect(t, "waited", stall, 0)
	})
}

// There is no waiting for a store whose last answer was not prompt.
func TestNoWaitForASlowStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _ := hurried(t, 500*time.Millisecond)
		b.enter(client{id: "b1", name: "Bob Ä", password: right})
		b.pass(time.Second)
		b.enter(client{id: "b1", name: "Bob Ä", password: right})
		b.pass(10 * time.Second)
		stall := took(func() { expect(t, "slow", b.first(alice), plugin.ComeBack) })
		expect(t, "waited", stall, 0)
		b.pass(time.Second)
	})
}

// The outage of a store that fails at once is told at once; a client that were
// told to come back would only do so for ever.
func TestOutageIsToldAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, db := hurried(t, 0)
		b.first(alice)
		b.settle()
		db.set(func() { db.err = errDown })
		for range 3 {
			expect(t, "down", b.first(alice), plugin.Unavailable)
			b.pass(time.Second)
		}
	})
}

// Who failed lately is not waited for: neither the name nor the address.
func TestSuspects(t *testing.T) {
	for _, c := range []struct {
		title  string
		client client
		want   plugin.Verdict
	}{
		{"same name", client{id: "x", name: "alice", password: right, address: "192.0.2.9"}, plugin.ComeBack},
		{"same address", client{id: "x", name: "Bob Ä", password: right, address: "192.0.2.1"}, plugin.ComeBack},
		{"neither", client{id: "x", name: "Bob Ä", password: right, address: "192.0.2.2"}, plugin.Accept},
		{"no address", client{id: "x", name: "Bob Ä", password: right}, plugin.Accept},
	} {
		t.Run(c.title, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, _ := hurried(t, 0)
				b.enter(client{id: "bad", name: "alice", password: wrong, address: "192.0.2.1"})
				b.pass(time.Second)
				expect(t, "first", b.first(c.client), c.want)
				b.settle()
				expect(t, "at last", b.enter(c.client), plugin.Accept)
				b.pass(time.Second)
				expect(t, "once it was right", b.first(c.client), plugin.Accept)
			})
		})
		t.Run(c.title+", a minute later", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, _ := hurried(t, 0)
				b.enter(client{id: "bad", name: "alice", password: wrong, address: "192.0.2.1"})
				b.pass(61 * time.Second)
				expect(t, "first", b.first(c.client), plugin.Accept)
			})
		})
	}
}

// A name in the form of an address makes no address a suspect.
func TestSuspectNameLikeAnAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _ := hurried(t, 0)
		b.enter(alice)
		b.enter(client{id: "bad", name: "@192.0.2.1", password: wrong, address: "192.0.2.66"})
		b.pass(time.Second)
		expect(t, "the address", b.first(client{id: "x", name: "alice", password: right, address: "192.0.2.1"}), plugin.Accept)
	})
}

// Clients without an address do not answer for each other, nor does a session
// that the broker asks about after it restored it from disk.
func TestSuspectWithoutAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _ := hurried(t, 0)
		b.enter(alice)
		b.first(client{id: "restored", name: "alice", passwordless: true})
		b.enter(client{id: "bad", name: "nobody", password: wrong})
		b.pass(time.Second)
		expect(t, "another", b.first(client{id: "x", name: "Bob Ä", password: right}), plugin.Accept)
	})
}

// A result that waits for its client answers one login, for five seconds.
func TestEarlyResult(t *testing.T) {
	c := alice.mqtt5()
	early := func(t *testing.T) (*broker, *store) {
		b, db := hurried(t, 200*time.Millisecond, "login_wait 1ms")
		expect(t, "first", b.first(c), plugin.ComeBack)
		b.pass(200 * time.Millisecond)
		return b, db
	}
	t.Run("once", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b, _ := early(t)
			expect(t, "back", b.first(c), plugin.Accept)
			expect(t, "once more", b.first(c), plugin.ComeBack)
			b.pass(time.Second)
		})
	})
	t.Run("for the same login only", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b, _ := early(t)
			for _, d := range []client{{id: "a1", name: "alice", password: wrong}, {id: "a2", name: "alice", password: right},
				{id: "a1", name: "Bob Ä", password: right}} {
				expect(t, "another", b.first(d), plugin.ComeBack)
			}
			b.pass(time.Second)
		})
	})
	t.Run("for five seconds", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b, _ := early(t)
			b.pass(5 * time.Second)
			expect(t, "at the end", b.first(c), plugin.Accept)
			b.pass(time.Second)
		})
		synctest.Test(t, func(t *testing.T) {
			b, _ := early(t)
			b.pass(5*time.Second + time.Millisecond)
			expect(t, "too late", b.first(c), plugin.ComeBack)
			b.pass(time.Second)
		})
	})
	t.Run("until a reload", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b, db := early(t)
			b.Reload()
			db.set(func() { db.accounts["alice"] = account(other, "a") })
			expect(t, "after it", b.first(c), plugin.ComeBack)
			b.pass(time.Second)
			expect(t, "at last", b.first(c), plugin.Refuse)
		})
	})
	t.Run("not one that was under way at a reload", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b, db := hurried(t, 200*time.Millisecond, "login_wait 1ms")
			b.first(c)
			time.Sleep(100 * time.Millisecond)
			b.Reload()
			b.pass(time.Second)
			before := db.asked()
			b.first(c)
			b.pass(time.Second)
			expect(t, "asked again", db.asked() > before, true)
		})
	})
	t.Run("is verified behind", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b, db := early(t)
			db.set(func() { db.accounts["alice"] = account(other, "a") })
			expect(t, "back", b.first(c), plugin.Accept)
			b.pass(time.Second)
			expect(t, "kicked", fmt.Sprint(b.kicked), "[a1]")
			expect(t, "count", b.Counts().Kicked.Load(), 1)
		})
	})
	t.Run("is verified behind while the store is down", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b, db := early(t)
			db.set(func() { db.err = errDown })
			expect(t, "back", b.first(c), plugin.Accept)
			b.pass(time.Second)
			expect(t, "kicked", len(b.kicked), 0)
		})
	})
	t.Run("a refusal too", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b, _ := hurried(t, 200*time.Millisecond, "login_wait 1ms")
			bad := c.but(func(c *client) { c.password = wrong })
			b.first(bad)
			b.pass(time.Second)
			expect(t, "back", b.first(bad), plugin.Refuse)
			expect(t, "counted once", b.Counts().Refused.Load(), 1)
		})
	})
}

// A client that comes back while its login is still under way joins it. What it
// joins may have been fetched seconds ago, so it is verified behind as well.
func TestJoinedLogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, db := hurried(t, time.Millisecond, "login_wait 250ms")
		b.first(alice) // the one wait of this turn
		db.set(func() { db.delay = 0 })
		before := db.asked()
		release := db.hold()
		c := alice.but(func(c *client) { c.id = "a2" })
		expect(t, "second in the turn", b.first(c), plugin.ComeBack)
		synctest.Wait() // the store has seen the question, and answers with what it had then
		db.set(func() { db.accounts["alice"] = account(other, "a") })
		time.AfterFunc(30*time.Millisecond, release)
		b.tick()
		expect(t, "back", b.first(c), plugin.Accept)
		expect(t, "questions", db.asked()-before, 1)
		b.settle()
		expect(t, "kicked", fmt.Sprint(b.kicked), "[a2]")
	})
}

// A result that came while the broker's thread waited for another is not waited
// for again.
func TestResultThatCameMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _ := hurried(t, 50*time.Millisecond, "login_wait 250ms")
		lasting := client{id: "l1", name: "lasting", password: right}
		expect(t, "first in the turn", b.first(lasting), plugin.Accept)
		expect(t, "second in the turn", b.first(alice), plugin.ComeBack)
		time.Sleep(10 * time.Millisecond)
		b.turn++ // Tick was not called: nobody had woken it yet
		lasting.id = "l2"
		expect(t, "waits for longer than alice's result takes", b.first(lasting), plugin.Accept)
		b.turn++
		stall := took(func() { expect(t, "back", b.first(alice), plugin.Accept) })
		expect(t, "waited", stall, 0)
	})
}

// A login with a hash in the memo costs the store's answer alone, so it is
// waited for even where the hash would take too long.
func TestMemo(t *testing.T) {
	onBoth(t, func(t *testing.T, v version) {
		db := population()
		b := start(t, v, []*store{db}, "hash_limit 1")
		c := alice.mqtt5()
		b.enter(c)
		if err := b.process.Hashing.Enter(t.Context(), "test"); err != nil {
			t.Fatal(err)
		}
		defer b.process.Hashing.Leave()
		b.tick()
		before := db.asked()
		expect(t, "though nobody can compute a hash", b.first(c), plugin.Accept)
		expect(t, "but the store is asked", db.asked()-before, 1)
		db.set(func() { db.accounts["alice"] = account(other, "a") })
		b.tick()
		expect(t, "with the old password", b.first(c), plugin.ComeBack)
	})
}

func TestMemoOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, v20, []*store{population()}, "hash_limit 1", "hash_memo off")
		b.enter(alice)
		if err := b.process.Hashing.Enter(t.Context(), "test"); err != nil {
			t.Fatal(err)
		}
		defer b.process.Hashing.Leave()
		b.tick()
		expect(t, "nobody can compute a hash", b.first(alice), plugin.ComeBack)
	})
}

func TestMemoLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, v20, []*store{population()}, "hash_limit 1", "hash_memo_seconds 100")
		b.enter(alice)
		b.pass(60 * time.Second)
		expect(t, "used", b.enter(alice), plugin.Accept) // which does not prolong it
		b.pass(41 * time.Second)
		if err := b.process.Hashing.Enter(t.Context(), "test"); err != nil {
			t.Fatal(err)
		}
		defer b.process.Hashing.Leave()
		expect(t, "at its end", b.first(alice), plugin.ComeBack)
	})
}

// The credit belongs to the process, not to the instance.
func TestCreditIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := population()
		b := start(t, v20, []*store{slow}, "login_wait 250ms")
		release := slow.hold()
		defer release()
		stall := took(func() { b.first(alice) })
		expect(t, "the first waits", stall, 250*time.Millisecond)

		second := newBroker(t, v20)
		second.process, second.turn = b.process, 7
		db := population()
		db.delay = time.Millisecond
		if err := second.open([]*store{db}, "backends db"); err != nil {
			t.Fatal(err)
		}
		defer second.stop()
		stall = took(func() { expect(t, "the second", second.first(alice), plugin.ComeBack) })
		expect(t, "and does not wait", stall, 0)
	})
}
