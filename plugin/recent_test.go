package plugin

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

func TestRecent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRecent[string](time.Minute, 3)
		has := func(what string, want ...string) {
			t.Helper()
			got := []string{}
			for _, n := range []string{"a", "b", "c", "d"} {
				if r.has(n) {
					got = append(got, n)
				}
			}
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%s: %v, want %v", what, got, want)
			}
		}
		has("empty", []string{}...)
		r.add("a")
		time.Sleep(30 * time.Second)
		r.add("b")
		has("two", "a", "b")
		time.Sleep(30 * time.Second)
		has("the first is forgotten", "b")
		r.add("b")
		time.Sleep(59 * time.Second)
		has("prolonged", "b")
		r.remove("b")
		r.remove("never there")
		has("removed", []string{}...)
		r.add("b")
		r.add("c")
		has("again", "b", "c")
		r.add("d")
		has("the oldest makes room", "b", "c", "d")
		for i := range 100 {
			r.add(fmt.Sprint(i))
		}
		if len(r.until) > 3 || len(r.order) > 3 {
			t.Errorf("%d names, %d in order", len(r.until), len(r.order))
		}
	})
}
