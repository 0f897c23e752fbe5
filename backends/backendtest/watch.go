package backendtest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"mosquitto-go-auth/backends"
)

// testWatch: each kind of change is told, of the account or of all, and the
// watch ends with its context.
func testWatch(t *testing.T, s *Store) {
	b := s.open(t, "")
	watcher, ok := b.(backends.Watcher)
	if ok != s.Watches {
		t.Fatalf("that it tells of changes is %v, want %v", ok, s.Watches)
	}
	if !ok {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	told, ended := make(chan string, 10_000), make(chan error, 1)
	go func() {
		ended <- watcher.Watch(ctx, func(name string) { told <- name })
	}()
	begin(t, s, told, ended, "early")

	sam, tom := sam(), Account{Name: "tom", Hash: "$tom$"}
	tell := func(what, name string, accounts ...Account) {
		t.Helper()
		s.Set(t, accounts)
		awaitNotice(t, told, ended, what, name)
	}
	tell("an account came", "sam", sam)
	tell("another came", "tom", sam, tom)
	tom.Hash = "$new$"
	tell("a hash changed", "tom", sam, tom)
	sam.Rules = []backends.Rule{{Pattern: "c", Access: backends.All}}
	tell("rules changed", "sam", sam, tom)
	if !s.NoSupers {
		tom.Super = true
		tell("a superuser came", "tom", sam, tom)
	}
	tell("an account went", "sam", tom)
	cancel()
	select {
	case <-ended:
	case <-time.After(patience):
		t.Error("Watch goes on when its context has ended")
	}
}

// begin changes an account until the watch, which takes its time to be
// established, tells of that, and leaves the store empty.
func begin(t *testing.T, s *Store, told <-chan string, ended <-chan error, name string) {
	t.Helper()
	end := time.After(patience)
	again := time.NewTicker(250 * time.Millisecond)
	defer again.Stop()
	s.Set(t, []Account{{Name: name, Hash: hashOf(0)}})
	for n := 1; ; {
		select {
		case heard := <-told:
			if heard == "" || heard == name {
				s.Set(t, nil)
				return
			}
		case err := <-ended:
			t.Fatalf("Watch ended: %v", err)
		case <-end:
			t.Fatal("no change is told")
		case <-again.C:
			s.Set(t, []Account{{Name: name, Hash: hashOf(n)}})
			n++
		}
	}
}

// awaitNotice waits for a notice of one account or of all.
func awaitNotice(t *testing.T, told <-chan string, ended <-chan error, what, name string) {
	t.Helper()
	var heard []string
	for end := time.After(patience); ; {
		select {
		case n := <-told:
			if n == "" || n == name {
				return
			}
			heard = append(heard, fmt.Sprintf("%.80q", n))
		case err := <-ended:
			t.Fatalf("Watch ended: %v", err)
		case <-end:
			t.Fatalf("%s, and it is not told; what was told: %v", what, heard)
		}
	}
}

// testWatchLink: a watch that loses its line ends with an error, or is
// established again by itself and then tells that all may have changed.
func testWatchLink(t *testing.T, s *Store) {
	link, b := linked(t, s)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	told, lost, over := make(chan string, 10_000), make(chan struct{}, 1), make(chan struct{})
	go func() {
		defer close(over)
		pause := time.NewTicker(50 * time.Millisecond)
		defer pause.Stop()
		for ctx.Err() == nil { // as the engine does
			if b.(backends.Watcher).Watch(ctx, func(name string) { told <- name }) != nil {
				select {
				case lost <- struct{}{}:
				default:
				}
			}
			<-pause.C
		}
	}()
	begin(t, s, told, nil, "early")
	for name, breakIt := range map[string]func(){
		"cut":  link.Cut,
		"down": func() { link.Down(); link.Up(t) },
	} {
		breakIt()
		awaitBreak(t, told, lost)
		begin(t, s, told, nil, name)
	}
	cancel()
	select {
	case <-over:
	case <-time.After(patience):
		t.Error("Watch goes on when its context has ended")
	}
}

// awaitBreak waits for what a watch makes of a broken line.
func awaitBreak(t *testing.T, told <-chan string, lost <-chan struct{}) {
	t.Helper()
	for end := time.After(patience); ; {
		select {
		case <-lost:
			return
		case name := <-told:
			if name == "" {
				return
			}
		case <-end:
			t.Fatal("the line was broken, and nobody is told that changes may have been missed")
		}
	}
}
