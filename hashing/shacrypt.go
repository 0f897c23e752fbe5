package hashing

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"hash"
	"strings"
)

const (
	shaCryptRounds    = 5000 // where none are said
	shaCryptMinRounds = 1000
	shaCryptMaxRounds = 999_999_999
	shaCryptSalt      = 16 // bytes, at most

	// shaCryptPassword is the length in bytes of the longest password. Each round
	// hashes all of it, and before them its square, so that a client could keep a
	// processor busy with one of 65535 bytes. libxcrypt has the same bound.
	shaCryptPassword = 511
)

// parseSHACrypt reads $5$SALT$KEY or $6$SALT$KEY with rounds=N$ before the salt
// or without, of Ulrich Drepper's "Unix crypt using SHA-256 and SHA-512", which
// crypt(3) of most systems writes.
func parseSHACrypt(text string, _ SaltEncoding, limits Limits) (Hash, error) {
	k := shaCryptKDF{wide: text[1] == '6', rounds: shaCryptRounds}
	scheme := k.scheme()
	fields := strings.Split(text[len("$5$"):], "$")
	if said, ok := strings.CutPrefix(fields[0], "rounds="); ok {
		k.rounds = count(said)
		if k.rounds < shaCryptMinRounds || k.rounds > shaCryptMaxRounds || said[0] == '0' {
			return Hash{}, malformed(scheme, "the rounds are not a number from 1000 to 999999999")
		}
		fields = fields[1:]
	}
	if len(fields) != 2 {
		return Hash{}, malformed(scheme, "it does not have the form "+text[:3]+"SALT$KEY or "+text[:3]+"rounds=ROUNDS$SALT$KEY")
	}
	if len(fields[0]) > shaCryptSalt {
		return Hash{}, malformed(scheme, "the salt is longer than 16 bytes")
	}
	key, ok := k.decodeKey(fields[1])
	if !ok {
		return Hash{}, malformed(scheme, "the key is not crypt's base64 of the digest")
	}
	if err := within(scheme, "more rounds", k.rounds, limits.SHACryptRounds, "hash_max_shacrypt_rounds"); err != nil {
		return Hash{}, err
	}
	return newHash(scheme, derivation{kdf: k, salts: [][]byte{[]byte(fields[0])}, key: key}), nil
}

// shaCryptKDF is sha-crypt.
type shaCryptKDF struct {
	wide   bool // SHA-512, else SHA-256
	rounds int
}

func (k shaCryptKDF) scheme() string {
	if k.wide {
		return schemeSHA512Crypt
	}
	return schemeSHA256Crypt
}

func (k shaCryptKDF) digest() hash.Hash {
	if k.wide {
		return sha512.New()
	}
	return sha256.New()
}

func (k shaCryptKDF) describe() string { return fmt.Sprintf("%d rounds", k.rounds) }

// decodeKey puts the bytes of the digest, which are stored three at a time and
// each time in another order, back in their places.
func (k shaCryptKDF) decodeKey(text string) (key []byte, ok bool) {
	size := k.digest().Size()
	stored, ok := decodeCrypt(text)
	if !ok || len(stored) != size {
		return nil, false
	}
	third, turn := size/3, 2 // which of the three columns comes first, turns
	if k.wide {
		turn = 1
	}
	key = make([]byte, size)
	for row := range third {
		for i := range 3 {
			column := (i + turn*row) % 3
			key[row+column*third] = stored[3*row+2-i]
		}
	}
	copy(key[3*third:], stored[3*third:])
	return key, true
}

// derive returns nil, which equals no key, for a password that is too long.
func (k shaCryptKDF) derive(password string, salt []byte, length int) []byte {
	if len(password) > shaCryptPassword {
		return nil
	}
	h, p := k.digest(), []byte(password)
	sum := func(parts ...[]byte) []byte {
		h.Reset()
		for _, part := range parts {
			h.Write(part)
		}
		return h.Sum(nil)
	}
	state := k.first(sum, p, salt)
	pp := stretch(sum(bytes.Repeat(p, len(p))), len(p))
	ss := stretch(sum(bytes.Repeat(salt, 16+int(state[0]))), len(salt))
	for i := range k.rounds {
		h.Reset()
		if i%2 == 1 {
			h.Write(pp)
		} else {
			h.Write(state)
		}
		if i%3 != 0 {
			h.Write(ss)
		}
		if i%7 != 0 {
			h.Write(pp)
		}
		if i%2 == 1 {
			h.Write(state)
		} else {
			h.Write(pp)
		}
		state = h.Sum(state[:0])
	}
	return state[:length]
}

// first is what the rounds begin with, "digest A" of the specification.
func (k shaCryptKDF) first(sum func(...[]byte) []byte, p, salt []byte) []byte {
	b := sum(p, salt, p)
	parts := [][]byte{p, salt, stretch(b, len(p))}
	for n := len(p); n > 0; n >>= 1 {
		if n&1 == 1 {
			parts = append(parts, b)
		} else {
			parts = append(parts, p)
		}
	}
	return sum(parts...)
}

// stretch repeats b up to a length.
func stretch(b []byte, length int) []byte {
	return bytes.Repeat(b, length/len(b)+1)[:length]
}
