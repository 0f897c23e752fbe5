package acl

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"mosquitto-go-auth/backends"
)

// TestExplanations reads testdata/explanations.txt.
func TestExplanations(t *testing.T) {
	text, err := os.ReadFile("testdata/explanations.txt")
	if err != nil {
		t.Fatal(err)
	}
	c, asks := newAsked(""), 0
	var got, want []string // of the last question
	others, wantOthers := 0, 0
	compare := func(line int) {
		if strings.Join(got, "\n") != strings.Join(want, "\n") || others != wantOthers {
			t.Errorf("before line %d, %s: got\n%s\nand %d others, want\n%s\nand %d others", line, c.name,
				strings.Join(got, "\n"), others, strings.Join(want, "\n"), wantOthers)
		}
		got, want, others, wantOthers = nil, nil, 0, 0
	}
	for i, line := range strings.Split(string(text), "\n") {
		f := strings.Fields(line)
		if len(f) == 0 || strings.HasPrefix(line, "#") {
			continue
		}
		last := &c.sections[len(c.sections)-1]
		switch f[0] {
		case "case":
			compare(i + 1)
			c = newAsked(strings.Join(f[1:], " "))
		case "section":
			c.sections = append(c.sections, nil)
		case "user":
			c.client.User = strings.Join(f[1:], " ")
		case "client":
			c.client.ID = f[1]
		case "grant", "deny", "literal":
			*last = append(*last, backends.Rule{Pattern: f[2], Access: rights(t, f[1]), Deny: f[0] == "deny", Literal: f[0] == "literal"})
		case "ask":
			compare(i + 1)
			asks++
			x, err := Explain(c.sections, c.options, c.client, f[2], rights(t, f[1]))
			if err != nil {
				t.Fatal(err)
			}
			got, others = c.said(x), x.Others
		case ">":
			want = append(want, strings.Join(f[1:], " "))
		case "others":
			wantOthers, err = strconv.Atoi(f[1])
			if err != nil {
				t.Fatal(err)
			}
		default:
			t.Fatalf("line %d: %q is not understood", i+1, line)
		}
	}
	compare(0)
	if asks < 15 {
		t.Errorf("only %d questions asked", asks)
	}
}

// said lists the remarks, with the rules numbered through all sections.
func (a *asked) said(x Explanation) (list []string) {
	for _, r := range x.Remarks {
		n := r.Index + 1
		for _, s := range a.sections[:r.Section] {
			n += len(s)
		}
		list = append(list, fmt.Sprint(n, " ", r.Text))
	}
	return list
}

func TestExplainBrokenDeny(t *testing.T) {
	broken := []backends.Section{{{Pattern: "a/#/b", Access: backends.Read, Deny: true}}}
	if _, err := Explain(broken, Options{}, Client{"alice", "c1"}, "x", backends.Read); err == nil {
		t.Error("rules that cannot be used were explained")
	}
}
