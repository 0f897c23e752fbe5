package plugin

import (
	"errors"
	"fmt"
	"time"

	"mosquitto-go-auth/backends"
)

// The path of one login is logged at debug: each of these costs nothing else.

// toldAccount logs what a source said.
func (w *workers) toldAccount(s *source, j *job, err error, asked time.Time) {
	if !w.journal.shows(Debug) {
		return
	}
	said := "has an account"
	switch {
	case errors.Is(err, backends.ErrNoUser):
		said = "has no such user"
	case err != nil:
		said = fmt.Sprintf("could not answer (%v)", err)
	}
	w.step(j, "%s %s, after %v", s.name, said, shortly(asked))
}

// toldHash logs how a password was compared.
func (w *workers) toldHash(s *source, j *job, scheme string, c comparison, begun time.Time) {
	if !w.journal.shows(Debug) {
		return
	}
	said := c.why
	switch {
	case c.err != nil:
		said = c.err.Error()
	case c.ok:
		said = "right password"
	}
	w.step(j, "%s hash of %s computed in %v: %s", scheme, s.name, shortly(begun), said)
}

// toldMemo logs that no hash had to be computed.
func (w *workers) toldMemo(s *source, j *job) {
	if w.journal.shows(Debug) {
		w.step(j, "the hash of %s verified this password before, and was not computed", s.name)
	}
}

func (w *workers) step(j *job, format string, args ...any) {
	name := clip(j.name)
	if j.name == Anonymous {
		name = "(none)"
	}
	w.journal.logf(Debug, "user %s, client %s%s: %s", name, clip(j.clientID), j.from(), fmt.Sprintf(format, args...))
}

// from names the client's address, which one who asks at a terminal need not give.
func (j *job) from() string {
	if j.address == "" {
		return ""
	}
	return ", address " + j.address
}

// shortly is the time since then, as it is shown.
func shortly(then time.Time) time.Duration {
	d := time.Since(then)
	if d >= time.Millisecond {
		return d.Round(100 * time.Microsecond)
	}
	return d.Round(time.Microsecond)
}
