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
				x, err := Explain(c.sections, c.options, c.client, topic, rights(t, f[1]))
				if err != nil || (x.Decision == Allow) != got {
					t.Errorf("line %d, %s: %s %s: the explanation says %v (%v)", i+1, c.name, f[1], topic, x.Decision, err)
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
