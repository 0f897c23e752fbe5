package plugin

import (
	"bufio"
	"os"
	"strings"
	"testing"
	"time"
)

func TestGlob(t *testing.T) {
	f, err := os.Open("testdata/globs.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	word := strings.NewReplacer("EMPTY", "", "·", " ").Replace
	for s := bufio.NewScanner(f); s.Scan(); {
		fields := strings.Fields(s.Text())
		if len(fields) == 0 || fields[0] == "#" {
			continue
		}
		if len(fields) != 3 {
			t.Fatalf("testdata/globs.txt: %q", s.Text())
		}
		pattern, name, want := word(fields[0]), word(fields[1]), fields[2] == "yes"
		if got := glob(pattern, name); got != want {
			t.Errorf("glob(%q, %q) = %v, want %v", pattern, name, got, want)
		}
		if got := naive(pattern, name); got != want {
			t.Errorf("naive(%q, %q) = %v, want %v", pattern, name, got, want)
		}
	}
}

// naive matches by trying everything. It has brackets read by globOne, which the
// table is for.
func naive(pattern, name string) bool {
	switch {
	case pattern == "":
		return name == ""
	case pattern[0] == '*':
		return naive(pattern[1:], name) || name != "" && naive(pattern, name[1:])
	case name == "":
		return false
	}
	width, ok := globOne(pattern, name[0])
	return ok && naive(pattern[width:], name[1:])
}

func FuzzGlob(f *testing.F) {
	f.Add("a*b?c[d-f]*", "aXbYce")
	f.Add("[!a]*[]x-z]\\", "b]")
	f.Add("*a*b*c*[", "abc[")
	f.Fuzz(func(t *testing.T, pattern, name string) {
		if len(name) > 64 || len(pattern) > 64 || strings.Count(pattern, "*") > 5 {
			return // too slow for the naive way
		}
		if got, want := glob(pattern, name), naive(pattern, name); got != want {
			t.Errorf("glob(%q, %q) = %v, want %v", pattern, name, got, want)
		}
	})
}

// No pattern takes long: the steps grow with the product of the lengths.
func TestGlobIsQuick(t *testing.T) {
	pattern, name := strings.Repeat("*a", 500)+"b", strings.Repeat("a", 5000)
	done := make(chan bool, 1)
	go func() { done <- glob(pattern, name) }()
	select {
	case got := <-done:
		if got {
			t.Error("matched")
		}
	case <-time.After(20 * time.Second):
		t.Fatal("still at it")
	}
}
