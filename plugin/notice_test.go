package plugin

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// What waits for the broker's thread is bounded, whatever the names.
func TestChangesAreBounded(t *testing.T) {
	for _, size := range []int{1, 100, 65535, maxChangedBytes + 1} {
		var c changes
		long := strings.Repeat("x", size)
		told := 0
		for i := range 2 * min(maxChanged, 1+maxChangedBytes/size) {
			if c.add(fmt.Sprint(i, long)) {
				told++
			}
			if len(c.names) > maxChanged || c.bytes > maxChangedBytes {
				t.Fatalf("%d names of %d bytes are kept", len(c.names), size)
			}
		}
		if told != 1 {
			t.Errorf("the broker was woken %d times", told)
		}
		if names, all := c.take(); !all || len(names) != 0 {
			t.Errorf("%d names, all: %v", len(names), all)
		}
	}
}

func TestChanges(t *testing.T) {
	for _, test := range []struct {
		add   []string
		names string
		all   bool
	}{
		{nil, "map[]", false},
		{[]string{"a", "b", "a"}, "map[a:true b:true]", false},
		{[]string{"a", "", "b"}, "map[]", true},
	} {
		var c changes
		for range 2 { // it is empty again when it was taken
			for i, name := range test.add {
				if first := c.add(name); first != (i == 0) {
					t.Errorf("%v: the first: %v", test.add, first)
				}
			}
			names, all := c.take()
			if fmt.Sprint(names) != test.names || all != test.all {
				t.Errorf("%v: %v, %v", test.add, names, all)
			}
		}
	}
}

// What was heard is bounded, and never taken to be older than it is.
func TestHeard(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var h heard
	at := time.Unix(1, 0)
	last := map[string]time.Time{}
	for range 3 * maxHeard {
		at = at.Add(time.Millisecond)
		name := fmt.Sprint(random.IntN(2 * maxHeard))
		if random.IntN(5000) == 0 {
			name = strings.Repeat(name, 10000)
		}
		h.one(name, at)
		last[name] = at
		if len(h.names) > maxHeard || h.bytes > maxHeardBytes {
			t.Fatalf("%d names, %d bytes", len(h.names), h.bytes)
		}
	}
	for name, at := range last {
		if h.of(name).Before(at) {
			t.Fatalf("%.20s: %v, want %v at least", name, h.of(name), at)
		}
	}
	h.everything(at.Add(time.Hour))
	if got := h.of("never heard of"); !got.Equal(at.Add(time.Hour)) {
		t.Errorf("after all: %v", got)
	}
}

// Each profile that stays is among the first until it was looked at, whatever is
// dropped and added meanwhile.
func TestSweepMissesNone(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for round := range 200 {
		e := &Engine{profiles: map[string]*profile{}, rights: Table{}}
		add := func(name string) {
			p := &profile{name: name}
			e.keep(p)
		}
		unseen := map[*profile]bool{}
		for i := range random.IntN(20) {
			add(fmt.Sprint("old", i))
		}
		for _, p := range e.profiles {
			unseen[p] = true
		}
		e.unswept = len(e.order)
		for i := 0; e.unswept > 0; i++ {
			switch random.IntN(3) {
			case 0:
				e.unswept--
				delete(unseen, e.order[e.unswept])
			case 1:
				p := e.order[random.IntN(len(e.order))]
				delete(unseen, p)
				e.drop(p)
			default:
				add(fmt.Sprint("new", i))
			}
			for at, p := range e.order {
				if p.place != at || e.profiles[p.name] != p || len(e.order) != len(e.profiles) {
					t.Fatalf("round %d: %q is out of order", round, p.name)
				}
			}
		}
		if len(unseen) > 0 {
			t.Fatalf("round %d: %d profiles were not looked at", round, len(unseen))
		}
	}
}
