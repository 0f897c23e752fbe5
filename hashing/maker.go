package hashing

import (
	"encoding/base64"
	"errors"
	"fmt"

	"golang.org/x/crypto/bcrypt"
)

// Maker makes stored hashes of one scheme. It is safe for concurrent use.
type Maker interface {
	// Make returns a hash of the password, as [Parse] reads it, with a random
	// salt. An empty password is an error; for bcrypt, so is one of more than
	// 72 bytes, of which the rest would not count.
	Make(password string) (string, error)
}

// Params are the costs and lengths of new hashes. Those that are 0 or "" are
// chosen; those that the scheme does not have are ignored.
type Params struct {
	Cost        int    // bcrypt: 4 to 31; chosen: 10
	Algorithm   string // pbkdf2: sha1, sha256 or sha512; chosen: sha512
	Iterations  int    // pbkdf2: chosen: 210000, 600000 for sha256, 1300000 for sha1 (OWASP); argon2id, passes: 2
	Memory      int    // argon2id, KiB, at least 8 for a lane; chosen: 19456 (OWASP)
	Parallelism int    // argon2id, lanes, 1 to 255; chosen: 1
	SaltSize    int    // pbkdf2 and argon2id, bytes, 8 to 64; chosen: 16
	KeyLength   int    // pbkdf2 and argon2id, bytes, 16 to 128; chosen: as the digest, 32 for argon2id
	SaltText    bool   // pbkdf2: the salt is its text, as SaltText reads it, not the bytes that this encodes
}

// New returns a maker for "bcrypt", "pbkdf2" (in the classic form of
// mosquitto-go-auth) or "argon2id". An error names the
// parameter by its option, hasher_cost and so on. What is made may cost more than
// [Limits] allow to verify.
func New(scheme string, p Params) (Maker, error) {
	switch scheme {
	case schemeBcrypt:
		return newBcryptMaker(p)
	case schemePBKDF2:
		return newPBKDF2Maker(p)
	case schemeArgon2id:
		return newArgon2Maker(p)
	}
	return nil, errors.New("a new hash can be bcrypt, pbkdf2 or argon2id")
}

var errEmpty = errors.New("an empty password is not hashed")

// choose sets a parameter that is not given.
func choose[T comparable](p *T, value T) {
	var zero T
	if *p == zero {
		*p = value
	}
}

// bounds is a parameter and the range it must be in.
type bounds struct {
	option          string
	value, min, max int
}

func inside(all ...bounds) error {
	for _, b := range all {
		if b.value < b.min || b.value > b.max {
			return fmt.Errorf("%s must be from %d to %d", b.option, b.min, b.max)
		}
	}
	return nil
}

// derived checks what all schemes with a derived key have, and more.
func derived(p Params, more ...bounds) error {
	return inside(append(more,
		bounds{"hasher_iterations", p.Iterations, 1, maxCount},
		bounds{"hasher_salt_size", p.SaltSize, 8, 64},
		bounds{"hasher_keylen", p.KeyLength, minKey, 128})...)
}

type bcryptMaker struct{ cost int }

func newBcryptMaker(p Params) (Maker, error) {
	choose(&p.Cost, bcrypt.DefaultCost)
	if err := inside(bounds{"hasher_cost", p.Cost, bcrypt.MinCost, bcrypt.MaxCost}); err != nil {
		return nil, err
	}
	return bcryptMaker{p.Cost}, nil
}

func (m bcryptMaker) Make(password string) (string, error) {
	if password == "" {
		return "", errEmpty
	}
	b, err := bcrypt.GenerateFromPassword([]byte(password), m.cost)
	if errors.Is(err, bcrypt.ErrPasswordTooLong) {
		return "", errors.New("bcrypt uses only the first 72 bytes of a password, and this one is longer")
	}
	if err != nil {
		return "", fmt.Errorf("hashing with bcrypt: %w", err)
	}
	return string(b), nil
}

type pbkdf2Maker struct {
	kdf              pbkdf2KDF
	saltSize, length int
	saltText         bool
}

func newPBKDF2Maker(p Params) (Maker, error) {
	choose(&p.Algorithm, "sha512")
	// OWASP Password Storage Cheat Sheet.
	iterations := map[string]int{"sha1": 1_300_000, "sha256": 600_000, "sha512": 210_000}
	keyLength := map[string]int{"sha1": 20, "sha256": 32, "sha512": 64}
	if iterations[p.Algorithm] == 0 {
		return nil, errors.New("hasher_algorithm must be sha1, sha256 or sha512")
	}
	choose(&p.Iterations, iterations[p.Algorithm])
	choose(&p.KeyLength, keyLength[p.Algorithm])
	choose(&p.SaltSize, 16)
	if err := derived(p); err != nil {
		return nil, err
	}
	return pbkdf2Maker{pbkdf2KDF{p.Algorithm, p.Iterations}, p.SaltSize, p.KeyLength, p.SaltText}, nil
}

func (m pbkdf2Maker) Make(password string) (string, error) {
	if password == "" {
		return "", errEmpty
	}
	salt := randomBytes(m.saltSize)
	text := base64.StdEncoding.EncodeToString(salt)
	if m.saltText {
		salt = []byte(text)
	}
	key := m.kdf.derive(password, salt, m.length)
	if key == nil {
		return "", errors.New("pbkdf2: the parameters are forbidden in FIPS 140 mode")
	}
	return fmt.Sprintf("PBKDF2$%s$%d$%s$%s", m.kdf.digest, m.kdf.iterations,
		text, base64.StdEncoding.EncodeToString(key)), nil
}

type argon2Maker struct {
	kdf              argon2KDF
	saltSize, length int
}

func newArgon2Maker(p Params) (Maker, error) {
	// OWASP Password Storage Cheat Sheet.
	choose(&p.Memory, 19456)
	choose(&p.Iterations, 2)
	choose(&p.Parallelism, 1)
	choose(&p.SaltSize, 16)
	choose(&p.KeyLength, 32)
	err := derived(p,
		bounds{"hasher_parallelism", p.Parallelism, 1, maxLanes},
		bounds{"hasher_memory", p.Memory, 8 * p.Parallelism, maxCount})
	if err != nil {
		return nil, err
	}
	return argon2Maker{argon2KDF{memory: p.Memory, time: p.Iterations, lanes: p.Parallelism}, p.SaltSize, p.KeyLength}, nil
}

func (m argon2Maker) Make(password string) (string, error) {
	if password == "" {
		return "", errEmpty
	}
	salt := randomBytes(m.saltSize)
	key := m.kdf.derive(password, salt, m.length)
	return fmt.Sprintf("$argon2id$v=19$m=%d,t=%d,p=%d$%s$%s", m.kdf.memory, m.kdf.time, m.kdf.lanes,
		base64.RawStdEncoding.EncodeToString(salt), base64.RawStdEncoding.EncodeToString(key)), nil
}
