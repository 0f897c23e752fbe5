package hashing

import "strings"

// crypt64 is the alphabet of crypt(3).
const crypt64 = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// decodeCrypt reads crypt(3)'s base64, in which the first character has the
// lowest bits. Bits behind the last byte must be 0.
func decodeCrypt(text string) (b []byte, ok bool) {
	var bits, held uint32
	for _, c := range []byte(text) {
		value := strings.IndexByte(crypt64, c)
		if value < 0 {
			return nil, false
		}
		bits |= uint32(value) << held
		if held += 6; held >= 8 {
			b, bits, held = append(b, byte(bits)), bits>>8, held-8
		}
	}
	return b, bits == 0 && held < 6
}

// numberCrypt reads a number of up to 31 bits in the same way, lowest digit first;
// everything else is 0.
func numberCrypt(text string) int {
	n := 0
	for i, c := range []byte(text) {
		value := strings.IndexByte(crypt64, c)
		if value < 0 || i > 4 {
			return 0
		}
		n |= value << (6 * i)
	}
	return n
}
