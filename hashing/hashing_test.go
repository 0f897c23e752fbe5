package hashing

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
)

// cheap are limits within which everything is verified in milliseconds.
var cheap = Limits{BcryptCost: 5, PBKDF2Iterations: 1000, Argon2Memory: 512, Argon2Time: 4,
	ScryptMemory: 512, SHACryptRounds: 2000}

func TestDecoy(t *testing.T) {
	tried := map[string]bool{}
	defer func() {
		if len(tried) != 12 {
			t.Errorf("tried only the schemes %v", tried)
		}
	}()
	for _, v := range vectors(t) {
		h, err := Parse(v.stored, v.salts[0], cheap)
		if errors.Is(err, ErrTooCostly) {
			continue
		}
		tried[h.Scheme()] = true
		if err != nil {
			t.Fatalf("line %d: %v", v.line, err)
		}
		d := h.Decoy()
		if d.Scheme() != h.Scheme() || d.Memory() != h.Memory() || d.Lanes() != h.Lanes() {
			t.Errorf("line %d: %v, %d bytes, %d lanes; want %v, %d, %d", v.line,
				d, d.Memory(), d.Lanes(), h, h.Memory(), h.Lanes())
		}
		if got, want := shape(t, d), shape(t, h); got != want {
			t.Errorf("line %d: the decoy computes %s, want %s", v.line, got, want)
		}
		if reflect.DeepEqual(d.proof(), h.proof()) || reflect.DeepEqual(d.proof(), h.Decoy().proof()) {
			t.Errorf("line %d: the contents of the decoy are not random", v.line)
		}
		if d.Verify(v.password) {
			t.Errorf("line %d: the decoy matches", v.line)
		}
	}
}

// shape describes all that the cost of a Verify depends on.
func shape(t *testing.T, h Hash) string {
	t.Helper()
	switch p := h.proof().(type) {
	case bcryptText:
		if _, err := Parse(string(p), SaltAny, DefaultLimits()); err != nil {
			t.Errorf("not a hash any more: %v", err)
		}
		return string(p[:len(p)-bcryptDigest])
	case scramProof:
		return "scram " + shape(t, newHash("", p.derivation))
	case derivation:
		var lengths []int
		for _, s := range p.salts {
			lengths = append(lengths, len(s))
		}
		return fmt.Sprintf("%T%v, salts %v, key %d", p.kdf, p.kdf, lengths, len(p.key))
	}
	t.Fatalf("no shape for %T", h.proof())
	return ""
}

// always is a proof that every password fits.
type always struct{}

func (always) matches(string) bool { return true }
func (always) random() proof       { return always{} }
func (always) describe() string    { return "" }

func TestDecoyNeverMatches(t *testing.T) {
	h := newHash("always", always{})
	if !h.Verify("password") {
		t.Fatal("the proof that fits everything does not")
	}
	if h.Decoy().Verify("password") {
		t.Error("a decoy matches though its contents do")
	}
}

// For the race detector: a Hash may be shared.
func TestConcurrentUse(t *testing.T) {
	tried := map[string]bool{}
	for _, v := range vectors(t) {
		h, err := Parse(v.stored, v.salts[0], cheap)
		if err != nil || tried[v.scheme] {
			continue
		}
		tried[v.scheme] = true
		var all sync.WaitGroup
		for range 2 {
			all.Go(func() {
				if h.Verify(v.password) != v.match {
					t.Errorf("line %d: another answer among others", v.line)
				}
			})
		}
		all.Wait()
	}
}

func TestZeroHash(t *testing.T) {
	var h Hash
	if h.Verify("") || h.Decoy().Verify("") {
		t.Error("the zero Hash matches")
	}
	if h.Memory() != 0 || h.Lanes() != 1 || h.Scheme() != "" {
		t.Errorf("memory %d, lanes %d, scheme %q", h.Memory(), h.Lanes(), h.Scheme())
	}
}

// counting counts how many keys are derived.
type counting struct{ calls *int }

func (c counting) describe() string { return "" }

func (c counting) derive(_ string, _ []byte, length int) []byte {
	*c.calls++
	return make([]byte, length)
}

func TestWrongPasswordAlwaysCostsTheSame(t *testing.T) {
	tests := []struct {
		salt string
		as   SaltEncoding
		want int
	}{
		{"8ebTR72Pcmjl3cYq", SaltAny, 2},
		{"8ebTR72Pcmjl3cYq", SaltBase64, 1},
		{"8ebTR72Pcmjl3cYq", SaltText, 1},
		{"no base64", SaltAny, 1},
		{"no base64", SaltText, 1},
		{"no base64", SaltBase64, 0},
	}
	for _, test := range tests {
		calls := 0
		d := derivation{counting{&calls}, test.as.readings(test.salt), []byte("sixteen bytes...")}
		if d.matches("wrong") || calls != test.want {
			t.Errorf("%q, salt encoding %d: %d keys derived, want %d", test.salt, test.as, calls, test.want)
		}
	}
}

func TestNeeds(t *testing.T) {
	tests := []struct {
		stored        string
		memory, lanes int
		parameters    string
	}{
		{"$argon2id$v=19$m=4096,t=4,p=4$c29tZXNhbHQ$FF25czqfTuQ+3zPFCb6WuTTVBaTvszxa", 4096 * 1024, 4,
			"4096 KiB, passes: 4, lanes: 4, 8 bytes of salt, 24 of key"},
		{"$scrypt$ln=14,r=8,p=2$c29tZXNhbHQ$FF25czqfTuQ+3zPFCb6WuTTVBaTvszxa", 128*8*1<<14 + 128*8*2, 1,
			"N = 2^14, r = 8, p = 2, 8 bytes of salt, 24 of key"},
		{"$2a$05$abcdefghijklmnopqrstuuWG29KuyeAicPCJODk1zjyGvyQUU2awu", 0, 1, "cost 5"},
		{"PBKDF2$sha256$901$8ebTR72Pcmjl3cYq$/fgPSaWuRUJZhj1Q0js3hgtrz3mCfiH9", 0, 1,
			"sha256, 901 iterations, 12 bytes of salt, 24 of key; both readings of the salt are tried, see hasher_salt_encoding"},
		{"$5$saltsalt$" + strings.Repeat(".", 43), 0, 1, "5000 rounds, 8 bytes of salt, 32 of key"},
	}
	for _, test := range tests {
		h, err := Parse(test.stored, SaltAny, DefaultLimits())
		if err != nil {
			t.Errorf("%s: %v", test.stored, err)
			continue
		}
		if h.Memory() != test.memory || h.Lanes() != test.lanes || h.Parameters() != test.parameters {
			t.Errorf("%s: memory %d, lanes %d, %s; want %d, %d, %s", test.stored,
				h.Memory(), h.Lanes(), h.Parameters(), test.memory, test.lanes, test.parameters)
		}
	}
}

// A client could otherwise occupy a processor with a long password.
func TestLongPasswordsCostNoMore(t *testing.T) {
	k := shaCryptKDF{wide: true, rounds: 1_000_000_000}
	if k.derive(strings.Repeat("x", shaCryptPassword+1), nil, 64) != nil {
		t.Error("a key of a password that is too long")
	}
}

func TestLimits(t *testing.T) {
	const key = "K3nUVxlVUnsYm1vUEXVAQg" // 16 bytes
	at := Limits{BcryptCost: 5, PBKDF2Iterations: 100, Argon2Memory: 64, Argon2Time: 2,
		ScryptMemory: 64, SHACryptRounds: 1001}
	crypt := strings.Repeat(".", 43)
	tests := []struct {
		stored string
		option string // "" if it is just within the limits
	}{
		{"$2a$05$abcdefghijklmnopqrstuuWG29KuyeAicPCJODk1zjyGvyQUU2awu", ""},
		{"$2a$06$abcdefghijklmnopqrstuuWG29KuyeAicPCJODk1zjyGvyQUU2awu", "hash_max_bcrypt_cost"},
		{"PBKDF2$sha512$100$c2FsdA==$" + key + "==", ""},
		{"PBKDF2$sha512$101$c2FsdA==$" + key + "==", "hash_max_pbkdf2_iterations"},
		{"PBKDF2$sha1$50$c2FsdA==$" + key + key[:16] + "==", ""}, // two blocks of SHA-1
		{"PBKDF2$sha1$51$c2FsdA==$" + key + key[:16] + "==", "hash_max_pbkdf2_iterations"},
		{"$argon2id$v=19$m=64,t=2,p=1$c29tZXNhbHQ$" + key, ""},
		{"$argon2id$v=19$m=65,t=2,p=1$c29tZXNhbHQ$" + key, "hash_max_argon2_memory"},
		{"$argon2id$v=19$m=64,t=3,p=1$c29tZXNhbHQ$" + key, "hash_max_argon2_time"},
		{"$argon2i$v=19$m=64,t=2,p=1$c29tZXNhbHQ$" + key, ""},
		{"$argon2i$v=19$m=65,t=2,p=1$c29tZXNhbHQ$" + key, "hash_max_argon2_memory"},
		{"$scrypt$ln=6,r=8,p=1$c29tZXNhbHQ$" + key, ""},
		{"$scrypt$ln=6,r=8,p=2$c29tZXNhbHQ$" + key, "hash_max_scrypt_memory"},
		{"$scrypt$ln=1,r=1,p=1$c29tZXNhbHQ$" + key, ""},
		{"$scrypt$ln=1,r=1,p=257$c29tZXNhbHQ$" + key, "hash_max_scrypt_memory"},
		{"scrypt$64$salt$8$1$" + key + "==", ""},
		{"scrypt$128$salt$8$1$" + key + "==", "hash_max_scrypt_memory"},
		{"$7$46..../....salt$" + crypt, ""},
		{"$7$56..../....salt$" + crypt, "hash_max_scrypt_memory"},
		{"$5$rounds=1001$salt$" + crypt, ""},
		{"$5$rounds=1002$salt$" + crypt, "hash_max_shacrypt_rounds"},
		{"$5$salt$" + crypt, "hash_max_shacrypt_rounds"}, // 5000
		{"$6$rounds=1001$salt$" + crypt + crypt, ""},
		{"$6$rounds=1002$salt$" + crypt + crypt, "hash_max_shacrypt_rounds"},
	}
	for _, test := range tests {
		_, err := Parse(test.stored, SaltAny, at)
		if test.option == "" && err != nil {
			t.Errorf("%s: %v", test.stored, err)
		}
		if test.option != "" && (!errors.Is(err, ErrTooCostly) || !strings.Contains(err.Error(), test.option)) {
			t.Errorf("%s: %v, want %v naming %s", test.stored, err, ErrTooCostly, test.option)
		}
		if _, err := Parse(test.stored, SaltAny, Limits{}); !errors.Is(err, ErrTooCostly) {
			t.Errorf("%s without limits: %v, want %v", test.stored, err, ErrTooCostly)
		}
	}
}

func TestPrintedHashGivesNothingAway(t *testing.T) {
	for _, v := range vectors(t) {
		h, err := Parse(v.stored, v.salts[0], DefaultLimits())
		if err != nil {
			t.Fatalf("line %d: %v", v.line, err)
		}
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			if got, want := fmt.Sprintf(verb, h), "hashing.Hash("+v.scheme+")"; got != want {
				t.Errorf("line %d: %s prints %s, want %s", v.line, verb, got, want)
			}
			// In an unexported field, fmt does not call Format.
			got := fmt.Sprintf(verb, struct{ h Hash }{h})
			if len(got) > 200 || strings.Contains(got, "iterations") {
				t.Errorf("line %d: within a struct, %s prints %s", v.line, verb, got)
			}
			if b, ok := h.proof().(bcryptText); ok && strings.Contains(got, string(b[7:])) {
				t.Errorf("line %d: within a struct, %s prints the hash", v.line, verb)
			}
		}
	}
}
