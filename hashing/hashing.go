// Package hashing recognises stored password hashes by their shape, verifies
// passwords against them and makes new ones.
//
// A stored hash comes from a database that others write to. It is data to be
// distrusted: whatever it holds, [Parse] answers with a [Hash] or an error, a
// Hash matches no password but the right one, and neither costs more than
// [Limits] allow.
package hashing

import (
	"fmt"
	"io"
	"strings"
)

// The schemes, as Hash.Scheme and the errors name them.
const (
	schemeBcrypt          = "bcrypt"
	schemePBKDF2          = "pbkdf2" // in full with the digest: "pbkdf2-sha512"
	schemeArgon2id        = "argon2id"
	schemeArgon2i         = "argon2i"
	schemeScrypt          = "scrypt"
	schemeSHA256Crypt     = "sha256-crypt"
	schemeSHA512Crypt     = "sha512-crypt"
	schemeSCRAM           = "scram-sha-256"
	schemeMosquittoSHA512 = "mosquitto-sha512"
	schemeMosquittoPBKDF2 = "mosquitto-pbkdf2"
)

// maxText is the length in bytes of the longest stored hash that is looked at.
// The longest in use have about 200.
const maxText = 1024

// format is one way to write a hash down. Which one a text is in, its
// beginning tells.
type format struct {
	prefix string
	scheme string
	parse  func(text string, salt SaltEncoding, limits Limits) (Hash, error)
}

var formats = [...]format{
	{"$2a$", schemeBcrypt, parseBcrypt},
	{"$2b$", schemeBcrypt, parseBcrypt},
	{"$2y$", schemeBcrypt, parseBcrypt},
	{"$2$", schemeBcrypt, parseBcrypt},
	{"PBKDF2$", schemePBKDF2, parseClassic},
	{"$PBKDF2$", schemePBKDF2, parseClassic},
	{"$pbkdf2-sha512$", schemePBKDF2, parsePHC},
	{"$pbkdf2-sha256$", schemePBKDF2, parsePHC},
	{"$pbkdf2-sha1$", schemePBKDF2, parsePHC},
	{"$pbkdf2$", schemePBKDF2, parsePHC},
	{"pbkdf2_sha256$", schemePBKDF2, parseDjango},
	{"pbkdf2_sha1$", schemePBKDF2, parseDjango},
	{"$argon2id$", schemeArgon2id, parseArgon2},
	{"$argon2i$", schemeArgon2i, parseArgon2},
	{"$scrypt$", schemeScrypt, parseScrypt},
	{"scrypt$", schemeScrypt, parseScryptDjango},
	{"$5$", schemeSHA256Crypt, parseSHACrypt},
	{"$6$", schemeMosquittoSHA512, parseMosquittoSHA512}, // or sha512-crypt
	{"$7$", schemeMosquittoPBKDF2, parseMosquittoPBKDF2}, // or scrypt
	{"SCRAM-SHA-256$", schemeSCRAM, parseSCRAM},
}

// framed are formats of which Django writes a word before what others write.
var framed = [...]struct{ word, inner string }{
	{"argon2", "$argon2"},
	{"bcrypt$", "$2"},
}

func unframed(text string) string {
	for _, f := range framed {
		if inner, ok := strings.CutPrefix(text, f.word); ok && strings.HasPrefix(inner, f.inner) {
			return inner
		}
	}
	return text
}

// Parse recognises a stored hash by its shape, whatever any option says of
// hashers. salt tells how to read the salt of a classic PBKDF2 hash; the other
// formats leave no choice. White space behind the hash is ignored: CHAR columns
// and files bring it along.
//
// The error is [ErrUnknown], or a [Refusal], which wraps [ErrUnsupported],
// [ErrMalformed] or [ErrTooCostly]. Its text holds nothing of the stored text but
// the name of the scheme.
func Parse(stored string, salt SaltEncoding, limits Limits) (Hash, error) {
	text := unframed(strings.TrimRight(stored, " \t\r\n"))
	for _, f := range formats {
		if !strings.HasPrefix(text, f.prefix) {
			continue
		}
		if len(text) > maxText {
			return Hash{}, malformed(f.scheme, "it is longer than any hash")
		}
		if strings.IndexByte(text, 0) >= 0 {
			return Hash{}, malformed(f.scheme, "it holds a NUL byte")
		}
		return f.parse(text, salt, limits)
	}
	return Hash{}, refuse(text)
}

// Hash is a stored hash that was understood. It is immutable, and safe for
// concurrent use. The zero Hash matches no password.
type Hash struct {
	scheme string
	memory int // bytes
	lanes  int
	decoy  bool

	// proof is a function because fmt looks into everything else, in places
	// where it does not call Format.
	proof func() proof
}

func newHash(scheme string, p proof) Hash {
	return Hash{scheme: scheme, proof: func() proof { return p }}
}

// proof is what a password is compared with.
type proof interface {
	// matches takes the same time for every wrong password of a length.
	matches(password string) bool
	// random returns a proof of the same parameters and lengths with random
	// contents.
	random() proof
	// describe tells the parameters.
	describe() string
}

// Verify tells whether the password, taken byte for byte, is the one that was
// hashed. Every wrong password of a length costs the same time.
//
// bcrypt sees only the first 72 bytes of a password, here as in the
// predecessors. sha-crypt refuses one of more than 511 bytes. A password that holds a NUL byte is not cut off there, as
// Mosquitto and C libraries do.
func (h Hash) Verify(password string) bool {
	if h.proof == nil {
		return false
	}
	return h.proof().matches(password) && !h.decoy
}

// Scheme names the kind of hash: "bcrypt", "pbkdf2-sha1", "pbkdf2-sha256",
// "pbkdf2-sha512", "argon2id", "argon2i", "scrypt", "sha256-crypt", "sha512-crypt",
// "scram-sha-256", "mosquitto-sha512" or "mosquitto-pbkdf2".
func (h Hash) Scheme() string { return h.scheme }

// Parameters tells an operator what the cost and the lengths are, in one line.
func (h Hash) Parameters() string {
	if h.proof == nil {
		return ""
	}
	return h.proof().describe()
}

// Memory is how many bytes one Verify allocates; 0 stands for little. Only
// argon2 and scrypt need much.
func (h Hash) Memory() int { return h.memory }

// Lanes is how many threads one Verify keeps busy at the same time: the
// parallelism of argon2, 1 for everything else.
func (h Hash) Lanes() int { return max(h.lanes, 1) }

// Decoy returns a hash of the same scheme and parameters with random contents.
// To verify a password against it costs what a wrong password costs with h, and
// never succeeds.
func (h Hash) Decoy() Hash {
	if h.proof == nil {
		return h
	}
	d := newHash(h.scheme, h.proof().random())
	d.memory, d.lanes, d.decoy = h.memory, h.lanes, true
	return d
}

// Format writes the scheme and nothing else, for every verb, so that a Hash
// that ends up in a log gives nothing away.
func (h Hash) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "hashing.Hash("+h.scheme+")") }
