package plugin_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mosquitto-go-auth/backends"
	"mosquitto-go-auth/plugin"
)

// nobody tries to log in from a thread that is not the broker's, which any number
// may do at once.
func nobody(name, password string) plugin.Login {
	return plugin.Login{ClientID: "c1", Username: name, HasUsername: true, Password: password, HasPassword: true, Address: "10.0.0.1"}
}

// containing returns the lines of the log that contain a text.
func (b *broker) containing(text string) (found []string) {
	for _, l := range b.logs {
		if strings.Contains(l, text) {
			found = append(found, strings.TrimPrefix(l, "go-auth: "))
		}
	}
	return found
}

// The log shows who was refused and why, in one line each; a client that tries for
// ever does not fill it.
func TestRefusalsAreBraked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one := newStore("one").with("alice", account(right, "a"))
		b := start(t, v21, []*store{one, newStore("two")}, "log_level info")
		for range 817 {
			b.LoginElsewhere(nobody("alice", wrong))
		}
		b.LoginElsewhere(nobody("bob\n", wrong))
		b.settle()
		const line = `user "alice", client "c1", address 10.0.0.1: refused, wrong password (one)`
		if got := b.containing("alice"); len(got) != 5 || got[0] != line {
			t.Errorf("logged: %q", got)
		}
		if got := b.containing("bob"); len(got) != 1 || got[0] != `user "bob\n", client "c1", address 10.0.0.1: refused, no such user (one, two)` {
			t.Errorf("logged: %q", got)
		}
		time.Sleep(10 * time.Second)
		b.settle()
		if got := b.containing("alice"); len(got) != 6 || got[5] != `user "alice": refused, wrong password (one): … and 812 more like it in the last 10s` {
			t.Errorf("logged: %q", got)
		}
		b.LoginElsewhere(nobody("alice", wrong))
		b.settle()
		if got := b.containing("alice"); len(got) != 7 || got[6] != line {
			t.Errorf("logged: %q", got)
		}
		expect(t, "lines about the other", len(b.containing("bob")), 1)
	})
}

// Nor do clients that try all names; what was left out is told at the end at the
// latest.
func TestRefusalsOfManyAreBraked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, v21, []*store{newStore("one")}, "log_level info")
		for i := range 1000 {
			b.LoginElsewhere(nobody(fmt.Sprint("name", i, "+"), wrong)) // which takes no hash
		}
		b.Close()
		expect(t, "lines", len(b.containing("refused, the user name has")), 200)
		expect(t, "the rest", len(b.containing("… and 800 more refused logins in the last 10s")), 1)
		b.closed = true
	})
}

// A query that is at fault is told once a second, not at each login.
func TestFaultsAreBraked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one := newStore("one")
		one.err = fmt.Errorf("%w: three columns", backends.ErrBadAnswer)
		two := newStore("two").with("alice", backends.Account{Hash: "nonsense"})
		b := start(t, v21, []*store{one, two}, "log_level warning")
		for range 100 {
			b.LoginElsewhere(nobody("alice", wrong))
		}
		b.settle()
		expect(t, "faults", len(b.containing("three columns")), 1)
		expect(t, "hashes", len(b.containing("hash stored in two cannot be used")), 1)
		time.Sleep(time.Second)
		b.settle()
		expect(t, "faults left out", len(b.containing("one: faults of its answers: … and 99 more like it in the last 1s")), 1)
		expect(t, "hashes counted", b.Counts().BadHashes.Load(), 100)
		expect(t, "hashes left out", len(b.containing("two: hashes that cannot be used: … and 99 more like it in the last 1s")), 1)
	})
}

// At debug, the log shows the path of one login.
func TestPathOfALogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one, two := newStore("one"), newStore("two").with("alice", account(right, "a"))
		one.delay = 1200 * time.Microsecond
		b := start(t, v21, []*store{one, two})
		for _, password := range []string{wrong, right, right} {
			b.LoginElsewhere(nobody("alice", password))
		}
		one.set(func() { one.err = errors.New("gone") })
		b.LoginElsewhere(nobody("alice", right))
		b.settle()
		const who = `user "alice", client "c1", address 10.0.0.1: `
		got := b.containing(who)
		want := []string{
			"one has no such user, after 1.2ms",
			"two has an account, after 0s",
			"mosquitto-sha512 hash of two computed in 0s: wrong password",
			"refused, wrong password (two)",
			"one has no such user, after 1.2ms",
			"two has an account, after 0s",
			"mosquitto-sha512 hash of two computed in 0s: right password",
			"one has no such user, after 1.2ms", // the rights
			"one has no such user, after 1.2ms",
			"two has an account, after 0s",
			"the hash of two verified this password before, and was not computed",
			"one has no such user, after 1.2ms",
			"one could not answer (gone), after 1.2ms",
			"two has an account, after 0s",
			"the hash of two verified this password before, and was not computed",
		}
		for i := range want {
			want[i] = who + want[i]
		}
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("logged:\n%s", strings.Join(got, "\n"))
		}
	})
}

// A rotation renames the log file: after SIGHUP a new one is written.
func TestLogFileIsOpenedAgain(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "log")
	synctest.Test(t, func(t *testing.T) {
		b := start(t, v21, []*store{newStore("one")}, "log_level info", "log_dest file", "log_file "+name)
		b.LoginElsewhere(nobody("alice", wrong))
		synctest.Wait()
		if err := os.Rename(name, name+".1"); err != nil {
			t.Fatal(err)
		}
		b.LoginElsewhere(nobody("bob", wrong))
		synctest.Wait()
		b.Reload()
		b.settle()
		b.LoginElsewhere(nobody("carol", wrong))
		b.stop()
	})
	for file, want := range map[string][]string{name + ".1": {"alice", "bob"}, name: {"carol"}} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, user := range []string{"alice", "bob", "carol"} {
			in := strings.Contains(string(text), user)
			if in != strings.Contains(strings.Join(want, " "), user) {
				t.Errorf("%s, %s: %v", file, user, in)
			}
		}
	}
}
