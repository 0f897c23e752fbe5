package hashing

import (
	"crypto/rand"
	"crypto/subtle"
	"fmt"
)

// kdf derives keys from passwords. Implementations are comparable values that
// hold the parameters.
type kdf interface {
	derive(password string, salt []byte, length int) []byte
	describe() string
}

// derivation is the proof of all schemes that store a salt and a derived key.
type derivation struct {
	kdf   kdf
	salts [][]byte // the possible readings of the salt, the likelier first
	key   []byte   // at least minKey bytes
}

func (d derivation) matches(password string) bool {
	for _, salt := range d.salts {
		derived := d.kdf.derive(password, salt, len(d.key))
		if subtle.ConstantTimeCompare(derived, d.key) == 1 {
			return true
		}
	}
	return false
}

func (d derivation) random() proof {
	salts := make([][]byte, len(d.salts))
	for i, salt := range d.salts {
		salts[i] = randomBytes(len(salt))
	}
	return derivation{kdf: d.kdf, salts: salts, key: randomBytes(len(d.key))}
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // documented to return no error
	return b
}

func (d derivation) describe() string {
	text := fmt.Sprintf("%s, %d bytes of salt, %d of key", d.kdf.describe(), len(d.salts[0]), len(d.key))
	if len(d.salts) > 1 {
		text += "; both readings of the salt are tried, see hasher_salt_encoding"
	}
	return text
}
