package plugin

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"mosquitto-go-auth/backends"
	"mosquitto-go-auth/conf"
	"mosquitto-go-auth/hashing"
)

// source is a backend in the chain.
type source struct {
	backends.Opened
	name      string // "mysql"
	checks    backends.Checks
	salt      hashing.SaltEncoding
	inMemory  bool
	perClient bool // what it says of a password depends on the client id

	down     atomic.Bool                  // the last question failed
	took     atomic.Int64                 // how long the last answer took, in nanoseconds
	tried    atomic.Int64                 // when the last question failed, in Unix nanoseconds
	decoy    atomic.Pointer[hashing.Hash] // costs what the last hash from there cost
	told     said                         // the notes on its contents that were logged
	compiled compiled                     // if it is in memory
	changes  changes                      // of which the store told
	said     string                       // at the last reading, used by the job that reads again only
}

func (s *source) asked(c backends.Checks) bool { return s.checks&c != 0 }

// retryAfter is how long a source that failed is left alone by questions that
// can do without its answer.
const retryAfter = time.Second

// resting tells whether the source is to be left alone. Where it is time to try
// again, one caller is told that it is not, and the others leave it to that one.
func (s *source) resting() bool {
	if !s.down.Load() {
		return false
	}
	last, now := s.tried.Load(), time.Now()
	return now.Sub(time.Unix(0, last)) < retryAfter || !s.tried.CompareAndSwap(last, now.UnixNano())
}

// chain is the backends in the order in which they are asked. It does not
// change.
type chain struct {
	sources   []*source
	all       []int            // the places of all sources
	anonymous []int            // of those that have rules for clients without a user name
	prefixed  map[string][]int // by prefix
	strip     bool
	glob      string // the option superusers
}

// route tells which sources know a name, and by which name.
func (c *chain) route(name string) (in []int, inner string) {
	if name == Anonymous {
		return c.anonymous, name
	}
	if c.prefixed != nil {
		if prefix, rest, ok := strings.Cut(name, "_"); ok && prefix != "" {
			if one, ok := c.prefixed[prefix]; ok {
				if c.strip {
					name = rest
				}
				return one, name
			}
		}
	}
	return c.all, name
}

// users returns the users that a source is asked about by a name: the contrary of
// route.
func (c *chain) users(source int, inner string) (names []string) {
	candidates := []string{inner}
	if c.strip {
		for prefix, in := range c.prefixed {
			if slices.Contains(in, source) {
				candidates = append(candidates, prefix+"_"+inner)
			}
		}
	}
	for _, name := range candidates {
		if in, got := c.route(name); got == inner && slices.Contains(in, source) {
			names = append(names, name)
		}
	}
	return names
}

// downLast puts those that failed last behind the others: a login that another
// source verifies does not wait for them.
func (c *chain) downLast(in []int) []int {
	if len(in) < 2 || !slices.ContainsFunc(in, func(i int) bool { return c.sources[i].down.Load() }) {
		return in
	}
	var up, down []int
	for _, i := range in {
		if c.sources[i].down.Load() {
			down = append(down, i)
		} else {
			up = append(up, i)
		}
	}
	return append(up, down...)
}

// provides tells whether any source was asked for one of the checks.
func (c *chain) provides(checks backends.Checks) bool {
	return slices.ContainsFunc(c.sources, func(s *source) bool { return s.asked(checks) })
}

// judges tells whether anything is known of rights.
func (c *chain) judges() bool {
	return c.provides(backends.CheckACL|backends.CheckSuperuser) || c.glob != ""
}

// inMemory tells whether all sources that know a name answer from memory.
func (c *chain) inMemory(name string) bool {
	in, _ := c.route(name)
	return !slices.ContainsFunc(in, func(i int) bool { return !c.sources[i].inMemory })
}

func (c *chain) close() error {
	var errs []error
	for _, s := range c.sources {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}

var errChecks = errors.New("write a list of user, superuser and acl")

// openChain opens the backends that the options name. Faults go to the set;
// then the chain is not to be used, though what could be opened must be closed.
func openChain(set *conf.Set, o *options, drivers []backends.Driver, open map[string]backends.Open) (*chain, []string) {
	c := &chain{strip: o.stripPrefix, glob: o.superusers}
	var notes []string
	names := chosen(set, o, drivers)
	for _, name := range names {
		s := &source{name: name, checks: o.checks(name)}
		opened, err := open[name](s.checks)
		if err != nil {
			faults(set, name, err)
			continue
		}
		s.Opened = opened
		s.said = strings.Join(opened.Notes, "\n")
		s.checks &= opened.Provides
		s.salt = o.saltOf(name)
		_, s.inMemory = opened.Backend.(backends.InMemory)
		if b, ok := opened.Backend.(backends.PerClient); ok {
			s.perClient = b.PerClient()
		}
		if _, ok := opened.Backend.(backends.Anonymous); ok {
			c.anonymous = append(c.anonymous, len(c.sources))
		}
		c.all = append(c.all, len(c.sources))
		c.sources = append(c.sources, s)
		for _, n := range opened.Notes {
			notes = append(notes, name+": "+n)
		}
	}
	if len(c.sources) == len(names) && len(names) > 0 && !c.provides(backends.AllChecks) {
		set.Fault("backends", "they are asked for nothing; see the options _register and disable_superuser")
	}
	c.prefix(set, o, names)
	return c, notes
}

// faults adds all that an error of open holds.
func faults(set *conf.Set, name string, err error) {
	var remarks conf.Faults
	if errors.As(err, &remarks) {
		for _, r := range remarks {
			set.Fault(r.Key, "%s", r.Text)
		}
		return
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			faults(set, name, e)
		}
		return
	}
	set.Fault("", "backend %s: %w", name, err)
}

// chosen returns the names of the backends to open.
func chosen(set *conf.Set, o *options, drivers []backends.Driver) []string {
	var names, all []string
	for _, d := range drivers {
		all = append(all, d.Name)
	}
	for _, b := range o.backends {
		switch {
		case slices.Contains(names, b):
			set.Warn("backends", "%s is named twice", b)
		case slices.Contains(all, b):
			names = append(names, b)
		case slices.Contains(missing, b):
			set.Fault("backends", "the backend %s is not in this version", b)
		default:
			set.Fault("backends", "unknown backend %q; there are %s", b, strings.Join(all, ", "))
		}
	}
	if set.Given("backends") == "" && filesGiven(set) {
		return []string{"files"}
	}
	if len(o.backends) == 0 {
		set.Fault("backends", "missing or blank: name the backends to ask, for instance auth_opt_backends mysql")
	}
	return names
}

// filesGiven tells whether Mosquitto's own options for files are there: they
// need no option backends.
func filesGiven(set *conf.Set) bool {
	return set.Given("files_password_path") != "" || set.Given("acl_file") != "" || set.Given("files_acl_path") != ""
}

func (o *options) checks(name string) (c backends.Checks) {
	words := map[string]backends.Checks{"user": backends.CheckUser, "superuser": backends.CheckSuperuser, "acl": backends.CheckACL}
	for _, w := range *o.register[name] {
		c |= words[w]
	}
	if o.disableSuperuser {
		c &^= backends.CheckSuperuser
	}
	return c
}

func (o *options) saltOf(name string) hashing.SaltEncoding {
	word := *o.salt[name]
	if word == "" {
		word = o.generalSalt
	}
	switch word {
	case "base64":
		return hashing.SaltBase64
	case "utf-8":
		return hashing.SaltText
	}
	return hashing.SaltAny
}

// prefix gives each of the backends its prefix. If not all could be opened, there
// is a fault already.
func (c *chain) prefix(set *conf.Set, o *options, names []string) {
	if !o.checkPrefix {
		return
	}
	if len(o.prefixes) != len(names) {
		set.Fault("prefixes", "there are %d prefixes for %d backends; write one for each, in the same order", len(o.prefixes), len(names))
		return
	}
	c.prefixed = map[string][]int{}
	for i, p := range o.prefixes {
		if c.prefixed[p] != nil {
			set.Fault("prefixes", "%q is there twice", p)
		}
		if i < len(c.sources) {
			c.prefixed[p] = c.all[i : i+1]
		}
	}
}

// String lists the backends and what they are asked for, for the log.
func (c *chain) String() string {
	var list []string
	for _, s := range c.sources {
		var asked []string
		for _, k := range []struct {
			check backends.Checks
			word  string
		}{{backends.CheckUser, "user"}, {backends.CheckSuperuser, "superuser"}, {backends.CheckACL, "acl"}} {
			if s.asked(k.check) {
				asked = append(asked, k.word)
			}
		}
		list = append(list, s.name+" ("+strings.Join(asked, ", ")+")")
	}
	return strings.Join(list, ", ")
}

// unknown is the reason for which a user is refused whom none of these sources
// knows.
func (c *chain) unknown(in []int) string {
	var asked []string
	for _, i := range in {
		if s := c.sources[i]; s.asked(backends.CheckUser) {
			asked = append(asked, s.name)
		}
	}
	if len(asked) == 0 {
		return "no backend is asked for this user's password"
	}
	return "no such user (" + strings.Join(asked, ", ") + ")"
}

// wrap makes the backend's name part of an error.
func (s *source) wrap(err error) error { return fmt.Errorf("%s: %w", s.name, err) }

// superPattern returns the option superusers if it is about a user, else "".
func (c *chain) superPattern(name string) string {
	if name == Anonymous || c.glob == "" || !glob(c.glob, name) {
		return ""
	}
	return c.glob
}
