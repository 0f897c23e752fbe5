package plugin_test

import (
	"context"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"testing"
	"testing/synctest"

	"mosquitto-go-auth/backends"
	"mosquitto-go-auth/conf"
	"mosquitto-go-auth/plugin"
)

// classic returns a PBKDF2 hash as the predecessors stored it, whose salt is
// taken as it stands or decoded.
func classic(t *testing.T, password string, decoded bool) string {
	const salt = "c2FsdHNhbHRzYWx0"
	bytes := []byte(salt)
	if decoded {
		bytes, _ = base64.StdEncoding.DecodeString(salt)
	}
	key, err := pbkdf2.Key(sha256.New, password, bytes, 1, 32)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("PBKDF2$sha256$1$%s$%s", salt, base64.StdEncoding.EncodeToString(key))
}

// hasher_salt_encoding decides between the two readings of a salt, in general or
// for one backend; without it both are tried.
func TestSaltEncoding(t *testing.T) {
	for _, c := range []struct {
		options       []string
		text, decoded bool // what is accepted
	}{
		{nil, true, true},
		{[]string{"hasher_salt_encoding base64"}, false, true},
		{[]string{"hasher_salt_encoding utf-8"}, true, false},
		{[]string{"hasher_salt_encoding base64", "db_hasher_salt_encoding utf-8"}, true, false},
		{[]string{"hasher_salt_encoding base64", "db_hasher_salt_encoding both"}, true, true},
	} {
		t.Run(fmt.Sprint(c.options), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				db := newStore("db").with("text", backends.Account{Hash: classic(t, right, false)}).
					with("decoded", backends.Account{Hash: classic(t, right, true)})
				b := start(t, v20, []*store{db}, c.options...)
				b.prime()
				for name, want := range map[string]bool{"text": c.text, "decoded": c.decoded} {
					got := b.enter(client{id: name, name: name, password: right}) == plugin.Accept
					expect(t, name, got, want)
				}
			})
		})
	}
}

// A stored hash that costs more than the limits allow is refused, and the log
// says whose.
func TestCostLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := newStore("db").with("costly", backends.Account{Hash: "$2a$16$abcdefghijklmnopqrstuu5Lo0g67CiD3M4RpN1BmBb4Crp5w7dbK"})
		b := start(t, v20, []*store{db})
		b.prime()
		expect(t, "costly", b.enter(client{id: "c", name: "costly", password: right}), plugin.Refuse)
		expect(t, "logged", b.logged(`user "costly": the password hash stored in db cannot be used: too costly`), 1)
	})
}

// Rules that reach topics with a $ only with the predecessor are noted once.
func TestDollarNote(t *testing.T) {
	for option, want := range map[string]int{"wildcards_match_dollar false": 1, "wildcards_match_dollar true": 0} {
		t.Run(option, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				all := backends.Account{Hash: hashed(right), Sections: grant("#", "+/x")}
				db := newStore("db").with("alice", all).with("bob", all)
				b := start(t, v20, []*store{db}, option)
				b.enter(alice)
				b.enter(client{id: "b1", name: "bob", password: right})
				expect(t, "noted", b.logged("do not reach topics that begin with $"), want)
				expect(t, "$SYS", b.may(alice, backends.Read, "$SYS/x"), want == 0)
				expect(t, "others", b.may(alice, backends.Read, "any"), true)
			})
		})
	}
}

// A store that does not answer with an account is not taken to be down for it,
// and the user it is about is told of in the log.
func TestBadAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := population()
		b := start(t, v20, []*store{db})
		b.prime()
		db.set(func() { db.err = fmt.Errorf("%w: the query has three columns", backends.ErrBadAnswer) })
		expect(t, "verdict", b.enter(alice), plugin.Unavailable)
		b.settle()
		expect(t, "logged", b.logged(`user "alice": db: not an account: the query has three columns`), 1)
		expect(t, "taken to be down", b.logged("until it answers"), 0)
	})
}

// byClient is a backend whose query asks for the client id too: each client has a
// password of its own.
type byClient map[string]string

func (d byClient) User(_ context.Context, l backends.Lookup) (backends.Account, error) {
	if d[l.ClientID] == "" {
		return backends.Account{}, backends.ErrNoUser
	}
	return account(d[l.ClientID], "a"), nil
}

func (byClient) Close() error { return nil }

// PerClient implements backends.PerClient.
func (byClient) PerClient() bool { return true }

// A refresh for one client of a user does not kick the others, though the store
// has another answer for them.
func TestAnswersByClientID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		driver := backends.Driver{Name: "db", Prefix: "db", Declare: func(*conf.Set) backends.Open {
			return func(backends.Checks) (backends.Opened, error) {
				return backends.Opened{Backend: byClient{"a1": right, "a2": other}, Provides: backends.AllChecks}, nil
			}
		}}
		b := newBroker(t, v21)
		var err error
		if b.Engine, err = plugin.New(b, b.process, b.rights, []backends.Driver{driver}, lines("backends db")); err != nil {
			t.Fatal(err)
		}
		defer b.stop()
		second := client{id: "a2", name: "alice", password: other}
		expect(t, "first client", b.enter(alice), plugin.Accept)
		expect(t, "second client", b.enter(second), plugin.Accept)
		b.pass(lasting)
		b.may(alice, backends.Read, "a/1")
		b.settle()
		expect(t, "kicked", len(b.kicked), 0)
	})
}
