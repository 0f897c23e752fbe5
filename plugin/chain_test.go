package plugin_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"mosquitto-go-auth/backends"
	"mosquitto-go-auth/plugin"
)

// names are whom a store was asked for.
func (s *store) names() (names []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.lookups {
		names = append(names, l.Name)
	}
	return names
}

// Each backend of a chain is asked in turn until one verifies the password.
func TestChain(t *testing.T) {
	good, bad := account(right, "x"), account(other, "x")
	type answer struct {
		account *backends.Account
		err     error
	}
	yes, no, none, down := answer{account: &good}, answer{account: &bad}, answer{}, answer{err: errDown}
	for _, c := range []struct {
		first, second answer
		want          plugin.Verdict
		asked         string // in their order, for the password
	}{
		{yes, none, plugin.Accept, "[1]"},
		{yes, no, plugin.Accept, "[1]"},
		{yes, down, plugin.Accept, "[1]"},
		{none, yes, plugin.Accept, "[1 2]"},
		{no, yes, plugin.Accept, "[1 2]"},
		{down, yes, plugin.Accept, "[1 2]"},
		{none, none, plugin.Refuse, "[1 2]"},
		{no, no, plugin.Refuse, "[1 2]"},
		{no, none, plugin.Refuse, "[1 2]"},
		{down, no, plugin.Unavailable, "[1 2]"},
		{down, none, plugin.Unavailable, "[1 2]"},
		{no, down, plugin.Unavailable, "[1 2]"},
		{none, down, plugin.Unavailable, "[1 2]"},
		{down, down, plugin.Unavailable, "[1 2]"},
	} {
		t.Run(fmt.Sprint(c.want, c.asked), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var asked []int
				stores := []*store{newStore("one"), newStore("two")}
				for i, a := range []answer{c.first, c.second} {
					if a.account != nil {
						stores[i].with("alice", *a.account)
					}
				}
				b := start(t, v20, stores)
				b.prime()
				stores[0].set(func() { stores[0].err = c.first.err })
				stores[1].set(func() { stores[1].err = c.second.err })
				expect(t, "verdict", b.enter(alice), c.want)
				for i, s := range stores {
					for _, l := range s.lookups {
						if !l.RulesOnly {
							asked = append(asked, i+1)
						}
					}
				}
				expect(t, "asked for the password", fmt.Sprint(asked), c.asked)
			})
		})
	}
}

// An outage is not remembered: not as a refusal, nor against the client.
func TestUnavailableIsNotRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := population()
		b := start(t, v20, []*store{db})
		b.enter(alice)
		db.set(func() { db.err = errDown })
		expect(t, "down", b.enter(alice), plugin.Unavailable)
		db.set(func() { db.err = nil })
		b.tick()
		expect(t, "up, at once", b.first(alice), plugin.Accept)
	})
}

// Where no store can be asked, no login is delayed: one that was could only be let
// in or refused, and not every client comes back from that.
func TestNothingDelayedInAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, second := newStore("first"), newStore("second")
		second.with("alice", account(right, "a"))
		b := start(t, v21, []*store{first, second})
		b.prime()
		for _, s := range b.stores {
			expect(t, "delayed as long as one may answer", b.first(alice), plugin.Pending)
			b.settle()
			s.set(func() { s.err = errDown })
			b.first(client{id: "finds out", name: "nobody", password: right})
			b.settle()
		}
		for range 3 {
			expect(t, "in the outage", b.first(alice), plugin.Unavailable)
			b.pass(time.Second)
		}
		for _, s := range b.stores {
			s.set(func() { s.err = nil })
		}
		expect(t, "afterwards, at once", b.first(alice), plugin.Accept)
		expect(t, "delayed again", b.first(alice.but(func(c *client) { c.id = "a2" })), plugin.Pending)
		b.settle()
	})
}

// The outage of one backend, whichever and however it fails, neither refuses nor
// delays the users of the other.
func TestPartialOutage(t *testing.T) {
	fails := map[string]func(s *store){
		"refuses": func(s *store) { s.err = errDown },
		"hangs":   func(s *store) { s.delay = time.Hour },
	}
	for how, fail := range fails {
		for _, place := range []int{0, 1} {
			t.Run(fmt.Sprintf("%d %s", place+1, how), func(t *testing.T) {
				onBoth(t, func(t *testing.T, v version) {
					stores := []*store{newStore("one"), newStore("two")}
					broken, sound := stores[place], stores[1-place]
					sound.with("alice", account(right, "a"))
					broken.with("alice", backends.Account{Sections: grant("b/#")})
					b := start(t, v, stores)
					b.enter(alice)
					broken.set(func() { fail(broken) })

					b.first(alice)
					b.pass(6 * time.Second)
					expect(t, "the first to notice gets in", b.Counts().Unavailable.Load(), 0)
					if v == v21 {
						expect(t, "the first to notice", b.outcome("a1", 1), plugin.Accept)
					}
					for i := range 20 { // the others do not even notice
						b.pass(400 * time.Millisecond)
						c := alice.mqtt5().but(func(c *client) { c.id = fmt.Sprint("c", i) })
						v := plugin.ComeBack
						stall := took(func() { v = b.first(c) })
						if v == plugin.ComeBack {
							b.settle()
							b.pass(260 * time.Millisecond) // the one that tries whether it is back
							v = b.first(c)
						}
						expect(t, "another", v, plugin.Accept)
						if stall > 250*time.Millisecond {
							t.Errorf("the broker was blocked for %v", stall)
						}
						expect(t, "what the sound one grants", b.may(c, backends.Read, "a/1"), true)
					}
				})
			})
		}
	}
}

// A right counts that any backend grants which is registered for it.
func TestRegister(t *testing.T) {
	for _, c := range []struct {
		options         []string
		verdict         plugin.Verdict
		one, two, super bool
		admits, judges  bool
		ofOne, ofTwo    backends.Checks
	}{
		{nil, plugin.Accept, true, true, true, true, true, backends.AllChecks, backends.AllChecks},
		{[]string{"two_register user"}, plugin.Accept, true, false, false, true, true, backends.AllChecks, backends.CheckUser},
		{[]string{"one_register user"}, plugin.Accept, false, true, true, true, true, backends.CheckUser, backends.AllChecks},
		{[]string{"one_register user, acl", "two_register superuser"}, plugin.Accept, true, false, true, true, true,
			backends.CheckUser | backends.CheckACL, backends.CheckSuperuser},
		{[]string{"one_register acl"}, plugin.Refuse, true, true, true, true, true, backends.CheckACL, backends.AllChecks},
		{[]string{"disable_superuser true"}, plugin.Accept, true, true, false, true, true,
			backends.CheckUser | backends.CheckACL, backends.CheckUser | backends.CheckACL},
		{[]string{"one_register user", "two_register user"}, plugin.Accept, false, false, false, true, false,
			backends.CheckUser, backends.CheckUser},
		{[]string{"one_register acl", "two_register acl"}, plugin.Defer, true, true, false, false, true,
			backends.CheckACL, backends.CheckACL},
	} {
		t.Run(fmt.Sprint(c.options), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				one := newStore("one").with("alice", account(right, "one"))
				two := newStore("two").with("alice", backends.Account{Sections: grant("two/#")}).with("root", backends.Account{Super: true})
				b := start(t, v20, []*store{one, two}, c.options...)
				expect(t, "Admits", b.Admits(), c.admits)
				expect(t, "Judges", b.Judges(), c.judges)
				expect(t, "one was opened for", one.checks, c.ofOne)
				expect(t, "two was opened for", two.checks, c.ofTwo)
				if c.admits { // else the broker does not ask
					b.prime()
					expect(t, "login", b.enter(alice), c.verdict)
				}
				if !c.judges {
					expect(t, "check", b.Check(plugin.ACLCheck{Client: 1, ClientID: "a1", Username: "alice", HasUsername: true, Topic: "one/1", Access: backends.Read}), plugin.NotJudged)
					return
				}
				root := client{id: "r", name: "root"}
				for _, ask := range []bool{false, true} { // the first may come too early
					b.settle()
					if !ask {
						b.may(alice, backends.Read, "x")
						b.may(root, backends.Read, "x")
						continue
					}
					expect(t, "right in one", b.may(alice, backends.Read, "one/1"), c.one)
					expect(t, "right in two", b.may(alice, backends.Read, "two/1"), c.two)
					expect(t, "superuser", b.may(root, backends.Write, "any"), c.super)
				}
			})
		})
	}
}

// What a backend was not configured for, it is not asked.
func TestProvides(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rules, users := newStore("rules"), newStore("users")
		rules.provides, users.provides = backends.CheckACL, backends.CheckUser
		rules.with("alice", backends.Account{Hash: hashed(right), Sections: grant("a/#")})
		users.with("bob", account(right, "b"))
		b := start(t, v20, []*store{rules, users})
		b.prime()
		expect(t, "no password in rules", b.enter(alice), plugin.Refuse)
		bob := client{id: "b1", name: "bob", password: right}
		expect(t, "password in users", b.enter(bob), plugin.Accept)
		expect(t, "no rules in users", b.may(bob, backends.Read, "b/1"), false)
	})
}

func TestPrefixes(t *testing.T) {
	for _, c := range []struct {
		title    string
		options  []string
		name     string
		want     plugin.Verdict
		one, two string // whom the stores were asked for
	}{
		{"prefix of the first", []string{"check_prefix true", "prefixes p, q"}, "p_alice", plugin.Refuse, "[p_alice]", "[]"},
		{"prefix of the second", []string{"check_prefix true", "prefixes p, q"}, "q_alice", plugin.Accept, "[]", "[q_alice]"},
		{"stripped", []string{"check_prefix true", "prefixes p, q", "strip_prefix true"}, "p_alice", plugin.Accept, "[alice]", "[]"},
		{"stripped to nothing", []string{"check_prefix true", "prefixes p, q", "strip_prefix true"}, "p_", plugin.Refuse, "[]", "[]"},
		{"unknown prefix", []string{"check_prefix true", "prefixes p, q"}, "x_alice", plugin.Refuse, "[x_alice]", "[x_alice]"},
		{"unknown prefix is not stripped", []string{"check_prefix true", "prefixes p, q", "strip_prefix true"}, "x_alice", plugin.Refuse,
			"[x_alice]", "[x_alice]"},
		{"no prefix", []string{"check_prefix true", "prefixes p, q"}, "alice", plugin.Accept, "[alice]", "[]"},
		{"switched off", []string{"prefixes p, q"}, "q_alice", plugin.Accept, "[q_alice]", "[q_alice]"},
	} {
		t.Run(c.title, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				one, two := newStore("one").with("alice", account(right, "a/%u")), newStore("two").with("q_alice", account(right, "a"))
				one.provides, two.provides = backends.CheckUser, backends.CheckUser
				b := start(t, v20, []*store{one, two}, c.options...)
				b.prime()
				expect(t, "verdict", b.enter(client{id: "c", name: c.name, password: right}), c.want)
				expect(t, "one was asked for", fmt.Sprint(one.names()), c.one)
				expect(t, "two was asked for", fmt.Sprint(two.names()), c.two)
			})
		})
	}
}

// With strip_prefix, %u is the name that the backend knows; the profiles of two
// users that differ in their prefix only are kept apart.
func TestPrefixedRights(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one := newStore("one").with("alice", backends.Account{Hash: hashed(right), Sections: grant("one/%u/#")})
		two := newStore("two").with("alice", backends.Account{Hash: hashed(right), Sections: grant("two/%u/#")})
		b := start(t, v20, []*store{one, two}, "check_prefix true", "prefixes p, q", "strip_prefix true")
		p, q := client{id: "p", name: "p_alice", password: right}, client{id: "q", name: "q_alice", password: right}
		b.enter(p)
		b.enter(q)
		expect(t, "p's own", b.may(p, backends.Read, "one/alice/1"), true)
		expect(t, "p in q's", b.may(p, backends.Read, "two/alice/1"), false)
		expect(t, "q's own", b.may(q, backends.Read, "two/alice/1"), true)
		expect(t, "with the whole name", b.may(q, backends.Read, "two/q_alice/1"), false)
	})
}

// With use_clientid_as_username the client id is the name, for the password and
// for the rights.
func TestClientIDAsName(t *testing.T) {
	for _, c := range []struct {
		client client
		want   plugin.Verdict
		name   string // that the broker is given
	}{
		{client{id: "alice", name: "Bob Ä", password: right}, plugin.Accept, "alice"},
		{client{id: "alice", unnamed: true, password: right}, plugin.Accept, "alice"},
		{client{id: "alice", name: "", password: right}, plugin.Accept, "alice"},
		{client{id: "alice", name: "Bob Ä", password: wrong}, plugin.Refuse, "alice"},
		{client{id: "nobody", name: "alice", password: right}, plugin.Refuse, "nobody"},
		{client{id: "alice", name: "alice", passwordless: true}, plugin.Refuse, ""},
		{client{id: "alice", unnamed: true, passwordless: true}, plugin.Defer, ""},
		{client{id: "al+ce", name: "alice", password: right}, plugin.Refuse, ""},
	} {
		t.Run(fmt.Sprintf("%+v", c.client), func(t *testing.T) {
			onBoth(t, func(t *testing.T, v version) {
				b := start(t, v, []*store{population()}, "use_clientid_as_username true")
				b.prime()
				c.client.ref = 5
				expect(t, "verdict", b.enter(c.client), c.want)
				expect(t, "name", b.names[5], c.name)
			})
		})
	}
}

// A client without a name never gets the rights of the account that its client
// id names.
func TestClientIDOfAnonymous(t *testing.T) {
	onBoth(t, func(t *testing.T, v version) {
		db := memoryDB()
		rules := backends.Account{Sections: grant("open/#", "own/%u", "own/%u/#")}
		db.anonymous = &rules
		b := start(t, v, []*store{db}, "use_clientid_as_username true")
		b.enter(client{id: "alice", name: "x", password: right})
		b.disconnect("alice", false)
		ghost := client{id: "alice", unnamed: true, passwordless: true}
		expect(t, "login", b.first(ghost), plugin.Defer)
		b.connect("alice", 999)
		expect(t, "alice's", b.may(ghost, backends.Read, "a/1"), false)
		expect(t, "everybody's", b.may(ghost, backends.Read, "open/1"), true)
		for _, topic := range []string{"own/", "own/\x00", "own/alice", "own//x"} {
			expect(t, topic, b.may(ghost, backends.Read, topic), false)
		}
	})
}

// The option superusers is a pattern for names that may do everything.
func TestSuperusers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := newStore("db").with("Sue", account(right, "a")).with("sue", account(right, "a")).with("S", account(right, "a"))
		db.provides = backends.CheckUser
		b := start(t, v20, []*store{db}, "superusers S*", "disable_superuser true")
		expect(t, "Judges", b.Judges(), true)
		for name, want := range map[string]bool{"Sue": true, "S": true, "sue": false} {
			c := client{id: name, name: name, password: right}
			expect(t, "login of "+name, b.enter(c), plugin.Accept)
			expect(t, name, b.may(c, backends.Write, "any/thing"), want)
			expect(t, name+", everything", b.may(c, backends.Subscribe, "#"), want)
		}
		expect(t, "anonymous", b.Check(plugin.ACLCheck{Client: 1, ClientID: "x", Username: "", HasUsername: false, Topic: "any", Access: backends.Read}), plugin.Denied)
	})
}

func TestSuperusersNotAnonymous(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, v20, []*store{memoryDB()}, "superusers *")
		expect(t, "anonymous", b.Check(plugin.ACLCheck{Client: 1, ClientID: "x", Username: "", HasUsername: false, Topic: "any", Access: backends.Read}), plugin.Denied)
		expect(t, "a name", b.Check(plugin.ACLCheck{Client: 1, ClientID: "x", Username: "whoever", HasUsername: true, Topic: "any", Access: backends.Read}), plugin.Granted)
	})
}
