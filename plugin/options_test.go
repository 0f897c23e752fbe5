package plugin_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"mosquitto-go-auth/backends"
	"mosquitto-go-auth/backends/all"
	"mosquitto-go-auth/conf"
	"mosquitto-go-auth/plugin"
)

// Each option of the predecessors is known, retired or refused by name, as
// testdata/predecessor-options.txt says.
func TestPredecessorOptions(t *testing.T) {
	text, err := os.ReadFile("testdata/predecessor-options.txt")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for s := bufio.NewScanner(bytes.NewReader(text)); s.Scan(); {
		line := s.Text()
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		option, also, _ := strings.Cut(line, "also ")
		fields := strings.Fields(option)
		want := fields[len(fields)-1]
		option = strings.Join(fields[:len(fields)-1], " ")
		n++
		t.Run(option, func(t *testing.T) {
			set := conf.NewSet()
			plugin.Declare(set, all.Drivers())
			set.Parse(lines(slices.DeleteFunc([]string{option, also}, func(s string) bool { return s == "" })...))
			expect(t, "it is", fate(t, set), want)
		})
	}
	if n < 100 {
		t.Errorf("%d options in the table", n)
	}
}

// fate tells what became of the one option that was parsed.
func fate(t *testing.T, set *conf.Set) string {
	warnings, faults := set.Result()
	for _, f := range faults {
		if f.Text == "no such option" {
			t.Logf("%s", f)
		}
		return "refused"
	}
	for _, w := range warnings {
		if strings.HasPrefix(w.Text, "has no effect: ") {
			return "retired"
		}
		t.Logf("warning: %s", w)
	}
	return "known"
}

// A configuration that cannot be used is refused with all its faults, and opens
// nothing for good.
func TestFaults(t *testing.T) {
	for _, c := range []struct {
		title   string
		options []string
		faults  []string // what they say, in any order
	}{
		{"nothing", nil, []string{"name the backends"}},
		{"blank", []string{"backends "}, []string{"missing or blank"}},
		{"commas only", []string{"backends ,"}, []string{"missing or blank"}},
		{"unknown backend", []string{"backends one, too"}, []string{`unknown backend "too"; there are one, two`}},
		{"backend that is not here", []string{"backends one, jwt"}, []string{"jwt is not in this version"}},
		{"unknown option", []string{"backends one", "hash_meno true"}, []string{"did you mean hash_memo?"}},
		{"unknown check", []string{"backends one", "one_register user, acls"}, []string{"write a list of user, superuser and acl"}},
		{"bad duration", []string{"backends one", "auth_timeout soon"}, []string{"write a duration from"}},
		{"too short", []string{"backends one", "auth_timeout 1ms"}, []string{"write a duration from"}},
		{"negative", []string{"backends one", "acl_cache_seconds -1"}, []string{"write a duration from"}},
		{"bad number", []string{"backends one", "queue_max 0"}, []string{"write a whole number from 1"}},
		{"bad word", []string{"backends one", "log_level loud"}, []string{"write one of"}},
		{"bad switch", []string{"backends one", "hash_memo maybe"}, []string{"write true or false"}},
		{"no log_file", []string{"backends one", "log_dest file"}, []string{"needs log_file"}},
		{"no prefixes", []string{"backends one, two", "check_prefix true"}, []string{"0 prefixes for 2 backends"}},
		{"too few prefixes", []string{"backends one, two", "check_prefix true", "prefixes p"}, []string{"1 prefixes for 2 backends"}},
		{"a prefix twice", []string{"backends one, two", "check_prefix true", "prefixes p, p"}, []string{`"p" is there twice`}},
		{"a prefix for a backend named twice", []string{"backends one, one, two", "check_prefix true", "prefixes p, q, r"},
			[]string{"3 prefixes for 2 backends"}},
		{"the backend's own", []string{"backends one, broken"}, []string{"this is wrong", "that is wrong"}},
		{"all at once", []string{"backends one, broken, too", "log_level loud", "queue_max x"},
			[]string{"this is wrong", "that is wrong", "unknown backend", "write one of", "write a whole number"}},
		{"no backend is asked for anything", []string{"backends one", "one_register superuser", "disable_superuser true"},
			[]string{"they are asked for nothing"}},
	} {
		t.Run(c.title, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				one, two, broken := newStore("one"), newStore("two"), newStore("broken")
				broken.openErr = errors.Join(errors.New("this is wrong"), errors.New("that is wrong"))
				b := newBroker(t, v21)
				err := b.open([]*store{one, two, broken}, c.options...)
				var faults conf.Faults
				if !errors.As(err, &faults) {
					t.Fatalf("New: %v", err)
				}
				expect(t, "faults", len(faults), len(c.faults))
				for _, want := range c.faults {
					if !strings.Contains(err.Error(), want) {
						t.Errorf("no fault says %q:\n%v", want, err)
					}
				}
				named := strings.Contains(fmt.Sprint(c.options), "backends one")
				if named && one.closed != 1 {
					t.Errorf("a backend that was opened is closed %d times", one.closed)
				}
			})
		})
	}
}

func TestWarnings(t *testing.T) {
	for _, c := range []struct {
		options []string
		warning string
	}{
		{[]string{"backends one, one"}, "one is named twice"},
		{[]string{"backends one", "log_file /dev/null"}, "has no effect without log_dest file"},
		{[]string{"backends one", "cache true"}, "option cache: has no effect"},
		{[]string{"backends one", "unknown_options warn", "hash_meno true"}, "did you mean hash_memo?"},
		{[]string{"backends one", "queue_max 10 # ten"}, "the broker knows no comments"},
		{[]string{"backends one", "allow_anonymous true"}, "an option of Mosquitto"},
	} {
		t.Run(fmt.Sprint(c.options), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBroker(t, v21)
				if err := b.open([]*store{newStore("one")}, c.options...); err != nil {
					t.Fatal(err)
				}
				defer b.stop()
				expect(t, "warned", b.logged(c.warning), 1)
			})
		})
	}
}

// The same drivers may be opened by several instances; the first sets the size
// of the gate of hashes.
func TestInstances(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := start(t, v21, []*store{population()}, "hash_limit 3")
		gate := first.process.Hashing
		second := newBroker(t, v21)
		second.process = first.process
		db := newStore("db").with("alice", account(other, "x"))
		if err := second.open([]*store{db}, "backends db", "hash_limit 7"); err != nil {
			t.Fatal(err)
		}
		defer second.stop()
		expect(t, "one gate", first.process.Hashing, gate)
		expect(t, "in the first", first.enter(alice), plugin.Accept)
		expect(t, "in the second", second.enter(alice), plugin.Refuse)
		expect(t, "rights in the first", first.may(alice, backends.Read, "a/1"), true)
	})
}

func TestStrings(t *testing.T) {
	for v := plugin.Refuse; v <= plugin.Pending; v++ {
		if v.String() == "" {
			t.Errorf("verdict %d has no name", v)
		}
	}
	var c plugin.Counters
	c.Kicked.Store(3)
	if !strings.Contains(c.String(), "3 clients kicked") {
		t.Error(c.String())
	}
}
