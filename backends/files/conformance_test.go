package files_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"mosquitto-go-auth/backends"
	"mosquitto-go-auth/backends/backendtest"
	"mosquitto-go-auth/backends/files"
)

// grammar is how one of the two readings of an ACL file writes sets of rights.
type grammar struct {
	option string
	words  map[backends.Access][]string // a line each
	judged backends.Access              // what the words are about
}

var grammars = []grammar{
	{"files_acl_path", map[backends.Access][]string{
		backends.Read | backends.Subscribe:  {"read"},
		backends.Write:                      {"write"},
		backends.Subscribe:                  {"subscribe"},
		backends.Write | backends.Subscribe: {"write", "subscribe"},
		backends.All:                        {"readwrite"},
	}, backends.All},
	{"acl_file", map[backends.Access][]string{
		backends.Read:                  {"read"},
		backends.Write:                 {"write"},
		backends.Read | backends.Write: {"readwrite"},
	}, backends.Read | backends.Write},
}

func TestConformance(t *testing.T) {
	for _, g := range grammars {
		t.Run(g.option, func(t *testing.T) {
			dir := t.TempDir()
			passwords, rules := filepath.Join(dir, "passwords"), filepath.Join(dir, "acl")
			set := func(t testing.TB, accounts []backendtest.Account) {
				replace(t, passwords, passwordFile(accounts))
				replace(t, rules, g.file(accounts))
			}
			set(t, nil)
			backendtest.Run(t, backendtest.Store{
				Driver:            files.Driver,
				Options:           "files_password_path " + passwords + "\n" + g.option + " " + rules,
				Set:               set,
				Holds:             holds,
				Grants:            func(rights backends.Access) bool { return g.words[rights&g.judged] != nil },
				Denies:            true,
				NoSupers:          true,
				NoRules:           g.option == "files_acl_path", // topics of users without a password are dropped
				Watches:           true,
				FreeSubscriptions: g.judged&backends.Subscribe == 0,
			})
		})
	}
}

// replace puts a new file in the place of the old one, in one step.
func replace(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

func holds(name string) bool {
	return utf8.ValidString(name) && !strings.ContainsAny(name, "\x00\n:") && !strings.HasPrefix(name, "#") &&
		name == strings.Trim(name, " \t\v\f\r")
}

func passwordFile(accounts []backendtest.Account) string {
	var b strings.Builder
	for _, a := range accounts {
		if !a.NoHash {
			fmt.Fprintf(&b, "%s:%s\n", a.Name, a.Hash)
		}
	}
	return b.String()
}

// file writes an ACL file. Rules with placeholders become patterns, which hold
// for everybody.
func (g grammar) file(accounts []backendtest.Account) string {
	var b strings.Builder
	for _, a := range accounts {
		if len(a.Rules) > 0 {
			fmt.Fprintf(&b, "user %s\n", a.Name)
		}
		for _, r := range a.Rules {
			kind, words := "topic", g.words[r.Access&g.judged]
			if strings.Contains(r.Pattern, "%u") || strings.Contains(r.Pattern, "%c") {
				kind = "pattern"
			}
			if r.Deny {
				words = []string{"deny"}
			}
			for _, word := range words {
				fmt.Fprintf(&b, "%s %s %s\n", kind, word, r.Pattern)
			}
		}
	}
	return b.String()
}
