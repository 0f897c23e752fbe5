package hashing

import (
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"hash"
	"strings"
)

// SaltEncoding tells how the salt of a classic PBKDF2 hash is to be read, which
// its text does not tell. It is the option hasher_salt_encoding.
type SaltEncoding uint8

const (
	SaltAny    SaltEncoding = iota // both readings are tried, or the text alone if it is not base64
	SaltBase64                     // "base64": the bytes that the text encodes; mosquitto-go-auth's default
	SaltText                       // "utf-8": the bytes of the text itself; mosquitto-auth-plug's only reading
)

// readings returns the salts that the text may stand for, none if it cannot be
// read so.
func (e SaltEncoding) readings(text string) [][]byte {
	decoded, ok := decode(base64.StdEncoding, text)
	switch {
	case e == SaltText, e == SaltAny && !ok:
		return [][]byte{[]byte(text)}
	case !ok:
		return nil
	case e == SaltBase64:
		return [][]byte{decoded}
	}
	return [][]byte{decoded, []byte(text)}
}

// parseClassic reads PBKDF2$DIGEST$ITERATIONS$SALT$KEY, the form of both
// predecessors: mosquitto-go-auth (hashing/pbkdf2.go, pw) and
// mosquitto-auth-plug (pbkdf2-check.c, np). Empty fields are skipped, as
// mosquitto-go-auth did. Its raw "utf-8" salts may hold a $, and such hashes
// never verified.
//
// Neither predecessor minded the word for the digest: what it did not know was
// sha512 to the one and sha256 to the other. Such a word is refused here.
func parseClassic(text string, salt SaltEncoding, limits Limits) (Hash, error) {
	fields := strings.FieldsFunc(text, func(r rune) bool { return r == '$' })
	if len(fields) != 5 {
		return Hash{}, malformed(schemePBKDF2, "it does not have the form PBKDF2$DIGEST$ITERATIONS$SALT$KEY")
	}
	salts := salt.readings(fields[3])
	if len(salts) == 0 {
		return Hash{}, malformed(schemePBKDF2, "the salt is not base64, though hasher_salt_encoding says so")
	}
	key, fault := decodeKey(base64.StdEncoding, fields[4])
	if fault != "" {
		return Hash{}, malformed(schemePBKDF2, fault)
	}
	return newPBKDF2(fields[1], count(fields[2]), salts, key, limits)
}

// parsePHC reads $pbkdf2-DIGEST$i=ITERATIONS,l=LENGTH$SALT$KEY, the PHC string
// format in unpadded base64, which mosquitto-go-auth verified for sha512, and
// what passlib writes under the same name:
// $pbkdf2-DIGEST$ITERATIONS$SALT$KEY, with a dot for the plus of base64, and
// $pbkdf2$ for sha1.
func parsePHC(text string, _ SaltEncoding, limits Limits) (Hash, error) {
	fields := strings.Split(text, "$")
	if len(fields) != 5 {
		return Hash{}, malformed(schemePBKDF2, "it does not have the form $pbkdf2-DIGEST$PARAMETERS$SALT$KEY")
	}
	name, params := fields[1], fields[2]
	if !strings.Contains(params, "=") {
		return newPasslib(name, count(params), fields[3], fields[4], limits)
	}
	salt, key, fault := saltAndKey(base64.RawStdEncoding, fields[3], fields[4])
	if fault != "" {
		return Hash{}, malformed(schemePBKDF2, fault)
	}
	values, ok := parameters(params, "i", "l")
	if !ok || values[1] != len(key) {
		return Hash{}, malformed(schemePBKDF2, "the parameters are not i=ITERATIONS,l=LENGTH OF THE KEY")
	}
	return newPBKDF2(strings.TrimPrefix(name, "pbkdf2-"), values[0], [][]byte{salt}, key, limits)
}

// newPasslib takes the fields of passlib.hash.pbkdf2_sha1, _sha256 and _sha512.
func newPasslib(name string, iterations int, salt, key string, limits Limits) (Hash, error) {
	digest := "sha1"
	if name != "pbkdf2" {
		digest = strings.TrimPrefix(name, "pbkdf2-")
	}
	plus := strings.NewReplacer(".", "+")
	s, k, fault := saltAndKey(base64.RawStdEncoding, plus.Replace(salt), plus.Replace(key))
	if fault != "" {
		return Hash{}, malformed(schemePBKDF2, fault)
	}
	return newPBKDF2(digest, iterations, [][]byte{s}, k, limits)
}

// parseDjango reads pbkdf2_sha256$ITERATIONS$SALT$KEY of Django
// (django/contrib/auth/hashers.py), which mosquitto-auth-plug could be built
// to verify. The salt is its text.
func parseDjango(text string, _ SaltEncoding, limits Limits) (Hash, error) {
	fields := strings.Split(text, "$")
	if len(fields) != 4 || fields[2] == "" {
		return Hash{}, malformed(schemePBKDF2, "it does not have the form pbkdf2_DIGEST$ITERATIONS$SALT$KEY")
	}
	key, fault := decodeKey(base64.StdEncoding, fields[3])
	if fault != "" {
		return Hash{}, malformed(schemePBKDF2, fault)
	}
	return newPBKDF2(strings.TrimPrefix(fields[0], "pbkdf2_"), count(fields[1]), SaltText.readings(fields[2]), key, limits)
}

func newPBKDF2(digest string, iterations int, salts [][]byte, key []byte, limits Limits) (Hash, error) {
	if digestOf(digest) == nil {
		return Hash{}, malformed(schemePBKDF2, "the digest is none of sha1, sha256 and sha512")
	}
	scheme := schemePBKDF2 + "-" + digest
	k := pbkdf2KDF{digest: digest, iterations: iterations}
	if err := k.check(scheme, len(key), limits); err != nil {
		return Hash{}, err
	}
	return newHash(scheme, derivation{kdf: k, salts: salts, key: key}), nil
}

// pbkdf2KDF is PBKDF2 of RFC 8018 with HMAC.
type pbkdf2KDF struct {
	digest     string
	iterations int
}

func digestOf(name string) func() hash.Hash {
	switch name {
	case "sha1":
		return sha1.New
	case "sha256":
		return sha256.New
	case "sha512":
		return sha512.New
	}
	return nil
}

func (k pbkdf2KDF) describe() string { return fmt.Sprintf("%s, %d iterations", k.digest, k.iterations) }

// derive returns nil, which equals no key, if Go's FIPS 140 mode forbids the
// parameters.
func (k pbkdf2KDF) derive(password string, salt []byte, length int) []byte {
	key, _ := pbkdf2.Key(digestOf(k.digest), password, salt, k.iterations, length)
	return key
}

// check holds the iterations against the limit. All of them are done anew for
// every further block of a key that is longer than the digest.
func (k pbkdf2KDF) check(scheme string, length int, limits Limits) error {
	if k.iterations == 0 {
		return malformed(scheme, "the iterations are not a number from 1 to 2147483647")
	}
	size := digestOf(k.digest)().Size()
	blocks := (length + size - 1) / size
	return within(scheme, "more iterations", k.iterations, limits.PBKDF2Iterations/blocks, "hash_max_pbkdf2_iterations")
}
