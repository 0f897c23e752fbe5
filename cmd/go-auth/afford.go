package main

import (
	"bufio"
	"flag"
	"fmt"
	"math"
	"os"

	"mosquitto-go-auth/hashing"
)

// refuseZeros makes a 0 that was given a value that is out of range: a 0 in the
// parameters stands for none, and would be chosen.
func refuseZeros(f *flag.FlagSet, values map[string]*int) {
	for name, v := range values {
		if *v == 0 && given(f, name) {
			*v = -1
		}
	}
}

// available is how much memory can be had, in KiB; a great deal if that is not
// known.
func available() int {
	f, err := os.Open("/proc/meminfo")
	if err != nil {
		return math.MaxInt
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var kib int
		if n, _ := fmt.Sscanf(lines.Text(), "MemAvailable: %d kB", &kib); n == 1 {
			return kib
		}
	}
	return math.MaxInt
}

// affordable returns an error if there is not enough memory to make the hash: the
// process would be killed.
func affordable(scheme string, p hashing.Params) error {
	if have := available(); scheme == "argon2id" && p.Memory > have {
		return fmt.Errorf("hasher_memory %d KiB is more than this machine has to spare, %d KiB", p.Memory, have)
	}
	return nil
}

// acceptable returns an error if the plugin would refuse the hash for its cost,
// which is better said before it is paid.
func acceptable(scheme string, p hashing.Params) error {
	limits := hashing.DefaultLimits()
	for _, x := range []struct {
		scheme, option, limit string
		value, max            int
	}{
		{"bcrypt", "hasher_cost", "hash_max_bcrypt_cost", p.Cost, limits.BcryptCost},
		{"pbkdf2", "hasher_iterations", "hash_max_pbkdf2_iterations", p.Iterations, limits.PBKDF2Iterations},
		{"argon2id", "hasher_iterations", "hash_max_argon2_time", p.Iterations, limits.Argon2Time},
		{"argon2id", "hasher_memory", "hash_max_argon2_memory", p.Memory, limits.Argon2Memory},
	} {
		if x.scheme == scheme && x.value > x.max {
			return fmt.Errorf("%s %d: the plugin refuses more than %d unless its option %s is raised; --any_cost makes the hash nevertheless",
				x.option, x.value, x.max, x.limit)
		}
	}
	return nil
}
