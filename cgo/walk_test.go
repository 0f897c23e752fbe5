package main

import (
	"fmt"
	"strings"
	"testing"

	"mosquitto-go-auth/backends"
	"mosquitto-go-auth/plugin/acl"
	"mosquitto-go-auth/plugin/acl/acltest"
)

// Run it with -asan to have reads beside the image found, too.
func FuzzWalksAgree(f *testing.F) {
	for _, s := range acltest.Seeds() {
		f.Add(s, "alice", "c1")
		f.Add(s, "+", "a/b")
		f.Add(s, "", "")
	}
	f.Fuzz(func(t *testing.T, data []byte, user, id string) {
		sections, o, topic := acltest.Rules(data)
		if strings.ContainsRune(user+id, 0) {
			return // no MQTT string holds NUL
		}
		img, _, err := acl.Compile(sections, o)
		if err != nil {
			t.Fatal(err)
		}
		agree(t, img, acl.Client{User: user, ID: id}, topic)
	})
}

func agree(t *testing.T, img acl.Image, c acl.Client, topic string) {
	t.Helper()
	for _, access := range []backends.Access{backends.Read, backends.Write} {
		if inGo, inC := img.Walk(c, topic, access), walk(img, c, topic, access); inGo != inC {
			t.Fatalf("image %x: %+v %q access %d: Go says %v, C says %v", string(img), c, topic, access, inGo, inC)
		}
	}
}

// Both walks must give up at the same step.
func TestWalksGiveUpTogether(t *testing.T) {
	for _, width := range []int{1, 10, 100, 300} {
		for _, depth := range []int{1, 5, 12, 40} {
			var s backends.Section
			for i := range width {
				p := strings.Repeat("a/", i%depth) + strings.Repeat("+/", depth-i%depth)
				s = append(s, backends.Rule{Pattern: p + fmt.Sprint("x%u", i), Access: backends.Read},
					backends.Rule{Pattern: fmt.Sprintf("%s%%c%d", p, i), Access: backends.Write})
			}
			img, _, err := acl.Compile([]backends.Section{s, {{Pattern: "#", Access: backends.All}}}, acl.Options{})
			if err != nil {
				t.Fatal(err)
			}
			agree(t, img, acl.Client{User: "u", ID: "c"}, strings.Repeat("a/", depth)+"xu7")
		}
	}
}

// Rules whose levels all have the same place in a table make no walk long.
func TestWalksGiveUpOnCollisions(t *testing.T) {
	levels := acltest.Colliding(5001)
	var s backends.Section
	for _, level := range levels[:5000] {
		s = append(s, backends.Rule{Pattern: level, Access: backends.Read})
	}
	img, _, err := acl.Compile([]backends.Section{s}, acl.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for topic, want := range map[string]acl.Decision{levels[0]: acl.Allow, levels[4000]: acl.Allow, levels[5000]: acl.TooDeep, "elsewhere": acl.NoMatch} {
		if got := img.Walk(acl.Client{}, topic, backends.Read); got != want {
			t.Errorf("%s: %v, want %v", topic, got, want)
		}
		agree(t, img, acl.Client{}, topic)
	}
}

func BenchmarkWalkInC(b *testing.B) {
	for _, n := range []int{10, 200, 10000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var s backends.Section
			for i := range n {
				s = append(s, backends.Rule{Pattern: fmt.Sprintf("site/%d/+/%%u/#", i), Access: backends.Read})
			}
			img, _, _ := acl.Compile([]backends.Section{s}, acl.Options{})
			for b.Loop() {
				walk(img, acl.Client{User: "alice", ID: "c"}, "site/7/kitchen/alice/temperature", backends.Read)
			}
		})
	}
}
