package plugin

import (
	"context"
	"errors"
	"fmt"
	"time"

	"mosquitto-go-auth/backends"
	"mosquitto-go-auth/hashing"
)

// firstHash is how long a hash is taken to last before one was measured.
const firstHash = 75 * time.Millisecond

// hashTime is how long one hash is taken to last.
func (w *workers) hashTime() time.Duration {
	if took := w.hashTook.Load(); took > 0 {
		return time.Duration(took)
	}
	return firstHash
}

// comparison is the outcome of comparing a password with a stored hash.
type comparison struct {
	ok     bool
	why    string // it is not
	err    error  // it could not be found out
	hashed bool   // a hash was computed
	entry  mac    // in the memo
}

// expired tells whether an account has come to its end.
func expired(a backends.Account) bool { return !a.Expires.IsZero() && time.Now().After(a.Expires) }

// recall compares a password with an account's stored hash as far as that takes
// no computing of a hash. m may be nil.
func recall(a backends.Account, password string, m *memo) (c comparison, sure bool) {
	switch {
	case expired(a):
		return comparison{why: "the account has expired"}, true
	case a.Hash == "":
		return comparison{why: "no password is stored"}, true
	case m == nil:
		return c, false
	}
	c.entry = m.entry(a.Hash, password)
	c.ok = m.verified(c.entry)
	return c, c.ok
}

// verify compares a password with an account's stored hash.
func (w *workers) verify(ctx context.Context, s *source, j *job, a backends.Account) comparison {
	c, sure := recall(a, j.password, w.memo)
	if sure {
		if c.ok {
			w.toldMemo(s, j)
		}
		return c
	}
	h, err := hashing.Parse(a.Hash, s.salt, w.o.limits)
	if err != nil {
		w.counts.BadHashes.Add(1)
		w.faults.logf(s.name+": hashes that cannot be used", "user %s: the password hash stored in %s cannot be used: %v", clip(j.name), s.name, err)
		return comparison{why: fmt.Sprintf("the stored hash cannot be used: %v", err)}
	}
	begun := time.Now()
	c.ok, c.err = w.hash(ctx, j, h)
	c.why = "wrong password"
	w.toldHash(s, j, h.Scheme(), c, begun)
	if c.err != nil {
		return c
	}
	c.hashed = true
	decoy := h.Decoy()
	s.decoy.Store(&decoy)
	if c.ok && w.memo != nil {
		w.memo.add(c.entry)
	}
	return c
}

// hash computes one hash, in turn.
func (w *workers) hash(ctx context.Context, j *job, h hashing.Hash) (bool, error) {
	if err := j.enter(ctx, w.hashing); err != nil {
		return false, fmt.Errorf("too many hashes are waiting: %w", err)
	}
	defer w.hashing.Leave()
	var ok bool
	var fault error
	err := w.threads.run(func() {
		start := time.Now()
		ok, fault = w.compute(h, j.password)
		w.hashTook.Store(int64(time.Since(start)))
	})
	return ok, errors.Join(err, fault)
}

// compute computes a hash. A panic there is an error here.
func (w *workers) compute(h hashing.Hash, password string) (ok bool, err error) {
	defer func() {
		if p := recover(); p != nil {
			w.fault(p)
			ok, err = false, errFault
		}
	}()
	return h.Verify(password), nil
}

// spend takes the time that a hash would have taken, so that an unknown name
// shows no sooner than a wrong password.
func (w *workers) spend(ctx context.Context, j *job, in []int) {
	for _, i := range in {
		if d := w.chain.sources[i].decoy.Load(); d != nil {
			_, _ = w.hash(ctx, j, *d)
			return
		}
	}
	d, err := firstDecoy()
	if err == nil {
		_, _ = w.hash(ctx, j, d)
	}
}

// firstDecoy stands in until a real hash was seen: bcrypt with cost 10.
func firstDecoy() (hashing.Hash, error) {
	h, err := hashing.Parse("$2a$10$abcdefghijklmnopqrstuu5Lo0g67CiD3M4RpN1BmBb4Crp5w7dbK", hashing.SaltAny, hashing.DefaultLimits())
	return h.Decoy(), err
}
