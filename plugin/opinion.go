package plugin

import (
	"context"
	"errors"
	"time"

	"mosquitto-go-auth/backends"
	"mosquitto-go-auth/hashing"
	"mosquitto-go-auth/plugin/acl"
)

// Opinion is what one backend says of a user, for an operator who asks.
type Opinion struct {
	Backend string
	Name    string          // by which the backend was asked; "" for clients without a user name
	Checks  backends.Checks // what the backend is asked for
	Known   bool            // it knows the user
	Err     error           // why it could not tell

	Account backends.Account // as it was found, without the hash
	Tried   bool             // the backend was asked for the password, too
	NoUser  bool             // of Known: only rules are known, a login finds no such user
	Vouches bool             // the user can log in by this account, with the right password
	Hash    string           // the scheme of the stored hash; "" if there is none
	HashErr error            // why the stored hash cannot be used
	Expired bool             // the account has come to its end
	Notes   []string         // rules that are left out
	Broken  error            // why the rules cannot be used at all

	Rules *acl.Explanation // of the rules, if they were asked a question

	backend backends.Backend
	part    part
}

// Everything tells whether the user may do everything by this backend's account.
func (o *Opinion) Everything() bool { return o.part.rights.Everything }

// Unjudged tells whether the backend grants a right whatever the rules say: those
// in Rules then are of what would be received.
func (o *Opinion) Unjudged(access backends.Access) bool {
	return o.Account.Subscribes && access == backends.Subscribe
}

// Opinions asks each backend what it knows of a user, and of the user's password.
// The name is that with which a client logs in. The pattern is the option
// superusers if it is about the user, who then may do everything, whatever the
// backends say.
func (e *Engine) Opinions(name, clientID string) (list []Opinion, pattern string) {
	if name, ok := e.subject(clientID, name, true); ok {
		pattern = e.work.chain.superPattern(name)
	}
	return e.work.opinions(name, clientID, true), pattern
}

// opinions asks as for a login, or as for the rights of one whose password
// another backend verified.
func (w *workers) opinions(name, clientID string, passwords bool) (list []Opinion) {
	in, inner := w.chain.route(name)
	for _, i := range in {
		s := w.chain.sources[i]
		if s.asked(backends.CheckACL|backends.CheckSuperuser) || passwords && s.asked(backends.CheckUser) {
			list = append(list, w.opinion(i, inner, clientID, passwords && s.asked(backends.CheckUser)))
		}
	}
	return list
}

func (w *workers) opinion(i int, inner, clientID string, passwords bool) Opinion {
	s := w.chain.sources[i]
	o := Opinion{Backend: s.name, Checks: s.checks, Tried: passwords, backend: s.Backend, part: part{source: i, none: true}}
	if inner != Anonymous {
		o.Name = inner
	}
	j := &job{kind: jobProfile, name: inner, clientID: clientID}
	l := backends.Lookup{Name: inner, ClientID: clientID, RulesOnly: !passwords}
	asked := time.Now()
	a, err := w.fetch(context.Background(), s, j, l)
	if passwords && errors.Is(err, backends.ErrNoUser) && s.asked(backends.CheckACL|backends.CheckSuperuser) {
		l.RulesOnly, o.NoUser, passwords = true, true, false
		a, err = w.fetch(context.Background(), s, j, l)
	}
	switch {
	case errors.Is(err, backends.ErrNoUser):
		return o
	case err != nil:
		o.Err, o.part = err, part{source: i, down: true}
		return o
	}
	o.Known, o.Expired = true, expired(a)
	if passwords {
		o.hash(a.Hash, s, w.o.limits)
		o.Vouches = o.Hash != "" && o.HashErr == nil && !o.Expired
	}
	if !o.Expired {
		o.part = w.judge(i, inner, a, asked)
	}
	_, o.Notes, o.Broken = acl.Compile(a.Sections, acl.Options{})
	o.Account = a
	o.Account.Hash = ""
	return o
}

func (o *Opinion) hash(stored string, s *source, limits hashing.Limits) {
	if stored == "" {
		return
	}
	h, err := hashing.Parse(stored, s.salt, limits)
	o.Hash, o.HashErr = h.Scheme(), err
}
