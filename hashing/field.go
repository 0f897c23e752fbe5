package hashing

import (
	"encoding/base64"
	"strconv"
	"strings"
)

// minKey is the length in bytes of the shortest key that is accepted. With a
// shorter one, chance would find passwords; with none, every password matched
// in the predecessor mosquitto-go-auth.
const minKey = 16

// decode reads base64. Unlike the standard library it does not skip line
// breaks. The result is never empty.
func decode(encoding *base64.Encoding, text string) ([]byte, bool) {
	if strings.ContainsAny(text, "\r\n") {
		return nil, false
	}
	b, err := encoding.DecodeString(text)
	return b, err == nil && len(b) > 0
}

// saltAndKey decodes both, and returns what is wrong with them, "" if nothing.
func saltAndKey(encoding *base64.Encoding, salt, key string) (s, k []byte, fault string) {
	s, ok := decode(encoding, salt)
	if !ok {
		return nil, nil, "the salt is empty or not base64"
	}
	k, fault = decodeKey(encoding, key)
	return s, k, fault
}

func decodeKey(encoding *base64.Encoding, text string) (key []byte, fault string) {
	key, ok := decode(encoding, text)
	if !ok {
		return nil, "the key is empty or not base64"
	}
	if len(key) < minKey {
		return nil, "the key is shorter than 16 bytes"
	}
	return key, ""
}

// maxCount is the largest number that count reads.
const maxCount = 1<<31 - 1

// count reads a whole number from 1 to maxCount, digits only; everything else
// is 0.
func count(text string) int {
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return 0
	}
	return int(n)
}

// parameters reads "a=1,b=2" with exactly these names in this order, as the PHC
// string format has them.
func parameters(text string, names ...string) ([]int, bool) {
	parts := strings.Split(text, ",")
	if len(parts) != len(names) {
		return nil, false
	}
	values := make([]int, len(names))
	for i, part := range parts {
		value, named := strings.CutPrefix(part, names[i]+"=")
		values[i] = count(value)
		if !named || values[i] == 0 {
			return nil, false
		}
	}
	return values, true
}
