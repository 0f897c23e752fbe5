package backendtest

import (
	"context"
	"errors"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"mosquitto-go-auth/backends"
)

const (
	// hurried is the deadline of questions that will get no answer.
	hurried = 200 * time.Millisecond

	// back is how long a store that is there again may seem to be away.
	back = 2 * time.Second
)

var login = backends.Lookup{Name: "sam", ClientID: "c1"}

// linked opens a backend on a store that is a server, over a link that the test
// can break. sam is in the store.
func linked(t *testing.T, s *Store) (*Link, backends.Backend) {
	t.Helper()
	l := NewLink(t, s.Server)
	b := s.open(t, s.Through(l.Address()))
	s.set(t, b, sam())
	fetch(t, b, login)
	return l, b
}

// unavailable asks without a chance of an answer.
func unavailable(t testing.TB, b backends.Backend, l backends.Lookup, allowed time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), allowed)
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		_, err := b.User(ctx, l)
		ended <- err
	}()
	select {
	case err := <-ended:
		if err == nil || errors.Is(err, backends.ErrNoUser) || errors.Is(err, backends.ErrBadAnswer) {
			t.Errorf("%s: the store cannot be reached; got error %v", show(l), err)
		}
	case <-time.After(allowed + back):
		t.Errorf("%s: no answer when its time has been over for %v", show(l), back)
	}
}

// served waits until the store answers again.
func served(t testing.TB, b backends.Backend) {
	t.Helper()
	start := time.Now()
	for {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		a, err := b.User(ctx, login)
		cancel()
		if err == nil && a.Hash == "$sam$" {
			t.Logf("served again after %v", time.Since(start).Round(time.Millisecond))
			return
		}
		if errors.Is(err, backends.ErrNoUser) || errors.Is(err, backends.ErrBadAnswer) || time.Since(start) > back {
			t.Fatalf("the store is back, and after %v: got the hash %q, error %v", time.Since(start), a.Hash, err)
		}
	}
}

// at asks many times at once.
func at(n int, ask func()) {
	var wg sync.WaitGroup
	for range n {
		wg.Go(ask)
	}
	wg.Wait()
}

// testStalled: a server that hangs costs nobody more than the deadline, whether
// it hangs in an answer, in new connections or with all connections taken.
func testStalled(t *testing.T, s *Store) {
	link, b := linked(t, s)
	link.Freeze()
	for _, l := range append(kinds("sam"), kinds("tom")...) {
		if unavailable(t, b, l, hurried); t.Failed() {
			return
		}
	}
	at(64, func() { unavailable(t, b, login, hurried) })
	link.Thaw()
	served(t, b)
}

// testCut: connections that lay idle when they broke are not somebody's failed
// login.
func testCut(t *testing.T, s *Store) {
	link, b := linked(t, s)
	for range 2 {
		at(8, func() { fetch(t, b, login) })
		link.Cut()
		for range 8 {
			fetch(t, b, login)
		}
	}
}

// testDown: a store that is down is an error, and one that is back is served;
// the same if it was down when the backend was opened.
func testDown(t *testing.T, s *Store) {
	link, b := linked(t, s)
	for range 2 {
		link.Down()
		for _, l := range kinds("sam") {
			unavailable(t, b, l, hurried)
		}
		at(64, func() { unavailable(t, b, login, time.Second) })
		link.Up(t)
		served(t, b)
	}
	link.Down()
	late := s.open(t, s.Through(link.Address()))
	unavailable(t, late, login, hurried)
	link.Up(t)
	served(t, late)
}

// testCloseStalled: Close does not wait for questions that get no answer, and
// nothing of the backend is left when these end.
func testCloseStalled(t *testing.T, s *Store) {
	link, b := linked(t, s)
	link.Freeze()
	ctx, cancel := context.WithCancel(within(t))
	defer cancel()
	var ended sync.WaitGroup
	for range 8 {
		ended.Go(func() {
			if _, err := b.User(ctx, login); err == nil || errors.Is(err, backends.ErrNoUser) {
				t.Errorf("got error %v", err)
			}
		})
	}
	eventually(patience, link.holds)
	closed := make(chan error, 1)
	go func() { closed <- b.Close() }()
	select {
	case <-closed: // the server did not hear of it, which may be an error
	case <-time.After(patience / 2):
		t.Error("Close waits for the questions under way")
	}
	cancel()
	ended.Wait()
}

// testLeaks: nothing is left of a backend that was opened, asked in good and in
// bad times, and closed.
func testLeaks(t *testing.T, s *Store) {
	link, b := linked(t, s)
	b.Close()
	link.Cut()
	before := settle(held{})
	for range 3 {
		b := s.open(t, s.Through(link.Address()))
		at(8, func() { fetch(t, b, login) })
		link.Freeze()
		at(32, func() { unavailable(t, b, login, hurried) })
		link.Thaw()
		link.Down()
		at(32, func() { unavailable(t, b, login, hurried) })
		link.Up(t)
		served(t, b)
		b.Close()
		link.Cut()
	}
	if after := settle(before); after.goroutines > before.goroutines || after.files > before.files {
		stacks := make([]byte, 1<<16)
		t.Errorf("held before %+v, and after %+v\n%s", before, after, stacks[:runtime.Stack(stacks, true)])
	}
}

// held is what a process holds.
type held struct{ goroutines, files int }

func now() held {
	files, _ := os.ReadDir("/proc/self/fd") // none elsewhere than on Linux
	return held{runtime.NumGoroutine(), len(files)}
}

// settle waits for what is ending to end: until no more is held than wanted, or
// for a second if nothing is wanted.
func settle(wanted held) held {
	allowed := patience
	if wanted == (held{}) {
		allowed = time.Second
	}
	eventually(allowed, func() bool {
		n := now()
		return n.goroutines <= wanted.goroutines && n.files <= wanted.files
	})
	return now()
}

// eventually waits until something is so, for as long as is allowed.
func eventually(allowed time.Duration, so func() bool) {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(allowed); !so() && time.Now().Before(end); {
		<-tick.C
	}
}
