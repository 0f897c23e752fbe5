package backendtest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"mosquitto-go-auth/backends"
	"mosquitto-go-auth/plugin/acl"
)

var each = map[rune]backends.Access{'r': backends.Read, 'w': backends.Write, 's': backends.Subscribe}

// allows judges as the engine does.
func allows(t testing.TB, a backends.Account, l backends.Lookup, right backends.Access, topic string) bool {
	t.Helper()
	image, _, err := acl.Compile(a.Sections, acl.Options{})
	if err != nil {
		t.Fatal(err)
	}
	part := acl.Part{User: l.Name, Everything: a.Super || a.AllowAll, Subscribes: a.Subscribes, Image: image}
	return acl.Profile{part}.Allows(l.ClientID, topic, right)
}

func wantRight(t testing.TB, s *Store, a backends.Account, l backends.Lookup, right backends.Access, topic string, want bool) {
	t.Helper()
	if right == backends.Subscribe && s.FreeSubscriptions {
		want = true
	}
	if allows(t, a, l, right, topic) != want {
		t.Errorf("%s: access %d to %.80q: got %v, want %v", show(l), right, topic, !want, want)
	}
}

// testAccess: each sum of rights, 0 to 7, grants what it says and nothing else.
func testAccess(t *testing.T, s *Store) {
	b := s.open(t, "")
	account := Account{Name: "sam", Hash: "$h$"}
	for access := backends.None; access <= backends.All; access++ {
		if r := (backends.Rule{Pattern: fmt.Sprintf("t/%d", access), Access: access}); access == 0 || s.keeps(r) {
			account.Rules = append(account.Rules, r)
		}
	}
	s.set(t, b, account)
	for _, l := range kinds("sam")[:2] {
		a := fetch(t, b, l)
		for _, r := range account.Rules {
			for _, right := range each {
				wantRight(t, s, a, l, right, r.Pattern, r.Access&right != 0)
			}
		}
	}
}

// rightsCase is a case of testdata/rights.txt.
type rightsCase struct {
	name   string
	rules  []backends.Rule
	lookup backends.Lookup
	asked  []question
}

type question struct {
	line  int
	right backends.Access
	topic string
	want  bool
}

// testRights: the cases of testdata/rights.txt that the store can keep. Beside
// the account of each stands another, whose rules are not for it.
func testRights(t *testing.T, s *Store) {
	b := s.open(t, "")
	for _, c := range rightsCases(t) {
		unkept := slices.ContainsFunc(c.rules, func(r backends.Rule) bool { return !s.keeps(r) })
		if unkept || !s.holds(c.lookup.Name) {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			s.set(t, b, Account{Name: c.lookup.Name, Hash: "$h$", Rules: c.rules},
				Account{Name: "other", Hash: "$o$", Rules: []backends.Rule{{Pattern: "$other/#", Access: backends.All}}})
			c.judge(t, s, b)
		})
	}
}

func (c *rightsCase) judge(t *testing.T, s *Store, b backends.Backend) {
	rulesOnly := c.lookup
	rulesOnly.RulesOnly = true
	for _, l := range []backends.Lookup{c.lookup, rulesOnly} {
		if len(c.rules) == 0 && l.RulesOnly {
			refuse(t, b, l) // nothing is stored that was asked for
			continue
		}
		a := fetch(t, b, l)
		wantRight(t, s, a, l, backends.Write, "$other/x", false)
		for _, q := range c.asked {
			if q.right == backends.Subscribe && s.FreeSubscriptions {
				continue
			}
			if got := allows(t, a, l, q.right, q.topic); got != q.want {
				t.Errorf("rights.txt:%d: access %d to %q: got %v", q.line, q.right, q.topic, got)
			}
		}
	}
}

func rightsCases(t testing.TB) (cases []*rightsCase) {
	t.Helper()
	for _, e := range entries(rightsText) {
		word, rest, _ := strings.Cut(e.text, " ")
		if word == "case" {
			cases = append(cases, &rightsCase{name: rest, lookup: backends.Lookup{Name: "sam", ClientID: "c1"}})
			continue
		}
		if len(cases) == 0 {
			t.Fatalf("rights.txt:%d: there is no case yet", e.number)
		}
		if err := cases[len(cases)-1].add(e.number, word, rest); err != nil {
			t.Fatalf("rights.txt:%d: %v", e.number, err)
		}
	}
	return cases
}

func (c *rightsCase) add(line int, word, rest string) error {
	switch word {
	case "user":
		c.lookup.Name = rest
	case "client":
		c.lookup.ClientID = rest
	case "deny":
		c.rules = append(c.rules, backends.Rule{Pattern: rest, Access: backends.All, Deny: true})
	case "grant":
		number, pattern, _ := strings.Cut(rest, " ")
		n, err := strconv.ParseUint(number, 8, 3)
		if err != nil {
			return fmt.Errorf("%q is no sum of rights", number)
		}
		c.rules = append(c.rules, backends.Rule{Pattern: pattern, Access: backends.Access(n)})
	case "yes", "no":
		letters, topic, _ := strings.Cut(rest, " ")
		for _, letter := range letters {
			if each[letter] == 0 {
				return fmt.Errorf("there is no right %q", letter)
			}
			c.asked = append(c.asked, question{line, each[letter], topic, word == "yes"})
		}
	default:
		return fmt.Errorf("%q is not understood", word)
	}
	return nil
}
