package redis

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"mosquitto-go-auth/backends"
	"mosquitto-go-auth/test/redistest"
)

// watch starts a watch. Names that changed come out of the first channel, the
// watch's end out of the second.
func watch(t *testing.T, b backends.Backend) (<-chan string, <-chan error) {
	t.Helper()
	w, ok := b.(backends.Watcher)
	if !ok {
		t.Fatal("the backend watches nothing")
	}
	ctx, cancel := context.WithCancel(t.Context())
	names, end := make(chan string, 100), make(chan error, 1)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		end <- w.Watch(ctx, func(name string) { names <- name })
	}()
	t.Cleanup(func() { cancel(); <-ended })
	return names, end
}

// told waits for a notice. Redis sends several of some changes.
func told(t *testing.T, names <-chan string, want string) {
	t.Helper()
	for {
		select {
		case name := <-names:
			if name == want {
				return
			}
		case <-ctxOf(t).Done():
			t.Fatalf("not told of %q", want)
		}
	}
}

func TestWatch(t *testing.T) {
	s := redistest.Start(t, "--notify-keyspace-events", "K$sgxem")
	b := open(t, at(s)+"redis_prefix p[*]:\nredis_keyspace_events true\nredis_notify_channel changes\n")
	for range 2 {
		names, end := watch(t, b.Backend)
		told(t, names, "")
		for _, change := range []struct {
			command []any
			want    string
		}{
			{[]any{"SET", "p[*]:ann", "h"}, "ann"},
			{[]any{"SADD", "p[*]:bob:racls", "t"}, "bob"},
			{[]any{"DEL", "p[*]:bob:racls"}, "bob"},
			{[]any{"SET", "p[*]:cleo:su", "true"}, "cleo"},
			{[]any{"RENAME", "p[*]:cleo:su", "p[*]:dan:su"}, "dan"},
			{[]any{"PEXPIRE", "p[*]:dan:su", 1}, "dan"},
			{[]any{"SADD", "p[*]:common:sacls", "t" + fmt.Sprint(len(names))}, ""},
			{[]any{"PUBLISH", "changes", "eve"}, "eve"},
			{[]any{"PUBLISH", "changes", ""}, ""},
		} {
			s.Do(t, change.command...)
			told(t, names, change.want)
		}
		s.Do(t, "DEL", "p[*]:common:sacls", "p[*]:ann")
		told(t, names, "ann")
		for len(names) > 0 {
			<-names
		}
		// What is none of ours is not told, nor what we look for in vain.
		s.Do(t, "SET", "p*:x", "h")
		b.User(ctxOf(t), backends.Lookup{Name: "missing"})
		s.Do(t, "PUBLISH", "changes", "last")
		if name := <-names; name != "last" {
			t.Errorf("told of %q", name)
		}
		s.Do(t, "CLIENT", "KILL", "TYPE", "pubsub")
		if err := <-end; err == nil || !strings.Contains(err.Error(), "listening to Redis at") {
			t.Errorf("the watch ended with %v", err)
		}
	}
	if _, ok := open(t, at(s)).Backend.(backends.Watcher); ok {
		t.Error("a backend watches although it was not told to")
	}
}

func TestWatchRefused(t *testing.T) {
	s := redistest.Start(t)
	s.Do(t, "ACL", "SETUSER", "deaf", "on", ">s3cret", "~*", "+get", "+smembers", "+ping")
	_, end := watch(t, open(t, at(s)+"redis_user deaf\nredis_password s3cret\nredis_notify_channel changes\n").Backend)
	if err := <-end; err == nil || !strings.Contains(err.Error(), "it needs +get +smembers +subscribe +ping") {
		t.Errorf("the watch ended with %v", err)
	}
	s.Stop(t)
	_, end = watch(t, open(t, at(s)+"redis_notify_channel changes\n").Backend)
	if err := <-end; err == nil {
		t.Error("a watch of a dead server")
	}
}

func TestWatchCluster(t *testing.T) {
	t.Parallel()
	c := redistest.StartCluster(t, 3, "--notify-keyspace-events", "KA")
	b := open(t, "redis_mode cluster\nredis_keyspace_events true\nredis_notify_channel changes\nredis_cluster_addresses "+c.Addresses())
	names, end := watch(t, b.Backend)
	told(t, names, "")
	owners := map[int]bool{}
	for i := 0; len(owners) < 3; i++ {
		name := fmt.Sprint("user", i)
		c.Do(t, "SET", name, "h")
		told(t, names, name)
		owners[c.Owner(t, name)] = true
	}
	for _, n := range c.Nodes() {
		name := "by " + n.Addr()
		n.Do(t, "PUBLISH", "changes", name)
		told(t, names, name)
	}
	c.Masters[0].Kill(t)
	if err := <-end; err == nil {
		t.Error("the watch ended without a reason")
	}
	if notes, err := b.Backend.(backends.Prober).Probe(ctxOf(t), ""); err == nil && len(notes) > 0 {
		t.Errorf("notes %q", notes)
	}
}

func TestProbe(t *testing.T) {
	s := redistest.Start(t)
	probe := func(options, name string) string {
		t.Helper()
		notes, err := open(t, options).Backend.(backends.Prober).Probe(ctxOf(t), name)
		if err != nil {
			return "error: " + err.Error()
		}
		return strings.Join(notes, "\n")
	}
	expect := func(got, want string) {
		t.Helper()
		if want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	expect(probe(strings.Replace(at(s), "redis_db 0\n", "", 1), ""), "/1 has no key *: no user is known there. Database 1 was asked, since redis_db is not set.")
	s.Do(t, "SET", "ann", "h")
	expect(probe(at(s), ""), "")
	expect(probe(at(s)+"redis_prefix mqtt:\n", ""), "has no key mqtt:*: no user is known there.")
	expect(probe(at(s)+"redis_prefix mqtt:\n", "ann"), "")
	s.Do(t, "SET", "common:racls", "x")
	expect(probe(at(s), "ann"), `the key "common:racls" is no set`)
	s.Do(t, "DEL", "common:racls")
	expect(probe(at(s)+"redis_keyspace_events true\n", "ann"), "needs notify-keyspace-events K$sgxe there (CONFIG SET")
	s.Do(t, "CONFIG", "SET", "notify-keyspace-events", "KA")
	expect(probe(at(s)+"redis_keyspace_events true\n", "ann"), "")
	s.Do(t, "ACL", "SETUSER", "reader", "on", ">s3cret", "~*", "+get", "+smembers")
	expect(probe(at(s)+"redis_user reader\nredis_password s3cret\nredis_keyspace_events true\n", ""), "cannot be seen (CONFIG GET is not allowed)")
	s.Stop(t)
	expect(probe(at(s), ""), "error: asking Redis at 127.0.0.1")
}

// The examples of the README do what it says.
func TestReadme(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	s := redistest.Start(t)
	for _, block := range regexp.MustCompile("(?ms)^```redis\n(.*?)^```").FindAllStringSubmatch(string(text), -1) {
		for line := range strings.Lines(block[1]) {
			var args []any
			for _, word := range strings.Fields(line) {
				args = append(args, word)
			}
			s.Do(t, args...)
		}
	}
	b := open(t, at(s))
	if a := user(t, b, "root"); !a.Super || !strings.HasPrefix(a.Hash, "$argon2id$") {
		t.Errorf("root: %+v", a)
	}
	got := map[string]bool{}
	for _, r := range user(t, b, "ann").Sections[0] {
		got[fmt.Sprintf("%s %d %t", r.Pattern, r.Access, r.Literal)] = true
	}
	for _, want := range []string{"home/ann/# 3 true", "home/ann/# 4 true", "news/# 1 false", "news/# 4 false", "clients/%c 1 false", "clients/%c 4 false"} {
		if !got[want] {
			t.Errorf("ann has not %s, but %v", want, got)
		}
	}
	s.Do(t, "SET", "mqtt:ann", "h")
	s.Do(t, "PING")
	if a := user(t, open(t, at(s)+"redis_user mosquitto\nredis_password PASSWORD\nredis_prefix mqtt:\n"), "ann"); a.Hash != "h" {
		t.Errorf("with the README's ACL user: %+v", a)
	}

	options := regexp.MustCompile("(?ms)^```\n(auth_opt_.*?)^```").FindAllStringSubmatch(string(text), -1)
	if len(options) != 3 {
		t.Fatalf("%d configurations", len(options))
	}
	for _, block := range options {
		lines := strings.ReplaceAll(block[1], "auth_opt_", "")
		lines = strings.ReplaceAll(strings.Replace(lines, "backends redis\n", "", 1), "redis_password_file /etc/mosquitto/redis-password\n", "")
		if o := open(t, lines); len(o.Notes) > 0 {
			t.Errorf("%s\nnotes %q", lines, o.Notes)
		}
	}
}

// mosquitto-auth-plug's users.
func TestUserquery(t *testing.T) {
	s := redistest.Start(t)
	s.Do(t, "SET", "u:ann", "h")
	s.Do(t, "HSET", "users", "bob", "h")
	s.Do(t, "SET", "common", "h")
	for query, name := range map[string]string{"GET u:%s": "ann", "hget users %s": "bob", "GET %s": "common"} {
		b := open(t, at(s)+"redis_userquery "+query+"\n")
		if a := user(t, b, name); a.Hash != "h" || !a.AllowAll || a.Super {
			t.Errorf("%s: %+v", query, a)
		}
		for _, l := range []backends.Lookup{{Name: "nobody"}, {Name: "nobody", RulesOnly: true}, {Name: "nobody", PasswordOnly: true}} {
			if a, err := b.User(ctxOf(t), l); err != backends.ErrNoUser {
				t.Errorf("%s, %+v: %+v, %v", query, l, a, err)
			}
		}
		if a, err := b.User(ctxOf(t), backends.Lookup{Name: name, RulesOnly: true}); err != nil || !a.AllowAll || a.Hash != "" {
			t.Errorf("%s, rules only: %+v, %v", query, a, err)
		}
	}
}
