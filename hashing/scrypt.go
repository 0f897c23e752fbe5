package hashing

import (
	"encoding/base64"
	"fmt"
	"math"
	"math/bits"
	"strings"

	"golang.org/x/crypto/scrypt"
)

// parseScrypt reads $scrypt$ln=LOG2N,r=R,p=P$SALT$KEY, the PHC string format in
// unpadded base64, which passlib writes.
func parseScrypt(text string, _ SaltEncoding, limits Limits) (Hash, error) {
	fields := strings.Split(text, "$")
	if len(fields) != 5 {
		return Hash{}, malformed(schemeScrypt, "it does not have the form $scrypt$ln=LOG2N,r=R,p=P$SALT$KEY")
	}
	values, ok := parameters(fields[2], "ln", "r", "p")
	if !ok {
		return Hash{}, malformed(schemeScrypt, "the parameters are not ln=LOG2N,r=R,p=P")
	}
	salt, key, fault := saltAndKey(base64.RawStdEncoding, fields[3], fields[4])
	if fault != "" {
		return Hash{}, malformed(schemeScrypt, fault)
	}
	return newScrypt(scryptKDF{values[0], values[1], values[2]}, salt, key, limits)
}

// parseScryptDjango reads scrypt$N$SALT$R$P$KEY of Django
// (django/contrib/auth/hashers.py). The salt is its text.
func parseScryptDjango(text string, _ SaltEncoding, limits Limits) (Hash, error) {
	fields := strings.Split(text, "$")
	if len(fields) != 6 || fields[2] == "" {
		return Hash{}, malformed(schemeScrypt, "it does not have the form scrypt$N$SALT$R$P$KEY")
	}
	key, fault := decodeKey(base64.StdEncoding, fields[5])
	if fault != "" {
		return Hash{}, malformed(schemeScrypt, fault)
	}
	n := count(fields[1])
	if bits.OnesCount(uint(n)) != 1 {
		return Hash{}, malformed(schemeScrypt, "N is no power of two")
	}
	return newScrypt(scryptKDF{bits.Len(uint(n)) - 1, count(fields[3]), count(fields[4])}, []byte(fields[2]), key, limits)
}

// parseScryptCrypt reads $7$ with a character for N, five for R, five for P and
// then SALT$KEY, which crypt(3) of libxcrypt writes. The salt is its text.
func parseScryptCrypt(text string, limits Limits) (Hash, error) {
	const head = len("$7$") + 1 + 5 + 5
	rest, keyText, _ := strings.Cut(text[min(head, len(text)):], "$")
	key, ok := decodeCrypt(keyText)
	if !ok || len(key) != 32 || rest == "" {
		return Hash{}, malformed(schemeScrypt, "it does not have the form $7$, 11 characters of parameters, SALT$KEY")
	}
	k := scryptKDF{numberCrypt(text[3:4]), numberCrypt(text[4:9]), numberCrypt(text[9:14])}
	return newScrypt(k, []byte(rest), key, limits)
}

func newScrypt(k scryptKDF, salt, key []byte, limits Limits) (Hash, error) {
	if k.logN < 1 || k.logN > 62 || k.r < 1 || k.p < 1 || k.r > math.MaxInt32/k.p/2 {
		return Hash{}, malformed(schemeScrypt, "N, r and p are not within the bounds of RFC 7914")
	}
	limit := min(limits.ScryptMemory, math.MaxInt/1024) // a Hash counts bytes in an int
	if err := within(schemeScrypt, "more memory", k.cost(), limit, "hash_max_scrypt_memory"); err != nil {
		return Hash{}, err
	}
	h := newHash(schemeScrypt, derivation{kdf: k, salts: [][]byte{salt}, key: key})
	h.memory = 128 * k.r * (1<<k.logN + k.p)
	return h, nil
}

// scryptKDF is scrypt of RFC 7914.
type scryptKDF struct{ logN, r, p int }

// cost is the memory in KiB, rounded up, counted once for each p, which use it
// one after the other.
func (k scryptKDF) cost() int {
	kib := math.Ceil(math.Ldexp(float64(k.r)*float64(k.p), k.logN) / 8)
	if kib >= math.MaxInt {
		return math.MaxInt
	}
	return int(kib)
}

func (k scryptKDF) describe() string {
	return fmt.Sprintf("N = 2^%d, r = %d, p = %d", k.logN, k.r, k.p)
}

// derive returns nil, which equals no key, if the library refuses the parameters.
func (k scryptKDF) derive(password string, salt []byte, length int) []byte {
	key, _ := scrypt.Key([]byte(password), salt, 1<<k.logN, k.r, k.p, length)
	return key
}
