package hashing

import (
	"crypto/sha512"
	"encoding/base64"
	"strings"
)

// The formats of Mosquitto's own password files, which mosquitto_passwd writes
// (src/password_mosq.c of 2.0, libcommon/password_common.c of 2.1). Salts have
// 12 bytes up to Mosquitto 2.0, 12 or 64 since.

// parseMosquittoSHA512 reads $6$SALT$KEY, the default up to Mosquitto 1.6. The
// crypt(3) of most systems writes sha-crypt with the same $6$, which is told
// apart by its parameter and by the 86 characters of its key.
func parseMosquittoSHA512(text string, salt SaltEncoding, limits Limits) (Hash, error) {
	fields := strings.Split(text, "$")
	if strings.HasPrefix(fields[2], "rounds=") || len(fields[len(fields)-1]) == 86 {
		return parseSHACrypt(text, salt, limits)
	}
	if len(fields) != 4 {
		return Hash{}, malformed(schemeMosquittoSHA512, "it does not have the form $6$SALT$KEY")
	}
	return newMosquitto(schemeMosquittoSHA512, saltedSHA512{}, fields[2], fields[3])
}

// parseMosquittoPBKDF2 reads $7$ITERATIONS$SALT$KEY, the default since
// Mosquitto 2.0. The crypt(3) of some systems writes scrypt with the same $7$,
// which has a field less.
func parseMosquittoPBKDF2(text string, _ SaltEncoding, limits Limits) (Hash, error) {
	fields := strings.Split(text, "$")
	if len(fields) == 4 && len(fields[3]) == 43 {
		return parseScryptCrypt(text, limits)
	}
	if len(fields) != 5 {
		return Hash{}, malformed(schemeMosquittoPBKDF2, "it does not have the form $7$ITERATIONS$SALT$KEY")
	}
	k := pbkdf2KDF{digest: "sha512", iterations: count(fields[2])}
	if err := k.check(schemeMosquittoPBKDF2, sha512.Size, limits); err != nil {
		return Hash{}, err
	}
	return newMosquitto(schemeMosquittoPBKDF2, k, fields[3], fields[4])
}

func newMosquitto(scheme string, k kdf, salt, key string) (Hash, error) {
	s, b, fault := saltAndKey(base64.StdEncoding, salt, key)
	if fault != "" {
		return Hash{}, malformed(scheme, fault)
	}
	if len(s) != 12 && len(s) != 64 {
		return Hash{}, malformed(scheme, "the salt has neither 12 nor 64 bytes")
	}
	if len(b) != sha512.Size {
		return Hash{}, malformed(scheme, "the key does not have 64 bytes")
	}
	return newHash(scheme, derivation{kdf: k, salts: [][]byte{s}, key: b}), nil
}

// saltedSHA512 is one round of SHA-512 over the password and then the salt.
type saltedSHA512 struct{}

func (saltedSHA512) derive(password string, salt []byte, length int) []byte {
	h := sha512.New()
	h.Write([]byte(password))
	h.Write(salt)
	return h.Sum(nil)[:length]
}

func (saltedSHA512) describe() string { return "1 round" }
