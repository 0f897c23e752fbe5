package hashing

import (
	"regexp"
	"strings"
)

// What to do with a hash that is not verified here. Nothing turns one kind of
// hash into another; that takes the password.
const (
	anew   = "set the password anew, to what `go-auth hash` makes of it"
	weak   = "it is too weak to be kept; " + anew
	prefix = "remove the word in braces before it; what follows may be known here"
)

// foreign are formats that are recognised only to be refused by name.
var foreign = [...]struct{ prefix, name, advice string }{
	{"$y$", "yescrypt", anew},
	{"$gy$", "gost-yescrypt", anew},
	{"$sm3$", "sm3-crypt", anew},
	{"$sm3y$", "sm3-yescrypt", anew},
	{"$1$", "md5-crypt", weak},
	{"$apr1$", "Apache's md5-crypt", weak},
	{"$md5", "Sun's md5-crypt", weak},
	{"$sha1$", "sha1-crypt", weak},
	{"$3$", "NT hash", weak},
	{"$P$", "phpass", weak},
	{"$H$", "phpass", weak},
	{"$2x$", "bcrypt's faulty variant 2x", "passwords in ASCII verify if $2x$ is changed to $2y$; " + anew},
	{"$argon2d$", "argon2d", "it is not meant for passwords; " + anew},
	{"$bcrypt-sha256$", "passlib's bcrypt over SHA-256", anew},
	{"bcrypt_sha256$", "Django's bcrypt over SHA-256", anew},
	{"scrypt:", "Werkzeug's scrypt", anew},
	{"pbkdf2:", "Werkzeug's PBKDF2", anew},
	{"SCRAM-SHA-1$", "SCRAM-SHA-1", anew},
	{"SCRAM-SHA-512$", "SCRAM-SHA-512", anew},
	{"{", "a scheme in braces", prefix},
}

// bare are formats without a mark at their beginning. A password in clear text
// may look like one.
var bare = [...]struct {
	shape        *regexp.Regexp
	name, advice string
}{
	{regexp.MustCompile(`^[./0-9A-Za-z]{13}$`), "descrypt", weak},
	{regexp.MustCompile(`^_[./0-9A-Za-z]{19}$`), "bsdi-crypt", weak},
	{regexp.MustCompile(`^[0-9A-Fa-f]{32}$`), "a bare MD5", weak},
	{regexp.MustCompile(`^md5[0-9a-f]{32}$`), "Postgres's MD5", weak},
	{regexp.MustCompile(`^[0-9A-Fa-f]{40}$`), "a bare SHA-1", weak},
	{regexp.MustCompile(`^\*[0-9A-F]{40}$`), "MySQL's own password hash", weak},
	{regexp.MustCompile(`^[0-9A-Fa-f]{64}$`), "a bare SHA-256", weak},
	{regexp.MustCompile(`^[0-9A-Fa-f]{128}$`), "a bare SHA-512", weak},
}

// refuse names what is not verified here.
func refuse(text string) error {
	for _, f := range foreign {
		if strings.HasPrefix(text, f.prefix) {
			return unsupported(f.name, f.advice)
		}
	}
	if len(text) > maxText {
		return ErrUnknown
	}
	for _, b := range bare {
		if b.shape.MatchString(text) {
			return unsupported(b.name, b.advice)
		}
	}
	return ErrUnknown
}
