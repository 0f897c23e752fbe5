package hashing

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// parseSCRAM reads SCRAM-SHA-256$ITERATIONS:SALT$STOREDKEY:SERVERKEY, in padded
// base64, as Postgres keeps it in pg_authid.rolpassword (RFC 5803 and
// src/common/scram-common.c).
func parseSCRAM(text string, _ SaltEncoding, limits Limits) (Hash, error) {
	fields := strings.Split(text, "$")
	if len(fields) != 3 {
		return Hash{}, malformed(schemeSCRAM, "it does not have the form SCRAM-SHA-256$ITERATIONS:SALT$STOREDKEY:SERVERKEY")
	}
	iterations, salt, _ := strings.Cut(fields[1], ":")
	stored, server, _ := strings.Cut(fields[2], ":")
	s, key, fault := saltAndKey(base64.StdEncoding, salt, stored)
	if fault != "" {
		return Hash{}, malformed(schemeSCRAM, fault)
	}
	serverKey, ok := decode(base64.StdEncoding, server)
	if !ok || len(key) != sha256.Size || len(serverKey) != sha256.Size {
		return Hash{}, malformed(schemeSCRAM, "the keys do not have 32 bytes each")
	}
	k := scramKDF{pbkdf2KDF{digest: "sha256", iterations: count(iterations)}}
	if err := k.check(schemeSCRAM, sha256.Size, limits); err != nil {
		return Hash{}, err
	}
	return newHash(schemeSCRAM, scramProof{derivation{kdf: k, salts: [][]byte{s}, key: append(key, serverKey...)}}), nil
}

// scramKDF derives the two keys of RFC 5802, StoredKey and ServerKey.
type scramKDF struct{ pbkdf2KDF }

func (k scramKDF) describe() string { return fmt.Sprintf("%d iterations", k.iterations) }

func (k scramKDF) derive(password string, salt []byte, _ int) []byte {
	salted := k.pbkdf2KDF.derive(password, salt, sha256.Size)
	keyed := func(text string) []byte {
		m := hmac.New(sha256.New, salted)
		m.Write([]byte(text))
		return m.Sum(nil)
	}
	if salted == nil {
		return nil
	}
	stored := sha256.Sum256(keyed("Client Key"))
	return append(stored[:], keyed("Server Key")...)
}

// scramProof tries a password as SASLprep changes it, and as it is, which
// Postgres hashes where SASLprep forbids it. Only passwords beyond ASCII differ.
type scramProof struct{ derivation }

func (s scramProof) matches(password string) bool {
	prepared := saslprep(password)
	return s.derivation.matches(prepared) || prepared != password && s.derivation.matches(password)
}

func (s scramProof) random() proof { return scramProof{s.derivation.random().(derivation)} }

// saslprep maps and normalises as RFC 4013 has it. What that forbids is left to
// the second try.
func saslprep(password string) string {
	mapped := strings.Map(func(r rune) rune {
		switch {
		// Table C.1.2 of RFC 3454: spaces.
		case r == 0xA0, r == 0x1680, 0x2000 <= r && r <= 0x200B, r == 0x202F, r == 0x205F, r == 0x3000:
			return ' '
		// Table B.1: commonly mapped to nothing.
		case r == 0xAD, r == 0x34F, r == 0x1806, 0x180B <= r && r <= 0x180D, r == 0x200C, r == 0x200D,
			r == 0x2060, 0xFE00 <= r && r <= 0xFE0F, r == 0xFEFF:
			return -1
		}
		return r
	}, password)
	return norm.NFKC.String(mapped)
}
