package backendtest

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"mosquitto-go-auth/backends"
)

// spellings are names that a careless comparison takes for "sam".
var spellings = []string{
	"Sam", "SAM", "saM", "sam ", " sam", "sam  ", "sam\t", "sam\n", "sam\r", "sam\x00", "sam\u00a0", "sam\u200b", "\ufeffsam",
	"sám", "sa\u0301m", "ſam", "ｓａｍ", "𝐬𝐚𝐦", "sаm" /* a Cyrillic letter */, "sa\u00adm", "s%", "s_m", "%", "___", "s*", "sa?", "[s]am",
}

// testSpelling: a name is the same byte for byte, or another one. Whoever could
// log in as "Sam" with the password of "sam" would escape limits and
// revocation, and match %u topics that are not his.
func testSpelling(t *testing.T, s *Store) {
	b := s.open(t, "")
	s.set(t, b, Account{Name: "sam", Hash: "$sam$", Super: !s.NoSupers, Rules: sam().Rules})
	for _, name := range spellings {
		for _, l := range kinds(name) {
			refuse(t, b, l)
		}
	}
}

// testNames: the names of testdata/names.txt, and long ones, are nobody's, do
// no harm, and where the store can keep them are the names of accounts like any
// other.
func testNames(t *testing.T, s *Store) {
	b := s.open(t, "")
	names := append(quoted(t, namesText),
		strings.Repeat("x", 255), strings.Repeat("x", 256), strings.Repeat("é", 300),
		strings.Repeat("y", 65535), strings.Repeat("'", 65535), strings.Repeat("€", 21845), strings.Repeat("%s", 32767))
	s.set(t, b, Account{Name: "sam", Hash: "$sam$", Super: !s.NoSupers, Rules: sam().Rules})
	for _, name := range names {
		for _, l := range kinds(name) {
			refuse(t, b, l)
		}
	}
	if a := fetch(t, b, backends.Lookup{Name: "sam", ClientID: "c1"}); a.Hash != "$sam$" {
		t.Errorf("after all these names, the hash of sam is %q", a.Hash)
	}
	accounts := []Account{sam()}
	for _, name := range names {
		if s.holds(name) {
			rules := []backends.Rule{{Pattern: "own", Access: backends.Write}}
			accounts = append(accounts, Account{Name: name, Hash: hashOf(len(accounts)), Rules: rules})
		}
	}
	s.set(t, b, accounts...)
	checkAll(t, s, b, accounts)
}

// checkAll asks for all accounts. Each has its own hash.
func checkAll(t *testing.T, s *Store, b backends.Backend, accounts []Account) {
	t.Helper()
	for _, want := range accounts {
		l := backends.Lookup{Name: want.Name, ClientID: "c1"}
		a := fetch(t, b, l)
		if a.Hash != want.Hash {
			t.Errorf("%s: got the hash %q, want %q", show(l), a.Hash, want.Hash)
		}
		for _, r := range want.Rules {
			wantRight(t, s, a, l, backends.Write, r.Pattern, r.Access&backends.Write != 0)
		}
	}
}

// testClientIDs: a client id is text, whatever it looks like. One that MQTT does
// not allow may be refused.
func testClientIDs(t *testing.T, s *Store) {
	b := s.open(t, "")
	s.set(t, b, sam())
	for _, id := range append(quoted(t, namesText), "", strings.Repeat("'", 65535)) {
		for _, l := range kinds("sam") {
			l.ClientID = id
			a, err := b.User(within(t), l)
			if errors.Is(err, backends.ErrNoUser) && !validText(id) {
				continue
			}
			if err != nil || a.Super || !l.RulesOnly && a.Hash != "$sam$" {
				t.Errorf("%s with the client id %.80q: got the hash %q, error %v", show(l), id, a.Hash, err)
			}
			l.Name = "tom"
			refuse(t, b, l)
		}
	}
}

// validText tells whether MQTT can carry a text (MQTT 5.0, section 1.5.4).
func validText(s string) bool {
	return utf8.ValidString(s) && !strings.Contains(s, "\x00")
}
