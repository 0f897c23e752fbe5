package hashing

import (
	"encoding/base64"
	"strconv"
	"strings"

	"golang.org/x/crypto/bcrypt"
)

// bcryptBase64 is base64 with bcrypt's own alphabet.
var bcryptBase64 = base64.NewEncoding(
	"./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789").WithPadding(base64.NoPadding)

const (
	bcryptSalt   = 16 // bytes, 22 characters
	bcryptKey    = 23 // bytes, 31 characters
	bcryptDigest = 22 + 31
)

// parseBcrypt reads $2a$COST$SALTKEY as crypt(3) and most libraries write it,
// with the versions 2, 2a, 2b and 2y, which are verified alike. (OpenBSD's
// version 2 differed by a zero byte behind the password; hashes from before
// 1998 that depend on it match nothing, here as in mosquitto-go-auth.) Only the
// first 72 bytes of a password count.
func parseBcrypt(text string, _ SaltEncoding, limits Limits) (Hash, error) {
	fields := strings.Split(text, "$")
	if len(fields) != 4 || len(fields[2]) != 2 || len(fields[3]) != bcryptDigest {
		return Hash{}, malformed(schemeBcrypt, "it does not have the form $2a$COST$ and 53 characters")
	}
	cost := count(fields[2])
	if cost < bcrypt.MinCost || cost > bcrypt.MaxCost {
		return Hash{}, malformed(schemeBcrypt, "the cost is not a number from 4 to 31")
	}
	// Some libraries leave stray bits in the last character of the salt, and
	// verify nevertheless. Behind the key they would never match.
	salt, ok := decode(bcryptBase64, fields[3][:22])
	key, keyOK := decode(bcryptBase64.Strict(), fields[3][22:])
	if !ok || !keyOK || len(salt) != bcryptSalt || len(key) != bcryptKey {
		return Hash{}, malformed(schemeBcrypt, "the salt or the key is not bcrypt's base64")
	}
	if err := within(schemeBcrypt, "a higher cost", cost, limits.BcryptCost, "hash_max_bcrypt_cost"); err != nil {
		return Hash{}, err
	}
	return newHash(schemeBcrypt, bcryptText(text)), nil
}

// bcryptText is a well-formed hash.
type bcryptText string

func (t bcryptText) matches(password string) bool {
	return bcrypt.CompareHashAndPassword([]byte(t), []byte(password)) == nil
}

func (t bcryptText) random() proof {
	head := t[:len(t)-bcryptDigest]
	return head + bcryptText(bcryptBase64.EncodeToString(randomBytes(bcryptSalt))+
		bcryptBase64.EncodeToString(randomBytes(bcryptKey)))
}

func (t bcryptText) describe() string {
	return "cost " + strconv.Itoa(count(strings.Split(string(t), "$")[2]))
}
