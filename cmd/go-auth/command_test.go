package main

import (
	"strings"
	"testing"
)

// TestCommands has every command and flag say what help, completions and the
// manual page show.
func TestCommands(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range commands() {
		if seen[c.name] || c.doc == "" || strings.HasSuffix(c.doc, ".") {
			t.Errorf("%s is there twice, or has no doc, or one with a full stop", c.name)
		}
		seen[c.name] = true
		if (c.args == "") != (c.max == 0) {
			t.Errorf("%s takes %d arguments and shows %q", c.name, c.max, c.args)
		}
		for line := range strings.Lines(c.more) {
			if len(line) > 110 || !strings.HasSuffix(line, "\n") {
				t.Errorf("%s: too long, or without an end: %q", c.name, line)
			}
		}
		for _, f := range c.flags() {
			if f.doc == "" || strings.HasSuffix(f.doc, ".") {
				t.Errorf("%s %s has no doc, or one with a full stop", c.name, f.name)
			}
		}
	}
}

// TestParse reads flags before, between and behind arguments.
func TestParse(t *testing.T) {
	for _, test := range []struct{ args, rest, config string }{
		{"", "", "default"},
		{"-c f a b", "a b", "f"},
		{"a -c f b", "a b", "f"},
		{"a b -c=f", "a b", "f"},
		{"-- -c f", "-c f", "default"},
		{"a -- -b -c f", "a -b -c f", "default"},
		{"-c f -- -a", "-a", "f"},
	} {
		var config *string
		c := command{name: "x", max: 9}
		set := c.flagSet()
		config = set.String("c", "default", "")
		rest, err := parse(set, strings.Fields(test.args))
		if got := strings.Join(rest, " "); err != nil || got != test.rest || *config != test.config {
			t.Errorf("%q: %q, -c %q, %v; want %q, %q", test.args, got, *config, err, test.rest, test.config)
		}
	}
}

// TestFileOptions has the table of options that name a file know only options.
func TestFileOptions(t *testing.T) {
	set := declared()
	for name := range holdsKey {
		if !namesFile[name] {
			t.Errorf("%s holds a key, and names no file", name)
		}
	}
	for name := range namesFile {
		if found := set.Named(name); len(found) != 1 || found[0].Name != name {
			t.Errorf("%s is no option", name)
		}
	}
}
