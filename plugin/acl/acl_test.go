package acl

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"mosquitto-go-auth/backends"
)

// asked is a case of testdata/rights.txt.
type asked struct {
	name     string
	sections []backends.Section
	options  Options
	client   Client
}

func newAsked(name string) *asked {
	return &asked{name: name, sections: []backends.Section{nil}, client: Client{"alice", "c1"}}
}

func rights(t *testing.T, letters string) (a backends.Access) {
	bits := map[rune]backends.Access{'r': backends.Read, 'w': backends.Write,
		's': backends.Subscribe, 'p': backends.SubscribeParts}
	for _, l := range letters {
		if bits[l] == 0 {
			t.Fatalf("no right is called %q", l)
		}
		a |= bits[l]
	}
	return a
}

func (a *asked) profile(t *testing.T) Profile {
	img, _, err := Compile(a.sections, a.options)
	if err != nil {
		t.Fatal(err)
	}
	return Profile{{User: a.client.User, Image: img}}
}

func TestRights(t *testing.T) {
	text, err := os.ReadFile("testdata/rights.txt")
	if err != nil {
		t.Fatal(err)
	}
	c, checks := newAsked(""), 0
	for i, line := range strings.Split(string(text), "\n") {
		f := strings.Fields(line)
		if len(f) == 0 || strings.HasPrefix(line, "# ") || line == "#" {
			continue
		}
		last := &c.sections[len(c.sections)-1]
		switch f[0] {
		case "case":
			c = newAsked(strings.Join(f[1:], " "))
		case "section":
			c.sections = append(c.sections, nil)
		case "dollar":
			c.options.WildcardsMatchDollar = true
		case "user":
			c.client.User = strings.Join(f[1:], " ")
		case "client":
			c.client.ID = f[1]
		case "grant", "deny", "literal":
			*last = append(*last, backends.Rule{Pattern: f[2], Access: rights(t, f[1]), Deny: f[0] == "deny", Literal: f[0] == "literal"})
		case "yes", "no":
			for _, topic := range f[2:] {
				checks++
				got := c.profile(t).Allows(c.client.ID, topic, rights(t, f[1]))
				if got != (f[0] == "yes") {
					t.Errorf("line %d, %s: %s %s: got %v", i+1, c.name, f[1], topic, got)
				}
			}
		default:
			t.Fatalf("line %d: %q is not understood", i+1, line)
		}
	}
	if checks < 150 {
		t.Errorf("only %d questions asked", checks)
	}
}

func TestProfileGrantsIfAnyPartDoes(t *testing.T) {
	img, _, _ := Compile([]backends.Section{{{Pattern: "a", Access: backends.Read}}}, Options{})
	no, _, _ := Compile([]backends.Section{{{Pattern: "#", Access: backends.All, Deny: true}}}, Options{})
	for _, c := range []struct {
		name   string
		p      Profile
		topic  string
		access backends.Access
		want   bool
	}{
		{"no parts", nil, "a", backends.Read, false},
		{"empty part", Profile{{}}, "a", backends.Read, false},
		{"second part", Profile{{Image: no}, {Image: img}}, "a", backends.Read, true},
		{"everything", Profile{{Image: no}, {Everything: true}}, "$SYS/x", backends.Write, true},
		{"subscribes", Profile{{Subscribes: true, Image: no}}, "#", backends.Subscribe, true},
		{"subscribes only", Profile{{Subscribes: true, Image: no}}, "a", backends.Read, false},
	} {
		if got := c.p.Allows("c", c.topic, c.access); got != c.want {
			t.Errorf("%s: got %v", c.name, got)
		}
	}
}

func TestBrokenDenyIsAnError(t *testing.T) {
	if _, _, err := Compile([]backends.Section{{{Pattern: "a/#/b", Access: backends.Read, Deny: true}}}, Options{}); err == nil {
		t.Error("a deny rule that cannot be compiled was left out")
	}
}

func TestWalkIsBounded(t *testing.T) {
	// Every level matches by "a" and by "+": 2^40 ways.
	var s backends.Section
	for i := range 2000 {
		levels := make([]string, 40)
		for j := range levels {
			levels[j] = "a"
			if rand.IntN(2) == 0 {
				levels[j] = "+"
			}
		}
		s = append(s, backends.Rule{Pattern: strings.Join(levels, "/") + fmt.Sprintf("/%d", i), Access: backends.Read})
	}
	img, _, err := Compile([]backends.Section{s}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	topic := strings.Repeat("a/", 40) + "x"
	if d := img.Walk(Client{"u", "c"}, topic, backends.Read); d == Allow {
		t.Errorf("got %v", d)
	}
}

func TestWalkAllocatesNothing(t *testing.T) {
	img, _, _ := Compile([]backends.Section{{{Pattern: "dev-%c/+/#", Access: backends.All}}}, Options{})
	p := Profile{{User: "u", Image: img}}
	if n := testing.AllocsPerRun(100, func() { p.Allows("1", "dev-1/x/y/z", backends.Read) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// Equal lists must give equal images, since they are to be shared.
func TestImagesAreEqual(t *testing.T) {
	s := []backends.Section{{{Pattern: "a/%u/#", Access: 1}, {Pattern: "a/+", Access: 2}, {Pattern: "b", Access: 4}}}
	x, _, _ := Compile(s, Options{})
	y, _, _ := Compile(s, Options{})
	if string(x) != string(y) {
		t.Error("two images of one list differ")
	}
}

// oracle is the meaning of rules, written as plainly as it can be.
func oracle(sections []backends.Section, o Options, c Client, topic string, access backends.Access) bool {
	want := access
	if access == backends.Subscribe && !forEverything(topic) {
		want |= backends.SubscribeParts
	}
	for _, s := range sections {
		granted, denied := false, false
		for _, r := range s {
			if r.Access&want == 0 || backends.CheckFilter(r.Pattern) != nil || !covers(r, o, c, topic, access == backends.Subscribe) {
				continue
			}
			granted, denied = granted || !r.Deny, denied || r.Deny
		}
		if granted || denied {
			return !denied
		}
	}
	return false
}

func covers(r backends.Rule, o Options, c Client, topic string, filter bool) bool {
	pattern := strings.Split(r.Pattern, "/")
	levels := strings.Split(topic, "/")
	if strings.HasPrefix(topic, "$") && !strings.HasPrefix(r.Pattern, "$") && !o.WildcardsMatchDollar {
		if r.Literal || !strings.HasPrefix(r.Pattern, "$") {
			return false
		}
	}
	for i, p := range pattern {
		if p == "#" {
			return true
		}
		if i >= len(levels) || filter && levels[i] == "#" {
			return false
		}
		if p == "+" {
			continue
		}
		if filter && levels[i] == "+" {
			return false
		}
		if !r.Literal {
			for _, x := range [2][2]string{{"%u", c.User}, {"%c", c.ID}} {
				if strings.Contains(p, x[0]) && (x[1] == "" || strings.ContainsAny(x[1], "+#/")) {
					return false
				}
			}
			p = strings.NewReplacer("%u", c.User, "%c", c.ID).Replace(p)
		}
		if p != levels[i] {
			return false
		}
	}
	return len(pattern) == len(levels)
}

var words = []string{"a", "b", "", "+", "#", "$x", "%u", "%c", "x%uy", "%u%c", "é", "a%c"}

// sample makes a topic or pattern from bytes, so that the fuzzer reaches the
// interesting ones.
func sample(data []byte, levels int) (string, []byte) {
	var parts []string
	for len(data) > 0 && len(parts) < levels {
		b := data[0]
		data = data[1:]
		parts = append(parts, words[int(b)%len(words)])
		if b >= 192 {
			break
		}
	}
	return strings.Join(parts, "/"), data
}

func FuzzWalkAgreesWithOracle(f *testing.F) {
	f.Add([]byte{1, 0, 3, 200, 9, 0, 1, 2}, "alice", "c1")
	f.Add([]byte{0x4f, 3, 4, 200, 9, 0, 1, 250}, "+", "a/b")
	f.Fuzz(func(t *testing.T, data []byte, user, id string) {
		if strings.ContainsRune(user+id, 0) {
			return // no MQTT string holds NUL
		}
		sections, o := []backends.Section{nil}, Options{}
		for len(data) > 8 {
			b := data[0]
			var p string
			p, data = sample(data[1:], 4)
			if b&0xc0 == 0xc0 {
				sections = append(sections, nil)
				o.WildcardsMatchDollar = b&1 == 1
			}
			r := backends.Rule{Pattern: p, Access: backends.Access(b & 15), Deny: b&0x10 != 0, Literal: b&0x20 != 0}
			if r.Deny && backends.CheckFilter(p) != nil {
				continue
			}
			last := &sections[len(sections)-1]
			*last = append(*last, r)
		}
		img, _, err := Compile(sections, o)
		if err != nil {
			t.Fatal(err)
		}
		topic, _ := sample(data, 5)
		if topic == "" {
			return
		}
		for _, access := range []backends.Access{backends.Read, backends.Write, backends.Subscribe} {
			got := img.Walk(Client{user, id}, topic, access)
			if want := oracle(sections, o, Client{user, id}, topic, access); (got == Allow) != want {
				t.Fatalf("%+v %+v: user %q client %q %q access %d: got %v, want %v", sections, o, user, id, topic, access, got, want)
			}
		}
	})
}

func BenchmarkWalk(b *testing.B) {
	for _, n := range []int{10, 200, 10000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var s backends.Section
			for i := range n {
				s = append(s, backends.Rule{Pattern: fmt.Sprintf("site/%d/+/%%u/#", i), Access: backends.Read})
			}
			img, _, _ := Compile([]backends.Section{s}, Options{})
			p := Profile{{User: "alice", Image: img}}
			b.ReportAllocs()
			for b.Loop() {
				p.Allows("c", "site/7/kitchen/alice/temperature", backends.Read)
			}
		})
	}
}
