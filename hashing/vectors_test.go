package hashing

import (
	"errors"
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"
)

// vector is a line of testdata/vectors.txt.
type vector struct {
	scheme   string
	salts    []SaltEncoding
	match    bool
	password string
	stored   string
	line     int
}

// rejected is a line of testdata/malformed.txt.
type rejected struct {
	err    error
	name   string
	stored string
	line   int
}

// lines calls f with the fields of every line of a table.
func lines(t testing.TB, file string, fields int, f func(line int, fields []string)) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for i, text := range strings.Split(string(data), "\n") {
		if text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		parts := strings.Split(text, "\t")
		if len(parts) != fields {
			t.Fatalf("%s:%d: %d fields, want %d", file, i+1, len(parts), fields)
		}
		f(i+1, parts)
	}
}

// lookup finds a word of a table, or fails.
func lookup[T any](t testing.TB, words map[string]T, word string) T {
	t.Helper()
	v, ok := words[word]
	if !ok {
		t.Fatalf("the word %q is not known in this field", word)
	}
	return v
}

func unquote(t testing.TB, line int, text string) string {
	t.Helper()
	s, err := strconv.Unquote(text)
	if err != nil {
		t.Fatalf("line %d: %s: %v", line, text, err)
	}
	return s
}

func vectors(t testing.TB) []vector {
	t.Helper()
	encodings := map[string]SaltEncoding{"any": SaltAny, "base64": SaltBase64, "text": SaltText}
	var all []vector
	lines(t, "testdata/vectors.txt", 5, func(line int, f []string) {
		v := vector{
			scheme:   f[0],
			match:    lookup(t, map[string]bool{"yes": true, "no": false}, f[2]),
			password: unquote(t, line, f[3]),
			stored:   f[4],
			line:     line,
		}
		if f[1] == "-" {
			f[1] = "base64,text,any"
		}
		for _, word := range strings.Split(f[1], ",") {
			v.salts = append(v.salts, lookup(t, encodings, word))
		}
		all = append(all, v)
	})
	return all
}

func rejects(t testing.TB) []rejected {
	t.Helper()
	kinds := map[string]error{"unknown": ErrUnknown, "unsupported": ErrUnsupported, "malformed": ErrMalformed, "costly": ErrTooCostly}
	var all []rejected
	lines(t, "testdata/malformed.txt", 3, func(line int, f []string) {
		all = append(all, rejected{lookup(t, kinds, f[0]), f[1], unquote(t, line, f[2]), line})
	})
	return all
}

func TestVectors(t *testing.T) {
	for _, v := range vectors(t) {
		var first Hash
		for i, salt := range v.salts {
			h, err := Parse(v.stored, salt, DefaultLimits())
			if err != nil {
				t.Errorf("line %d: %v", v.line, err)
				continue
			}
			if h.Scheme() != v.scheme {
				t.Errorf("line %d: scheme %s, want %s", v.line, h.Scheme(), v.scheme)
			}
			if i > 0 && reflect.DeepEqual(h.proof(), first.proof()) {
				continue // understood alike
			}
			first = h
			if got := h.Verify(v.password); got != v.match {
				t.Errorf("line %d, salt encoding %d: match is %v, want %v", v.line, salt, got, v.match)
			}
			if _, err := Parse(v.stored, salt, cheap); err == nil && v.match && h.Verify("!"+v.password) {
				t.Errorf("line %d, salt encoding %d: a wrong password matches", v.line, salt)
			}
		}
	}
}

func TestRejected(t *testing.T) {
	for _, r := range rejects(t) {
		for _, salt := range []SaltEncoding{SaltAny, SaltBase64, SaltText} {
			h, err := Parse(r.stored, salt, DefaultLimits())
			if !errors.Is(err, r.err) {
				t.Errorf("line %d, salt encoding %d: %v, want %v", r.line, salt, err, r.err)
				continue
			}
			if r.name != "-" && !strings.Contains(err.Error(), r.name) {
				t.Errorf("line %d: the error does not name %s: %v", r.line, r.name, err)
			}
			if part := leak(r.stored, err); part != "" {
				t.Errorf("line %d: the error repeats %q of the stored text: %v", r.line, part, err)
			}
			if h.Verify("") || h.Verify("password") || h.Decoy().Verify("") {
				t.Errorf("line %d: a hash that was not understood matches", r.line)
			}
		}
	}
}

// leak returns a part of the stored text that the error repeats, other than the
// names of schemes and digests.
func leak(stored string, err error) string {
	for _, part := range strings.FieldsFunc(stored, func(r rune) bool { return strings.ContainsRune("$:,", r) }) {
		switch part {
		case "PBKDF2", "pbkdf2", "pbkdf2-sha512", "sha512", "sha256", "argon2id", "argon2i", "argon2d", "scrypt", "SCRAM-SHA-1", "SCRAM-SHA-256", "password", "bcrypt", "bcrypt_sha256", "argon2":
			continue
		}
		if len(part) > 4 && strings.Contains(err.Error(), part) {
			return part
		}
	}
	return ""
}

func TestSaltThatIsNoBase64(t *testing.T) {
	const stored = "PBKDF2$sha512$1000$no base64$f03LHDZK8emxbP2tluzxibNUoDkxSA8xU1mCvy/R95o="
	if _, err := Parse(stored, SaltBase64, DefaultLimits()); !errors.Is(err, ErrMalformed) {
		t.Errorf("as base64: %v, want %v", err, ErrMalformed)
	}
	for _, salt := range []SaltEncoding{SaltAny, SaltText} {
		if _, err := Parse(stored, salt, DefaultLimits()); err != nil {
			t.Errorf("salt encoding %d: %v", salt, err)
		}
	}
}

func TestHugeText(t *testing.T) {
	const size = 1 << 20
	salt := strings.Repeat("A", size)
	for _, stored := range []string{
		"PBKDF2$sha512$1$" + salt + "$f03LHDZK8emxbP2tluzxibNUoDkxSA8xU1mCvy/R95o=",
		"$argon2id$v=19$m=64,t=1,p=1$" + salt + "$cpx6VEQbwTVZvcpxNIxOVUWZ5xnAipUmAe1cg2GMG70",
	} {
		if _, err := Parse(stored, SaltAny, DefaultLimits()); !errors.Is(err, ErrMalformed) {
			t.Errorf("1 MB of salt in %.10s…: %v, want %v", stored, err, ErrMalformed)
		}
	}
	for _, prefix := range []string{"", "PBKDF2$sha512$1000$", "$2a$10$", "$argon2id$v=19$m=64,t=1,p=1$", "$6$", "$7$101$", "$pbkdf2-sha512$i=1,l=1$"} {
		want := ErrMalformed
		if prefix == "" {
			want = ErrUnknown
		}
		for _, filler := range []string{"A", "$", "A$", "=", "\xff"} {
			_, err := Parse(prefix+strings.Repeat(filler, size), SaltAny, DefaultLimits())
			if !errors.Is(err, want) {
				t.Errorf("%q and 1 MB of %q: %v, want %v", prefix, filler, err, want)
			}
			if err != nil && len(err.Error()) > 200 {
				t.Errorf("%q and 1 MB of %q: the error has %d bytes", prefix, filler, len(err.Error()))
			}
		}
	}
}
