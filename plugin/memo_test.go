package plugin

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// Fields do not run into each other.
func TestMACFields(t *testing.T) {
	k := newMACKey()
	seen := map[mac][]string{}
	for _, fields := range [][]string{{}, {""}, {"", ""}, {"a"}, {"a", ""}, {"", "a"}, {"a", "b"}, {"ab"}, {"ab", ""},
		{"a", "", "b"}, {"\x00\x00\x00\x00\x00\x00\x00\x00"}, {"a\x00\x00\x00\x00\x00\x00\x00\x01b"}} {
		m := k.sum(fields...)
		if other, ok := seen[m]; ok {
			t.Errorf("%q and %q have the same digest", fields, other)
		}
		seen[m] = fields
		if m != k.sum(fields...) {
			t.Errorf("%q has two digests", fields)
		}
		if m == newMACKey().sum(fields...) {
			t.Errorf("%q has the same digest under another key", fields)
		}
	}
}

func TestMemoBounds(t *testing.T) {
	m := newMemo(newMACKey(), time.Minute, 100)
	entry := func(i int) mac { return m.entry("hash", fmt.Sprint(i)) }
	for i := range 1000 {
		m.add(entry(i))
		m.add(entry(i))
		if len(m.entries.until) > 100 || len(m.entries.order) > 100 {
			t.Fatalf("%d entries, %d in order", len(m.entries.until), len(m.entries.order))
		}
	}
	for i := range 1000 {
		if got, want := m.verified(entry(i)), i >= 900; got != want {
			t.Fatalf("entry %d: %v, want %v", i, got, want)
		}
	}
}

func TestMemoLifeIsAbsolute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemo(newMACKey(), time.Minute, 10)
		entry := m.entry("hash", "password")
		m.add(entry)
		for range 59 {
			time.Sleep(time.Second)
			if !m.verified(entry) {
				t.Fatal("forgotten too early")
			}
		}
		time.Sleep(time.Second)
		if m.verified(entry) {
			t.Error("prolonged by its use")
		}
		m.add(entry)
		if !m.verified(entry) || len(m.entries.order) != 1 {
			t.Error("not remembered anew")
		}
	})
}

func TestMemoConcurrent(t *testing.T) {
	m := newMemo(newMACKey(), time.Minute, 50)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for n := range 500 {
				e := m.entry(fmt.Sprint(i), fmt.Sprint(n))
				m.add(e)
				m.verified(e)
			}
		})
	}
	wg.Wait()
	if len(m.entries.until) != 50 || len(m.entries.order) != 50 {
		t.Errorf("%d entries, %d in order", len(m.entries.until), len(m.entries.order))
	}
}
