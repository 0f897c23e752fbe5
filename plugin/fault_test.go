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

// A panic in a backend is an error of that question, wherever it is asked.
func TestPanic(t *testing.T) {
	for name, fault := range map[string]any{"text": "with " + right, "error": errors.New("with " + right), "struct": struct{ s string }{right}} {
		t.Run(name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, v version) {
				for _, memory := range []bool{false, true} {
					db := population()
					db.memory = memory
					b := start(t, v, []*store{db}, "acl_cache_seconds 0")
					b.enter(alice)
					db.set(func() { db.fault = fault })
					c := alice.but(func(c *client) { c.id = "a2" })
					if got := b.enter(c); got != plugin.Unavailable && (v == v20 || got != plugin.Refuse) {
						t.Errorf("login: %v", got)
					}
					expect(t, "unavailable", b.Counts().Unavailable.Load(), 1)
					expect(t, "refused", b.Counts().Refused.Load(), 0)
					expect(t, "known rights stay", b.may(alice, backends.Read, "a/1"), true)
					b.settle()
					expect(t, "elsewhere", b.LoginElsewhere(b.request(&c)), plugin.Unavailable)
					expect(t, "a stranger's rights", b.may(b.stranger("s", "Bob Ä"), backends.Read, "b/1"), false)
					b.Reload()
					b.settle()
					if b.Counts().Panics.Load() < 3 {
						t.Errorf("%d panics counted", b.Counts().Panics.Load())
					}
					if b.logged("a fault in the plugin itself, please report it") == 0 {
						t.Error("no panic was logged")
					}
					db.set(func() { db.fault = nil })
					expect(t, "when it is over", b.enter(c), plugin.Accept)
					b.stop()
				}
			})
		})
	}
}

// Nothing calls the host after Close, and Close waits for nobody. That all
// goroutines end is for the bubble to see.
func TestClose(t *testing.T) {
	onBoth(t, func(t *testing.T, v version) {
		db, probed := population(), newStore("probed")
		probed.probes, probed.err = true, errDown
		b := start(t, v, []*store{db, probed})
		db.set(func() { db.delay = time.Hour })
		for i := range 50 {
			b.first(client{id: fmt.Sprint("c", i), name: "alice", password: wrong})
			b.first(client{id: fmt.Sprint("d", i), name: "bad-hash", password: right, version: 5})
		}
		go b.LoginElsewhere(b.request(&client{id: "e", name: "alice", password: right}))
		b.Reload()
		b.first(b.again(alice))
		stall := took(b.stop)
		expect(t, "waited", stall, 0)
		expect(t, "closed", db.closed+probed.closed, 2)
	})
}

// Workers that log after Close must not break anything: neither with the
// broker's log nor with a file.
func TestCloseWhileLogging(t *testing.T) {
	for _, dest := range []string{"mosquitto", "file"} {
		t.Run(dest, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				file := filepath.Join(t.TempDir(), "log")
				options := []string{"log_dest " + dest}
				if dest == "file" {
					options = append(options, "log_file "+file)
				}
				db := population()
				b := start(t, v21, []*store{db}, options...)
				held := make(chan struct{})
				db.set(func() {
					db.reload = func() ([]string, error) { // which does not observe its context
						<-held
						return []string{"late note"}, errors.New("late error")
					}
				})
				b.Reload()
				synctest.Wait()
				b.stop()
				close(held)
				synctest.Wait()
			})
		})
	}
}

func TestLogFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "log")
		if err := os.WriteFile(file, []byte("a line of Mosquitto's\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		b := start(t, v21, []*store{population()}, "log_dest file", "log_file "+file)
		b.enter(alice)
		b.enter(client{id: "evil\nid", name: "line\nfeed", password: wrong})
		b.stop()
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		noSecrets(t, string(text))
		lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
		expect(t, "first line", lines[0], "a line of Mosquitto's")
		for _, l := range lines[1:] {
			if !strings.HasPrefix(l, "946684") || !strings.Contains(l, ": go-auth: ") { // the bubble's time
				t.Errorf("line %q", l)
			}
		}
		if !strings.Contains(string(text), `user "alice", client "a1"`) || !strings.Contains(string(text), `"line\nfeed"`) {
			t.Errorf("logged:\n%s", text)
		}
		expect(t, "lines in the broker's log", len(b.logs), 0)
	})
}

// A log file that cannot be written stops nothing.
func TestLogFileUnwritable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, v21, []*store{population()}, "log_dest file", "log_file /nonexistent/log")
		expect(t, "warned", b.logged("/nonexistent/log"), 1)
		b.enter(alice)
		expect(t, "lines in the broker's log", b.logged(`user "alice"`) > 0, true)
	})
}

// A log that is written to faster than it is read loses lines, and says so; it
// keeps nobody waiting.
func TestLogOverflow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, v20, []*store{population()})
		for range 5000 {
			b.Fault("a panic")
		}
		b.settle()
		expect(t, "says so", b.logged("lines of the log were dropped"), 1)
		if len(b.logs) > 1100 {
			t.Errorf("%d lines", len(b.logs))
		}
	})
}

func TestLogLevel(t *testing.T) {
	for level, want := range map[string]string{"debug": "accepted refused", "info": "refused", "notice": "refused", "warning": "", "error": ""} {
		t.Run(level, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := start(t, v20, []*store{population()}, "log_level "+level)
				b.enter(alice)
				b.enter(client{id: "x", name: "alice", password: wrong})
				b.settle()
				var got []string
				for _, word := range []string{"accepted", "refused"} {
					if b.logged(": "+word+",") > 0 {
						got = append(got, word)
					}
				}
				expect(t, "logged", strings.Join(got, " "), want)
			})
		})
	}
}

// Notes of a probe are logged once, however often it is repeated; it is repeated
// until the store answers, and when the first user has logged in.
func TestProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := population()
		db.probes, db.err = true, errDown
		b := start(t, v20, []*store{db})
		b.pass(21 * time.Second)
		expect(t, "tries", len(db.probed), 5)
		db.set(func() { db.err = nil })
		b.pass(10 * time.Second)
		expect(t, "tries", len(db.probed), 6)
		expect(t, "told that it answers", b.logged("db answers again"), 1)
		b.enter(alice)
		b.enter(client{id: "b1", name: "Bob Ä", password: right})
		b.settle()
		expect(t, "with a name that exists", strings.Join(db.probed[6:], ","), "alice")
		expect(t, "notes", b.logged("the probe saw"), 2)
	})
}

// The race detector watches questions from other threads while the broker's
// thread is busy.
func TestElsewhere(t *testing.T) {
	onBoth(t, func(t *testing.T, v version) {
		db := population()
		b := start(t, v, []*store{db}, "acl_cache_seconds 0", "queue_max 100000")
		b.enter(alice)
		db.set(func() { db.delay = time.Millisecond })
		done := make(chan struct{})
		const threads = 4
		for i := range threads {
			login := b.request(&client{id: fmt.Sprint("t", i), name: "alice", password: right})
			bad := b.request(&client{id: fmt.Sprint("t", i), name: "alice", password: wrong})
			go func() {
				defer func() { done <- struct{}{} }()
				for range 50 {
					expect(t, "login", b.LoginElsewhere(login), plugin.Accept)
					expect(t, "wrong", b.LoginElsewhere(bad), plugin.Refuse)
					expect(t, "right", b.CheckElsewhere("t", "alice", true, "a/1", backends.Write), plugin.Granted)
					expect(t, "no right", b.CheckElsewhere("t", "alice", true, "b/1", backends.Write), plugin.Denied)
				}
			}()
		}
		for ended := 0; ended < threads; {
			select {
			case <-done:
				ended++
			case <-time.After(time.Millisecond):
				b.first(alice)
				b.may(alice, backends.Read, "a/1")
				b.tick()
			}
		}
	})
}

func TestElsewhereVerdicts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := population()
		b := start(t, v21, []*store{db}, "queue_max 1")
		b.prime()
		for _, c := range []struct {
			client client
			want   plugin.Verdict
		}{
			{alice, plugin.Accept},
			{alice.but(func(c *client) { c.password = wrong }), plugin.Refuse},
			{client{id: "x", name: "nobody", password: right}, plugin.Refuse},
			{client{id: "x", unnamed: true, passwordless: true}, plugin.Defer},
			{client{id: "x", name: "al+ce", password: right}, plugin.Refuse},
			{client{id: "", name: "alice", password: right}, plugin.Accept},
		} {
			expect(t, fmt.Sprintf("%+v", c.client), b.LoginElsewhere(b.request(&c.client)), c.want)
		}
		release := db.hold()
		b.first(alice)
		expect(t, "no room", b.LoginElsewhere(b.request(&client{id: "x", name: "alice", password: right})), plugin.ComeBack)
		expect(t, "no room for a check", b.CheckElsewhere("x", "alice", true, "a/1", backends.Read), plugin.Denied)
		release()
		b.settle()
		db.set(func() { db.err = errDown })
		expect(t, "down", b.LoginElsewhere(b.request(&client{id: "x", name: "alice", password: right})), plugin.Unavailable)
	})
}
