package backendtest

import (
	"testing"

	"mosquitto-go-auth/backends"
)

// testHashes: what is stored comes back byte for byte, with every question that
// wants it and with none that does not.
func testHashes(t *testing.T, s *Store) {
	b := s.open(t, "")
	for _, hash := range quoted(t, hashesText) {
		s.set(t, b, Account{Name: "sam", Hash: hash}, Account{Name: "tom", Hash: "$other$"})
		for _, l := range kinds("sam")[:1] {
			if a := fetch(t, b, l); a.Hash != hash {
				t.Errorf("%s: got the hash %q, want %q", show(l), a.Hash, hash)
			}
		}
		if a := fetch(t, b, backends.Lookup{Name: "sam", ClientID: "c1", PasswordOnly: true}); a.Hash != hash {
			t.Errorf("password only: got the hash %q, want %q", a.Hash, hash)
		}
		a, err := b.User(within(t), backends.Lookup{Name: "sam", ClientID: "c1", RulesOnly: true})
		if err == nil && a.Hash != "" {
			t.Errorf("the rules of %.80q come with a hash", "sam")
		}
	}
}

// testUnknown: a name of which nothing is stored is no error of the store.
func testUnknown(t *testing.T, s *Store) {
	b := s.open(t, "")
	s.set(t, b)
	for _, l := range kinds("sam") {
		refuse(t, b, l)
	}
	s.set(t, b, sam())
	for _, l := range kinds("tom") {
		refuse(t, b, l)
	}
}

// testNoHash: without a hash no password is right; the rules are there all the
// same.
func testNoHash(t *testing.T, s *Store) {
	b := s.open(t, "")
	rules := []backends.Rule{{Pattern: "a/b", Access: backends.Write}}
	accounts := map[string]Account{"empty": {Name: "sam", Rules: rules}}
	if !s.NoNulls {
		accounts["NULL"] = Account{Name: "sam", NoHash: true, Rules: rules}
	}
	for name, account := range accounts {
		t.Run(name, func(t *testing.T) {
			s.set(t, b, account)
			for _, l := range []backends.Lookup{{Name: "sam", ClientID: "c1"}, {Name: "sam", ClientID: "c1", PasswordOnly: true}} {
				a, err := b.User(within(t), l)
				if a.Hash != "" || err != nil && err != backends.ErrNoUser {
					t.Errorf("%s: got %d bytes of hash and error %v", show(l), len(a.Hash), err)
				}
			}
			if s.NoRules {
				return
			}
			l := backends.Lookup{Name: "sam", ClientID: "c1", RulesOnly: true}
			a := fetch(t, b, l)
			wantRight(t, s, a, l, backends.Write, "a/b", true)
			wantRight(t, s, a, l, backends.Read, "a/b", false)
		})
	}
}

// testSuperuser: the store tells who is one, with the password and with the
// rules, and nobody else is.
func testSuperuser(t *testing.T, s *Store) {
	b := s.open(t, "")
	s.set(t, b, Account{Name: "root", Hash: "$h$", Super: true}, sam())
	for _, l := range kinds("root")[:2] {
		if a := fetch(t, b, l); !a.Super {
			t.Errorf("%s: no superuser", show(l))
		}
	}
	for _, l := range kinds("sam") {
		if a := fetch(t, b, l); a.Super || a.AllowAll {
			t.Errorf("%s: a superuser", show(l))
		}
	}
	for _, l := range kinds("tom") {
		refuse(t, b, l)
	}
}

// sam is an account like any other.
func sam() Account {
	return Account{Name: "sam", Hash: "$sam$", Rules: []backends.Rule{{Pattern: "a/b", Access: backends.All}}}
}
