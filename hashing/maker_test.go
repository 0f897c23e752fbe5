package hashing

import (
	"strings"
	"testing"
)

func TestMakers(t *testing.T) {
	tests := []struct {
		scheme string
		params Params
		parsed string // the scheme it is recognised as
		prefix string
	}{
		{"bcrypt", Params{Cost: 4}, "bcrypt", "$2a$04$"},
		{"pbkdf2", Params{Algorithm: "sha1", Iterations: 10}, "pbkdf2-sha1", "PBKDF2$sha1$10$"},
		{"pbkdf2", Params{Algorithm: "sha256", Iterations: 10, KeyLength: 16, SaltSize: 8}, "pbkdf2-sha256", "PBKDF2$sha256$10$"},
		{"pbkdf2", Params{Iterations: 10, KeyLength: 128, SaltSize: 64}, "pbkdf2-sha512", "PBKDF2$sha512$10$"},
		{"argon2id", Params{Memory: 4096, Iterations: 3, Parallelism: 2, KeyLength: 64, SaltSize: 8}, "argon2id", "$argon2id$v=19$m=4096,t=3,p=2$"},
		{"argon2id", Params{Memory: 64, KeyLength: 16, SaltSize: 64}, "argon2id", "$argon2id$v=19$m=64,t=2,p=1$"},
	}
	const password = "pässwörd $ "
	for _, test := range tests {
		m, err := New(test.scheme, test.params)
		if err != nil {
			t.Errorf("%s %+v: %v", test.scheme, test.params, err)
			continue
		}
		stored, err := m.Make(password)
		if err != nil {
			t.Errorf("%s %+v: %v", test.scheme, test.params, err)
			continue
		}
		if !strings.HasPrefix(stored, test.prefix) {
			t.Errorf("%s %+v makes %s, want %s…", test.scheme, test.params, stored, test.prefix)
		}
		h, err := Parse(stored, SaltBase64, DefaultLimits())
		if err != nil {
			t.Errorf("%s: %v", stored, err)
			continue
		}
		right, wrong := h.Verify(password), h.Verify(password+" ")
		if h.Scheme() != test.parsed || !right || wrong {
			t.Errorf("%s is %s, and matches the password: %v, another: %v", stored, h.Scheme(), right, wrong)
		}
	}
}

func TestMakersDefaults(t *testing.T) {
	tests := []struct {
		scheme string
		params Params
		want   Maker
	}{
		{"bcrypt", Params{}, bcryptMaker{10}},
		{"pbkdf2", Params{}, pbkdf2Maker{pbkdf2KDF{"sha512", 210_000}, 16, 64, false}},
		{"pbkdf2", Params{Algorithm: "sha256"}, pbkdf2Maker{pbkdf2KDF{"sha256", 600_000}, 16, 32, false}},
		{"pbkdf2", Params{Algorithm: "sha1"}, pbkdf2Maker{pbkdf2KDF{"sha1", 1_300_000}, 16, 20, false}},
		{"argon2id", Params{}, argon2Maker{argon2KDF{memory: 19456, time: 2, lanes: 1}, 16, 32}},
	}
	for _, test := range tests {
		if got, err := New(test.scheme, test.params); got != test.want || err != nil {
			t.Errorf("%s %+v: %+v, %v; want %+v", test.scheme, test.params, got, err, test.want)
		}
	}
}

func TestMakersSalt(t *testing.T) {
	for _, scheme := range []string{"bcrypt", "pbkdf2", "argon2id"} {
		m, err := New(scheme, Params{Cost: 4, Iterations: 1, Memory: 64})
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for range 10 {
			stored, err := m.Make("password")
			if err != nil || seen[stored] {
				t.Errorf("%s made twice: %v, error %v", scheme, seen[stored], err)
			}
			seen[stored] = true
		}
	}
}

func TestMakersSaltText(t *testing.T) {
	for _, text := range []bool{false, true} {
		m, err := New("pbkdf2", Params{Iterations: 1, SaltText: text})
		if err != nil {
			t.Fatal(err)
		}
		stored, err := m.Make("password")
		if err != nil {
			t.Fatal(err)
		}
		for as, want := range map[SaltEncoding]bool{SaltText: text, SaltBase64: !text, SaltAny: true} {
			h, err := Parse(stored, as, DefaultLimits())
			if err != nil || h.Verify("password") != want {
				t.Errorf("salt of text %v, read as %d: %v, want a match: %v", text, as, err, want)
			}
		}
	}
}

func TestMakersUseTheLengths(t *testing.T) {
	for _, scheme := range []string{"pbkdf2", "argon2id"} {
		m, err := New(scheme, Params{Iterations: 1, Memory: 64, SaltSize: 24, KeyLength: 48})
		if err != nil {
			t.Fatal(err)
		}
		stored, err := m.Make("password")
		if err != nil {
			t.Fatal(err)
		}
		h, err := Parse(stored, SaltBase64, DefaultLimits())
		if err != nil {
			t.Fatal(err)
		}
		if d := h.proof().(derivation); len(d.salts[0]) != 24 || len(d.key) != 48 {
			t.Errorf("%s: salt of %d bytes, key of %d, want 24 and 48", scheme, len(d.salts[0]), len(d.key))
		}
	}
}

func TestMakersRefuse(t *testing.T) {
	tests := []struct {
		scheme string
		params Params
		want   string // in the error
	}{
		{"", Params{}, "bcrypt, pbkdf2 or argon2id"},
		{"md5", Params{}, "bcrypt, pbkdf2 or argon2id"},
		{"bcrypt", Params{Cost: 3}, "hasher_cost"},
		{"bcrypt", Params{Cost: 32}, "hasher_cost"},
		{"bcrypt", Params{Cost: -1}, "hasher_cost"},
		{"pbkdf2", Params{Algorithm: "md5"}, "hasher_algorithm"},
		{"pbkdf2", Params{Iterations: -1}, "hasher_iterations"},
		{"pbkdf2", Params{KeyLength: 15}, "hasher_keylen"},
		{"pbkdf2", Params{KeyLength: 129}, "hasher_keylen"},
		{"pbkdf2", Params{SaltSize: 7}, "hasher_salt_size"},
		{"pbkdf2", Params{SaltSize: 65}, "hasher_salt_size"},
		{"argon2id", Params{Parallelism: 256}, "hasher_parallelism"},
		{"argon2id", Params{Parallelism: -1}, "hasher_parallelism"},
		{"argon2id", Params{Memory: 15, Parallelism: 2}, "hasher_memory"},
		{"argon2id", Params{Iterations: -1}, "hasher_iterations"},
		{"argon2id", Params{KeyLength: -1}, "hasher_keylen"},
		{"argon2id", Params{SaltSize: -1}, "hasher_salt_size"},
	}
	for _, test := range tests {
		m, err := New(test.scheme, test.params)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q %+v: %v, want an error naming %s", test.scheme, test.params, err, test.want)
		}
		if m != nil {
			t.Errorf("%q %+v: a maker besides the error", test.scheme, test.params)
		}
	}
}

func TestPasswordsThatAreNotHashed(t *testing.T) {
	long := strings.Repeat("x", 73)
	for _, test := range []struct {
		scheme, password string
		ok               bool
	}{
		{"bcrypt", "", false},
		{"pbkdf2", "", false},
		{"argon2id", "", false},
		{"bcrypt", long, false},
		{"bcrypt", long[:72], true},
		{"pbkdf2", long, true},
		{"argon2id", long, true},
	} {
		m, err := New(test.scheme, Params{Cost: 4, Iterations: 1, Memory: 64})
		if err != nil {
			t.Fatal(err)
		}
		stored, err := m.Make(test.password)
		if (err == nil) != test.ok || (stored == "") == test.ok {
			t.Errorf("%s, %d bytes: %q, %v", test.scheme, len(test.password), stored, err)
		}
		if err != nil && strings.Contains(err.Error(), long) {
			t.Errorf("%s: the error holds the password", test.scheme)
		}
	}
}
