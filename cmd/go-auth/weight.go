package main

import (
	"errors"
	"fmt"
	"math"
	"time"

	"mosquitto-go-auth/hashing"
)

// noLimits let every hash be understood, whatever it costs.
func noLimits() hashing.Limits {
	return hashing.Limits{BcryptCost: math.MaxInt, PBKDF2Iterations: math.MaxInt, Argon2Memory: math.MaxInt,
		Argon2Time: math.MaxInt, ScryptMemory: math.MaxInt, SHACryptRounds: math.MaxInt}
}

// memoryLimits let every hash be verified for which there is the memory.
func memoryLimits() hashing.Limits {
	l := noLimits()
	l.Argon2Memory = available()
	l.ScryptMemory = l.Argon2Memory
	return l
}

// saltEncodings are the values of the option hasher_salt_encoding.
var saltEncodings = map[string]hashing.SaltEncoding{
	"both": hashing.SaltAny, "base64": hashing.SaltBase64, "utf-8": hashing.SaltText}

// saltEncoding is the value of a flag.
type saltEncoding struct{ hashing.SaltEncoding }

func (e *saltEncoding) String() string { return "" }

func (e *saltEncoding) Set(text string) (err error) {
	var ok bool
	if e.SaltEncoding, ok = saltEncodings[text]; !ok {
		err = errors.New("it must be both, base64 or utf-8")
	}
	return err
}

// milliseconds is a time as it is shown.
func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
}

// weigh tells how long one login takes: the shortest of some tries, which others
// on this machine disturbed the least.
func weigh(h hashing.Hash, password string) (took time.Duration, matches bool) {
	const tries, enough = 5, 150 * time.Millisecond
	begin := time.Now()
	for i := 0; i < tries && (i == 0 || time.Since(begin) < enough); i++ {
		start := time.Now()
		matches = h.Verify(password)
		if d := time.Since(start); i == 0 || d < took {
			took = d
		}
	}
	return took, matches
}
