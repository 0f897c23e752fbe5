package backendtest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"mosquitto-go-auth/backends"
)

func hashOf(n int) string { return fmt.Sprintf("$hash$of$%d", n) }

// testChanges: what was changed counts at the next question, what was removed
// is gone.
func testChanges(t *testing.T, s *Store) {
	b := s.open(t, "")
	s.set(t, b, sam())
	fetch(t, b, login)

	changed := sam()
	changed.Hash, changed.Rules = "$new$", []backends.Rule{{Pattern: "c", Access: backends.All}}
	s.set(t, b, changed)
	a := fetch(t, b, login)
	if a.Hash != "$new$" {
		t.Errorf("the hash was changed; got %q", a.Hash)
	}
	wantRight(t, s, a, login, backends.Write, "c", true)
	wantRight(t, s, a, login, backends.Write, "a/b", false)

	s.set(t, b, Account{Name: "tom", Hash: "$tom$"})
	for _, l := range kinds("sam") {
		refuse(t, b, l)
	}
	s.set(t, b, sam())
	if a := fetch(t, b, login); a.Hash != "$sam$" {
		t.Errorf("the account is back; got the hash %q", a.Hash)
	}
}

// testShapes: an answer that is no account is an error of its own kind, which
// does not show what the answer holds, and leaves other answers alone.
func testShapes(t *testing.T, s *Store) {
	const secret = "$secret$"
	for _, shape := range s.Shapes {
		t.Run(shape.Name, func(t *testing.T) {
			account := sam()
			account.Hash = secret
			s.Set(t, []Account{account})
			if shape.Spoil != nil {
				shape.Spoil(t)
			}
			b := s.open(t, shape.Options)
			l := shape.Lookup
			l.Name, l.ClientID = "sam", "c1"
			for range 2 {
				a, err := b.User(within(t), l)
				if !errors.Is(err, backends.ErrBadAnswer) {
					t.Fatalf("got error %v, want one that is backends.ErrBadAnswer", err)
				}
				if strings.Contains(err.Error(), secret) {
					t.Errorf("the error shows the hash: %v", err)
				}
				if a.Hash != "" || a.Super || a.AllowAll || len(a.Sections) > 0 {
					t.Errorf("the error comes with an account: %+v", a)
				}
			}
		})
	}
	s.Set(t, nil)
}

// testCancelled: a question whose time is over ends, and its answer is not that
// there is no such user.
func testCancelled(t *testing.T, s *Store) {
	b := s.open(t, "")
	s.set(t, b, sam())
	if _, ok := b.(backends.InMemory); ok {
		return
	}
	cancelled, cancel := context.WithCancel(within(t))
	cancel()
	late, cancel := context.WithDeadline(context.Background(), time.Now().Add(-time.Second))
	defer cancel()
	for name, ctx := range map[string]context.Context{"cancelled": cancelled, "late": late} {
		for _, l := range append(kinds("sam"), kinds("tom")...) {
			_, err := b.User(ctx, l)
			if err == nil || errors.Is(err, backends.ErrNoUser) || errors.Is(err, backends.ErrBadAnswer) {
				t.Errorf("%s, %s: got error %v", name, show(l), err)
			}
		}
	}
	fetch(t, b, login)
}

// testClose: Close comes back while questions are under way, which end, with an
// answer or with an error that is not about the user.
func testClose(t *testing.T, s *Store) {
	b := s.open(t, "")
	s.set(t, b, sam())
	ctx, cancel := context.WithCancel(within(t))
	defer cancel()
	var asked, ended sync.WaitGroup
	for range 8 {
		asked.Add(1)
		first := sync.OnceFunc(asked.Done)
		ended.Go(func() {
			defer first()
			for ctx.Err() == nil {
				a, err := b.User(ctx, login)
				if errors.Is(err, backends.ErrNoUser) || err == nil && a.Hash != "$sam$" {
					t.Errorf("got the hash %q, error %v", a.Hash, err)
				}
				if err != nil {
					return
				}
				first()
			}
		})
	}
	asked.Wait()
	closed := make(chan error, 1)
	go func() { closed <- b.Close() }()
	select {
	case err := <-closed:
		if err != nil {
			t.Errorf("Close: %v", err)
		}
	case <-time.After(patience):
		t.Fatal("Close waits for the questions under way")
	}
	if _, err := b.User(within(t), login); errors.Is(err, backends.ErrNoUser) || errors.Is(err, backends.ErrBadAnswer) {
		t.Errorf("asked when it is closed: %v", err)
	}
	cancel()
	ended.Wait()
}

// testConcurrent: each of many that ask at once gets its own account.
func testConcurrent(t *testing.T, s *Store) {
	b := s.open(t, "")
	var accounts []Account
	for i := range 20 {
		accounts = append(accounts, Account{Name: fmt.Sprintf("user%d", i), Hash: hashOf(i),
			Rules: []backends.Rule{{Pattern: fmt.Sprintf("of/%d", i), Access: backends.All}}})
	}
	s.set(t, b, accounts...)
	var wg sync.WaitGroup
	for i := range 32 {
		wg.Go(func() {
			for j := range 40 {
				want := accounts[(i+j)%len(accounts)]
				l := backends.Lookup{Name: want.Name, ClientID: "c1"}
				a, err := b.User(within(t), l)
				if err != nil || a.Hash != want.Hash || !allows(t, a, l, backends.Write, want.Rules[0].Pattern) {
					t.Errorf("%s: got the hash %q, error %v", show(l), a.Hash, err)
					return
				}
			}
		})
	}
	wg.Wait()
}
