package files

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"mosquitto-go-auth/backends"
)

// seeds adds the files of the tables to a fuzz target.
func seeds(f *testing.F, add func(text string)) {
	for _, table := range []string{"testdata/passwords.txt", "testdata/predecessor.txt", "testdata/mosquitto.txt"} {
		text, err := os.ReadFile(table)
		if err != nil {
			f.Fatal(err)
		}
		for part := range strings.SplitSeq(string(text), "\n-- ") {
			_, part, _ = strings.Cut(part, " --\n")
			add(part)
		}
	}
}

func FuzzPasswords(f *testing.F) {
	seeds(f, func(text string) { f.Add(text) })
	// What is said about a line must be one of a few sentences: none of them
	// can give away what is in it.
	said := regexp.MustCompile(`^f(:\d+: (skipped: no user name; write name:hash|` +
		`skipped: no hash; write name:hash|skipped: a second colon; neither names nor hashes of this kind can have one|` +
		`skipped: the user name is not UTF-8 as MQTT demands it|the user has an earlier line, which no longer counts)|` +
		`: and \d+ more of the kind)$`)
	f.Fuzz(func(t *testing.T, text string) {
		notes := remarks{file: "f"}
		hashes := parsePasswords(text, &notes)
		var again strings.Builder
		for name, hash := range hashes {
			if name == "" || hash == "" || !utf8.ValidString(name) || strings.ContainsAny(name, ":\n") || strings.Contains(hash, "\n") ||
				strings.Contains(hash, ":") && !strings.HasPrefix(hash, "SCRAM-SHA-256$") ||
				strings.Trim(name, blanks) != name || strings.Trim(hash, blanks) != hash {
				t.Errorf("bad entry %q: %q", name, hash)
			}
			fmt.Fprintf(&again, " %s : %s\r\n", name, hash)
		}
		for _, n := range notes.list() {
			if !said.MatchString(n) {
				t.Errorf("note %q", n)
			}
		}
		notes = remarks{file: "f"}
		if second := parsePasswords(again.String(), &notes); fmt.Sprint(second) != fmt.Sprint(hashes) || len(notes.list()) > 0 {
			t.Errorf("written and read again: %q is %q, notes %q", hashes, second, notes.list())
		}
	})
}

func FuzzACL(f *testing.F) {
	seeds(f, func(text string) {
		f.Add(text, true)
		f.Add(text, false)
	})
	f.Fuzz(func(t *testing.T, text string, old bool) {
		d := dialect(mosquitto{})
		if old {
			d = predecessor{}
		}
		faults := remarks{file: "f"}
		a := parseACL(text, d, &faults)
		if faults.err() != nil {
			for _, fault := range faults.list() {
				if strings.ContainsAny(fault, "\n\"$") {
					t.Errorf("fault %q repeats the line", fault)
				}
			}
			return
		}
		written := writeACL(t, a, d)
		b := parseACL(written, d, &faults)
		if faults.err() != nil || writeACL(t, b, d) != written {
			t.Errorf("%q is written as %q and read as %q, faults %v", text, written, writeACL(t, b, d), faults.list())
		}
		newSnapshot(map[string]string{"u": "h"}, d.rights(a, map[string]string{"u": "h"}, &faults))
	})
}

// writeACL writes the lines of an ACL file anew.
func writeACL(t *testing.T, a acl, d dialect) string {
	var out strings.Builder
	write := func(kind string, rules backends.Section) {
		for _, r := range rules {
			if !validFilter(r.Pattern) {
				t.Errorf("filter %q", r.Pattern)
			}
			fmt.Fprintf(&out, "%s %s %s\n", kind, accessWord(t, r, d), r.Pattern)
		}
	}
	write("topic", a.leading)
	write("pattern", a.patterns)
	for _, u := range a.users {
		fmt.Fprintf(&out, "user %s\n", u.name)
		write("topic", u.topics)
	}
	return out.String()
}

func accessWord(t *testing.T, r backends.Rule, d dialect) string {
	for _, word := range []string{"read", "write", "readwrite", "subscribe", "deny"} {
		if w, ok := d.access(word, r.Pattern); ok && w.Access == r.Access && w.Deny == r.Deny {
			return word
		}
	}
	t.Fatalf("no word for %+v", r)
	return ""
}

// validFilter says by another way than checkFilter what a topic filter is.
func validFilter(f string) bool {
	return regexp.MustCompile(`^([^+#/\x00]*|\+)(/([^+#/\x00]*|\+))*(/#)?$|^#$`).MatchString(f) &&
		f != "" && utf8.ValidString(f) && len(f) <= 65535
}
