package plugin

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// queue has goroutines wait at a gate of one place, in the order of the keys,
// and returns the keys in the order in which they entered. A key that ends with
// "-" comes behind; one that begins with "!" is demoted.
func queue(t *testing.T, keys ...string) []string {
	g := NewGate(1)
	if err := g.Enter(t.Context(), "holder"); err != nil {
		t.Fatal(err)
	}
	var entered []string
	for _, key := range keys {
		if demoted, ok := strings.CutPrefix(key, "!"); ok {
			g.Demote(demoted)
			continue
		}
		enter := g.Enter
		if strings.HasSuffix(key, "-") {
			enter = g.EnterBehind
		}
		go func() {
			if err := enter(t.Context(), key); err != nil {
				t.Error(err)
			}
			entered = append(entered, key) // one at a time is inside
			g.Leave()
		}()
		synctest.Wait()
	}
	g.Leave()
	synctest.Wait()
	return entered
}

// A flood from one address delays others by one place, not by its length; those
// who come behind enter when nobody else waits, or as every fourth.
func TestGateFairness(t *testing.T) {
	for _, c := range []struct{ come, enter string }{
		{"A", "A"},
		{"A A A", "A A A"},
		{"A A A A B", "A B A A A"},
		{"A A A B B", "A B A B A"},
		{"A A B B C C", "A B C A B C"},
		{"X- A A", "A A X-"},
		{"X- X- A A A A A", "A A A X- A A X-"},
		{"X- Y- X-", "X- Y- X-"},
		{"X- X- Y-", "X- Y- X-"},
		{"A A A !A B C", "B C A A A"},
		{"A B !A !B C", "C A B"},
		{"A !Z !A !A B", "B A"},
	} {
		synctest.Test(t, func(t *testing.T) {
			if got := strings.Join(queue(t, strings.Fields(c.come)...), " "); got != c.enter {
				t.Errorf("%s entered as %s, want %s", c.come, got, c.enter)
			}
		})
	}
}

func TestGateSize(t *testing.T) {
	for _, size := range []int{-1, 0, 1, 3} {
		synctest.Test(t, func(t *testing.T) {
			g := NewGate(size)
			want := max(size, 1)
			for i := range want {
				if err := g.Enter(t.Context(), fmt.Sprint(i)); err != nil {
					t.Fatal(err)
				}
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if err := g.Enter(ctx, "one more"); err != context.DeadlineExceeded {
				t.Errorf("size %d: one more entered, with %v", size, err)
			}
			if n := g.waited.Load(); n != 1 {
				t.Errorf("size %d: %d waited", size, n)
			}
		})
	}
}

// Who stops waiting loses no place: neither its own, nor one that came at the
// same time.
func TestGateCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGate(1)
		if err := g.Enter(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		errs := make(chan error, 10)
		for range 10 {
			go func() { errs <- g.Enter(ctx, "b") }()
		}
		synctest.Wait()
		for _, c := range []struct {
			behind bool
			own    int
			want   float64
		}{{false, 0, 1.5}, {false, 4, 5.5}, {false, 100, 10.5}, {true, 0, 10.5}} {
			if got := g.Ahead(c.behind, c.own); got != c.want {
				t.Errorf("ahead of %+v: %v", c, got)
			}
		}
		cancel()
		for range 10 {
			if err := <-errs; err != context.Canceled {
				t.Error(err)
			}
		}
		if got := g.Ahead(true, 0); got != 0.5 {
			t.Errorf("ahead: %v, want 0.5", got)
		}
		g.Leave()
		if err := g.Enter(t.Context(), "c"); err != nil {
			t.Error(err)
		}
		if err := g.Enter(ctx, "d"); err != context.Canceled {
			t.Errorf("entered with a context that has ended: %v", err)
		}
	})
}

// Many come, wait, give up and leave at the same time; no place is lost or used
// twice.
func TestGateStress(t *testing.T) {
	const size = 3
	g := NewGate(size)
	var inside, entered atomic.Int64
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(1, uint64(i)))
			for range 500 {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(r.IntN(200))*time.Microsecond)
				enter := g.Enter
				if r.IntN(5) == 0 {
					g.Demote(fmt.Sprint(r.IntN(4)))
				}
				if r.IntN(3) == 0 {
					enter = g.EnterBehind
				}
				if enter(ctx, fmt.Sprint(r.IntN(4))) == nil {
					entered.Add(1)
					if n := inside.Add(1); n > size {
						t.Errorf("%d inside", n)
					}
					inside.Add(-1)
					g.Leave()
				}
				cancel()
			}
		})
	}
	wg.Wait()
	if entered.Load() == 0 {
		t.Error("nobody entered")
	}
	if g.inside != 0 || g.Ahead(true, 0) != 0 || g.first.waits != 0 || g.behind.waits != 0 {
		t.Errorf("afterwards %d are inside and %v wait", g.inside, g.Ahead(true, 0))
	}
	for range size {
		if err := g.Enter(t.Context(), "after"); err != nil {
			t.Error(err)
		}
	}
	if g.inside != size {
		t.Errorf("%d of %d places are left", g.inside, size)
	}
}

func TestHashGateKeepsAProcessor(t *testing.T) {
	for n, want := range map[int]int{5: 5, 1: 1, 0: max(runtime.GOMAXPROCS(0)-1, 1)} {
		if g := NewHashGate(n); g.size != want {
			t.Errorf("NewHashGate(%d) has %d places, want %d", n, g.size, want)
		}
	}
}
