package plugin

import (
	"context"
	"errors"
	"mosquitto-go-auth/backends"
	"mosquitto-go-auth/plugin/acl"
	"slices"
	"time"
)

// judge makes a part of a profile from an account, for which the source was asked
// at the given time.
func (w *workers) judge(i int, inner string, a backends.Account, asked time.Time) part {
	s := w.chain.sources[i]
	p := part{source: i, at: asked, hash: w.hashMAC(a)}
	if inner != Anonymous {
		p.rights.User = inner
	}
	p.rights.Everything = a.Super && s.asked(backends.CheckSuperuser) || a.AllowAll && s.asked(backends.CheckACL)
	if p.rights.Everything || !s.asked(backends.CheckACL) {
		return p
	}
	p.rights.Subscribes = a.Subscribes
	compile := acl.Compile
	if s.inMemory {
		compile = s.compiled.compile
	}
	img, notes, err := compile(a.Sections, w.aclOptions())
	if err != nil {
		w.faults.logf(s.name+": rules that cannot be used", "user %s: the rules in %s cannot be used, and grant nothing: %v", clip(inner), s.name, err)
	}
	for _, n := range notes {
		if s.told.first(w.key.sum("note", n)) {
			w.faults.logf(s.name+": rules that are left out", "user %s: %s: %s", clip(inner), s.name, n)
		}
	}
	w.noteDollar(a.Sections)
	p.rights.Hold(img)
	return p
}

// hashMAC tells a stored hash from another one.
func (w *workers) hashMAC(a backends.Account) mac { return w.key.sum("hash", a.Hash) }

// noteDollar says once that a rule does not reach as far as it did with the
// predecessor.
func (w *workers) noteDollar(sections []backends.Section) {
	if w.o.dollar || w.dollar.Load() {
		return
	}
	for _, s := range sections {
		for _, r := range s {
			if !r.Deny && acl.ReachesDollar(r.Pattern) && w.dollar.CompareAndSwap(false, true) {
				w.journal.logf(Notice, "rules that begin with # or + do not reach topics that begin with $, such as $SYS; "+
					"grant those by name, or set wildcards_match_dollar true")
			}
		}
	}
}

// othersWait is how long an admission waits for the rights in sources that did
// not verify the password.
const othersWait = 250 * time.Millisecond

// rest completes the parts of a user whose password was verified with what the
// other sources grant. One that does not answer soon is left for later.
func (w *workers) rest(ctx context.Context, j *job, known []part) []part {
	ctx, cancel := context.WithTimeout(ctx, othersWait)
	defer cancel()
	return w.parts(ctx, j, append(known, j.young...))
}

// parts returns what each source grants a user: known holds what was found
// already, and of two parts from one source the first counts. It does not wait for anything if all sources answer from memory.
func (w *workers) parts(ctx context.Context, j *job, known []part) []part {
	in, inner := w.chain.route(j.name)
	var parts []part
	for _, i := range in {
		if k := slices.IndexFunc(known, func(p part) bool { return p.source == i }); k >= 0 {
			parts = append(parts, known[k])
			continue
		}
		s := w.chain.sources[i]
		if s.asked(backends.CheckACL|backends.CheckSuperuser) || slices.Contains(j.vouchers, i) {
			parts = append(parts, w.part(ctx, i, inner, j))
		}
	}
	return parts
}

func (w *workers) part(ctx context.Context, i int, inner string, j *job) part {
	s := w.chain.sources[i]
	down := part{source: i, down: true}
	if j.kind != jobProfile && s.resting() {
		return down
	}
	l := backends.Lookup{Name: inner, ClientID: j.clientID, RulesOnly: !slices.Contains(j.vouchers, i)}
	asked := time.Now()
	account, err := w.fetch(ctx, s, j, l)
	switch {
	case errors.Is(err, backends.ErrNoUser), err == nil && expired(account):
		return part{source: i, at: asked, none: true}
	case err != nil:
		return down
	}
	return w.judge(i, inner, account, asked)
}
