package acl_test

import (
	"fmt"
	"strings"
	"testing"

	"mosquitto-go-auth/backends"
	"mosquitto-go-auth/plugin/acl"
	"mosquitto-go-auth/plugin/acl/acltest"
)

func FuzzWalkAgreesWithOracle(f *testing.F) {
	for _, s := range acltest.Seeds() {
		f.Add(s, "alice", "c1")
		f.Add(s, "+", "a/b")
	}
	f.Fuzz(func(t *testing.T, data []byte, user, id string) {
		sections, o, topic := acltest.Rules(data)
		if topic == "" || strings.ContainsRune(user+id, 0) {
			return // no MQTT string holds NUL
		}
		img, _, err := acl.Compile(sections, o)
		if err != nil {
			t.Fatal(err)
		}
		c := acl.Client{User: user, ID: id}
		for _, access := range []backends.Access{backends.Read, backends.Write, backends.Subscribe} {
			got := img.Walk(c, topic, access)
			if want := oracle(sections, o, c, topic, access); (got == acl.Allow) != want {
				t.Fatalf("%+v %+v: %+v %q access %d: got %v, want %v", sections, o, c, topic, access, got, want)
			}
			if fault := unlike(sections, o, c, topic, access); fault != "" {
				t.Fatalf("%+v %+v: %+v %q access %d: %s", sections, o, c, topic, access, fault)
			}
		}
	})
}

// unlike says in what an explanation differs from the answer that it explains.
func unlike(sections []backends.Section, o acl.Options, c acl.Client, topic string, access backends.Access) string {
	x, err := acl.Explain(sections, o, c, topic, access)
	img, _, _ := acl.Compile(sections, o)
	allowed := acl.Profile{{User: c.User, Image: img}}.Allows(c.ID, topic, access)
	var deciding []acl.Remark
	rules := x.Others + len(x.Remarks)
	for _, s := range sections {
		rules -= len(s)
	}
	for _, r := range x.Remarks {
		if r.Decides {
			deciding = append(deciding, r)
		}
	}
	answered := x.Decision == acl.Allow || x.Decision == acl.Deny
	_, shared := strings.CutPrefix(topic, "$share/")
	switch {
	case err != nil:
		return err.Error()
	case (x.Decision == acl.Allow) != allowed:
		return fmt.Sprintf("the explanation is of %v, the answer %v", x.Decision, allowed)
	case answered != (len(deciding) == 1) || len(deciding) > 1:
		return fmt.Sprintf("%d rules decide: %+v", len(deciding), x)
	case answered && (deciding[0].Rule.Deny != (x.Decision == acl.Deny) || x.Remarks[0] != deciding[0]):
		return fmt.Sprintf("another rule decides: %+v", x)
	case rules != 0 && !(shared && access == backends.Subscribe):
		return fmt.Sprintf("%d rules too many are spoken of", rules)
	}
	return ""
}

// oracle is the meaning of rules, written as plainly as it can be.
func oracle(sections []backends.Section, o acl.Options, c acl.Client, topic string, access backends.Access) bool {
	want := access
	if access == backends.Subscribe && topic != "#" && topic != "+/#" {
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

func covers(r backends.Rule, o acl.Options, c acl.Client, topic string, filter bool) bool {
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
