package hashing

import (
	"encoding/base64"
	"fmt"
	"math"
	"strings"

	"golang.org/x/crypto/argon2"
)

// maxLanes is how many lanes golang.org/x/crypto/argon2 can compute.
const maxLanes = 255

// parseArgon2 reads $argon2id$v=19$m=KIB,t=PASSES,p=LANES$SALT$KEY, the PHC
// string format in unpadded base64 that libargon2 defined, and with it
// mosquitto-go-auth and mosquitto_passwd of Mosquitto 2.1 write; also $argon2i$.
func parseArgon2(text string, _ SaltEncoding, limits Limits) (Hash, error) {
	fields := strings.Split(text, "$")
	scheme := fields[1]
	if len(fields) != 6 || fields[2] != "v=19" {
		return Hash{}, malformed(scheme, "it does not have the form $"+scheme+"$v=19$PARAMETERS$SALT$KEY")
	}
	values, ok := parameters(fields[3], "m", "t", "p")
	if !ok || values[2] > maxLanes {
		return Hash{}, malformed(scheme, "the parameters are not m=KIB,t=PASSES,p=LANES, with up to 255 lanes")
	}
	k := argon2KDF{independent: scheme == schemeArgon2i, memory: values[0], time: values[1], lanes: values[2]}
	if k.memory < 8*k.lanes { // RFC 9106, section 3.1
		return Hash{}, malformed(scheme, "it has less than 8 KiB of memory for a lane")
	}
	salt, key, fault := saltAndKey(base64.RawStdEncoding, fields[4], fields[5])
	if fault != "" {
		return Hash{}, malformed(scheme, fault)
	}
	if err := k.check(scheme, limits); err != nil {
		return Hash{}, err
	}
	h := newHash(scheme, derivation{kdf: k, salts: [][]byte{salt}, key: key})
	h.memory, h.lanes = k.memory*1024, k.lanes
	return h, nil
}

// argon2KDF is argon2id or argon2i, version 19, of RFC 9106.
type argon2KDF struct {
	independent bool // argon2i, else argon2id
	memory      int  // KiB, at least 8 for a lane
	time        int  // passes, at least 1
	lanes       int  // 1 to maxLanes
}

func (k argon2KDF) derive(password string, salt []byte, length int) []byte {
	derive := argon2.IDKey
	if k.independent {
		derive = argon2.Key
	}
	return derive([]byte(password), salt, uint32(k.time), uint32(k.memory), uint8(k.lanes), uint32(length))
}

func (k argon2KDF) describe() string {
	return fmt.Sprintf("%d KiB, passes: %d, lanes: %d", k.memory, k.time, k.lanes)
}

func (k argon2KDF) check(scheme string, limits Limits) error {
	memory := min(limits.Argon2Memory, math.MaxInt/1024) // a Hash counts bytes in an int
	if err := within(scheme, "more memory", k.memory, memory, "hash_max_argon2_memory"); err != nil {
		return err
	}
	return within(scheme, "more passes", k.time, limits.Argon2Time, "hash_max_argon2_time")
}
