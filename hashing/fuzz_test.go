package hashing

import (
	"crypto/rand"
	"errors"
	"testing"
)

// FuzzParse feeds anything to Parse. What it understands must stay within the
// limits and match neither a random nor an empty password.
func FuzzParse(f *testing.F) {
	ofEmpty := map[string]bool{}
	for _, v := range vectors(f) {
		f.Add(v.stored, uint8(v.salts[0]))
		ofEmpty[v.stored] = v.password == ""
	}
	for _, r := range rejects(f) {
		f.Add(r.stored, uint8(SaltAny))
	}
	f.Fuzz(func(t *testing.T, stored string, salt uint8) {
		h, err := Parse(stored, SaltEncoding(salt), cheap)
		if err != nil {
			known := errors.Is(err, ErrUnknown) || errors.Is(err, ErrUnsupported) || errors.Is(err, ErrMalformed) || errors.Is(err, ErrTooCostly)
			if !known || len(err.Error()) > 200 {
				t.Errorf("error %v", err)
			}
			if h.Verify("") {
				t.Error("matches in spite of the error")
			}
			return
		}
		if h.Scheme() == "" || h.Memory() > 2*cheap.Argon2Memory*1024 || h.Parameters() == "" || h.Lanes() < 1 || h.Lanes() > maxLanes {
			t.Errorf("%v: %d bytes, %d lanes", h, h.Memory(), h.Lanes())
		}
		if h.Verify(rand.Text()) || h.Decoy().Verify(rand.Text()) {
			t.Error("a random password matches")
		}
		if h.Verify("") && !ofEmpty[stored] {
			t.Error("the empty password matches")
		}
	})
}
