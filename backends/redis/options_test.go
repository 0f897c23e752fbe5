package redis

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mosquitto-go-auth/backends"
	"mosquitto-go-auth/conf"
	"mosquitto-go-auth/test/tlstest"
)

// load declares the options in a set of their own, reads the lines and opens
// the backend.
func load(text string, checks backends.Checks) (backends.Opened, []conf.Remark, conf.Faults) {
	s := conf.NewSet()
	open := Driver.Declare(s)
	var lines []conf.Line
	for line := range strings.Lines(text) {
		if key, value, ok := strings.Cut(strings.TrimRight(line, "\n"), " "); ok {
			lines = append(lines, conf.Line{Key: key, Value: value})
		}
	}
	s.Parse(lines)
	warnings, faults := s.Result()
	opened, err := open(checks)
	var more conf.Faults
	if errors.As(err, &more) {
		return opened, warnings, append(faults, more...)
	}
	return opened, warnings, faults
}

// writeCertificate writes to dir cert.pem and key.pem, and a text.pem that is
// none.
func writeCertificate(t *testing.T, dir string) {
	t.Helper()
	c := tlstest.New(t, "test", nil)
	write(t, dir, map[string]string{"cert.pem": c.PEM(), "key.pem": c.KeyPEM(t), "text.pem": "no certificate"})
}

func TestOptions(t *testing.T) {
	dir := t.TempDir()
	writeCertificate(t, dir)
	text, err := os.ReadFile("testdata/options.txt")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for c := range strings.SplitSeq(strings.ReplaceAll(string(text), "DIR/", dir+"/"), "\n\n") {
		n++
		t.Run(fmt.Sprint(n), func(t *testing.T) { checkOptions(t, c) })
	}
}

func checkOptions(t *testing.T, text string) {
	var options, want, got []string
	for line := range strings.SplitSeq(strings.TrimSpace(text), "\n") {
		word, _, _ := strings.Cut(line, " ")
		switch {
		case strings.HasPrefix(line, "#"):
		case strings.HasSuffix(word, ":"):
			want = append(want, line)
		default:
			options = append(options, line)
		}
	}
	opened, warnings, faults := load(strings.Join(options, "\n"), backends.AllChecks)
	if opened.Backend != nil {
		defer opened.Close()
	}
	for _, w := range warnings {
		got = append(got, "warning: "+w.String())
	}
	for _, f := range faults {
		got = append(got, "fault: "+f.String())
	}
	for _, n := range opened.Notes {
		got = append(got, "note: "+n)
	}
	if r := backendOf(opened); r != nil && len(faults) == 0 {
		got = append(got, fmt.Sprintf("place: %s %v", r.opts.place(), provided(opened.Provides)))
	}
	said := strings.Join(got, "\n")
	if strings.Contains(said, "s3cret") {
		t.Errorf("shows the password:\n%s", said)
	}
	if len(got) != len(want) {
		t.Fatalf("%s\ngot:\n%s", text, said)
	}
	for i := range want {
		if !strings.HasPrefix(got[i], want[i]) {
			t.Errorf("got  %s\nwant %s", got[i], want[i])
		}
	}
}

func backendOf(o backends.Opened) *Redis {
	switch b := o.Backend.(type) {
	case *Redis:
		return b
	case *watched:
		return b.Redis
	}
	return nil
}

func provided(c backends.Checks) (words []string) {
	for _, k := range []struct {
		check backends.Checks
		word  string
	}{{backends.CheckUser, "user"}, {backends.CheckSuperuser, "superuser"}, {backends.CheckACL, "acl"}} {
		if c&k.check != 0 {
			words = append(words, k.word)
		}
	}
	return words
}

func FuzzUserquery(f *testing.F) {
	for _, s := range []string{"GET %s", "get u:%s:x", "HGET users %s", "HGET %s pw", "GET %s%s", "GET %d", "%s x", "SET %s", "GET"} {
		f.Add(s, "name", "key")
	}
	f.Fuzz(func(t *testing.T, text, name, key string) {
		l, err := parseUserquery(text)
		if err != nil {
			return
		}
		if !l.key.named && !l.field.named {
			t.Errorf("%q is the same for every name", text)
		}
		if l.key.named {
			if got, ok := l.owner(l.key.with(name)); !ok || got != name {
				t.Errorf("%q: the key of %q is that of %q", text, name, got)
			}
		}
		l.owner(key)
	})
}

func TestOwner(t *testing.T) {
	plain, prefixed := keys(""), keys("mqtt:")
	hashed, err := parseUserquery("HGET users %s")
	if err != nil {
		t.Fatal(err)
	}
	around, err := parseUserquery("GET u-%s-pw")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		layout layout
		key    string
		owner  string
		ours   bool
	}{
		{plain, "ann", "ann", true},
		{plain, "ann:su", "ann", true},
		{plain, "ann:racls", "ann", true},
		{plain, "ann:rwacls", "ann", true},
		{plain, "a:b:sacls", "a:b", true},
		{plain, "common:wacls", "", true},
		{plain, "common", "", true},
		{plain, "ann:acls", "ann:acls", true},
		{prefixed, "ann", "", false},
		{prefixed, "mqtt:ann:su", "ann", true},
		{prefixed, "mqtt:common:sacls", "", true},
		{hashed, "users", "", true},
		{hashed, "user", "", false},
		{around, "u-ann-pw", "ann", true},
		{around, "u-ann:su-pw", "ann:su", true},
		{around, "ann", "", false},
	} {
		if owner, ours := tt.layout.owner(tt.key); ours != tt.ours || ours && owner != tt.owner {
			t.Errorf("%+v: %q is of %q, %v", tt.layout, tt.key, owner, ours)
		}
	}
}

func TestReserved(t *testing.T) {
	plain := keys("p:")
	for name, want := range map[string]bool{"common": true, "x:su": true, "x:racls": true, "x:wacls": true, "x:rwacls": true, "x:sacls": true,
		":su": true, "common:su": true, "x": false, "x:s": false, "commons": false, "Common": false, "x:SU": false, "x:su ": false, "acls": false} {
		if plain.reserved(name) != want {
			t.Errorf("%q is reserved: %v, want %v", name, !want, want)
		}
	}
}

func TestTellsAll(t *testing.T) {
	for flags, want := range map[string]bool{"": false, "KEA": true, "AK": true, "K$sgxe": true, "gxeK$s": true, "E$sgxe": false, "K$sg": false, "A": false, "Kg": false} {
		if tellsAll(flags) != want {
			t.Errorf("%q: %v, want %v", flags, !want, want)
		}
	}
}

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
