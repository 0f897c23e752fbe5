package main

import (
	"runtime"
	"testing"

	"mosquitto-go-auth/plugin"
)

// However many hashes are computed, the broker's thread finds a processor.
func TestSpareProcessor(t *testing.T) {
	before := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(before)
	for _, hashes := range []int{1, before, before + 5} {
		runtime.GOMAXPROCS(before)
		spareProcessor(plugin.NewGate(hashes))
		if got, least := runtime.GOMAXPROCS(0), max(before, hashes)+1; got != least {
			t.Errorf("%d processors for %d hashes at once, want %d", got, hashes, least)
		}
	}
}

func TestUnfiltered(t *testing.T) {
	for status, want := range map[string]bool{
		"Name:\tmosquitto\nNoNewPrivs:\t0\nSeccomp:\t0\nSeccomp_filters:\t0\n": true,
		"Name:\tmosquitto\nNoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t1\n": false,
		"Name:\tmosquitto\nSeccomp:\t1\n":                                      false,
		"Name:\tmosquitto\n":                                                   false, // a kernel that does not tell
	} {
		if got := unfiltered([]byte(status)); got != want {
			t.Errorf("%q: %v", status, got)
		}
	}
}
