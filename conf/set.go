package conf

import (
	"cmp"
	"flag"
	"fmt"
	"slices"
)

// Set is the set of options that a plugin instance knows. Packages declare
// theirs with String, Bool and so on; Parse then reads the values into the
// variables. A Set is not safe for concurrent use.
type Set struct {
	options  []*Option
	group    string
	own      map[string]*Option   // by the option's own name
	names    map[string][]*Option // also by the former names, which several options may share
	retired  map[string]string    // accepted without effect: name to what the warning says
	refused  map[string]string    // name to what the fault says
	prefixes []refusal            // the same for every name that begins so
	lax      bool

	warnings []Remark
	faults   Faults
}

type refusal struct{ prefix, why string }

// Option is one declared option.
type Option struct {
	Name    string
	Group   string // the heading it is documented under
	Type    string // as documented: "text", "true or false", "number 1–65535", …
	Default string // as the option would be written; "" for none
	Doc     string
	Former  []string // other names that are understood

	value  flag.Value
	given  *Line   // how it was set; nil if it was not
	secret bool    // the value is never shown
	file   *Option // of a secret: the option that names a file with the value
	holder *Option // of such an option: the secret
}

// NewSet returns an empty set.
func NewSet() *Set {
	return &Set{own: map[string]*Option{}, names: map[string][]*Option{},
		retired: map[string]string{}, refused: map[string]string{}}
}

// IsSecret tells whether the value must never be shown.
func (o *Option) IsSecret() bool { return o.secret }

// Value returns what the option holds, as it would be written; "" for a secret.
func (o *Option) Value() string {
	if o.hidden() {
		return ""
	}
	return o.value.String()
}

// Is tells whether name is one of the option's own, present or former. That of
// the file of a secret is not.
func (o *Option) Is(name string) bool { return o.Name == name || slices.Contains(o.Former, name) }

// Group names the heading for the options declared from now on.
func (s *Set) Group(name string) { s.group = name }

// Var declares an option of any type, whose default is the present value. It
// panics if the name is taken: a programmer's mistake that every start of every
// test finds. An error of v.Set ends up in a log, behind the value.
func (s *Set) Var(v flag.Value, name, typ, doc string) *Option {
	if len(s.names[name]) > 0 {
		panic(fmt.Sprintf("conf: option %s declared twice", name))
	}
	o := &Option{Name: name, Group: s.group, Type: typ, Default: v.String(), Doc: doc, value: v}
	s.options = append(s.options, o)
	s.own[name] = o
	s.names[name] = []*Option{o}
	return o
}

// Also declares former names of the option. Several options may share one:
// the predecessor auth-plug gave MySQL and Postgres the same. It panics if one
// is the present name of an option.
func (s *Set) Also(o *Option, names ...string) *Option {
	for _, n := range names {
		if s.own[n] != nil {
			panic(fmt.Sprintf("conf: former name %s of %s is an option", n, o.Name))
		}
		o.Former = append(o.Former, n)
		s.names[n] = append(s.names[n], o)
		if o.file != nil {
			s.Also(o.file, n+"_file")
		}
	}
	return o
}

// Secret marks an option whose value must never be shown, and which can also
// be given as NAME_file (the name of a file that holds it) or as ${VARIABLE}
// (of the environment).
func (s *Set) Secret(o *Option) *Option {
	o.secret = true
	o.file = s.Var(secretFile{}, o.Name+"_file", "file name", "a file that holds "+o.Name)
	o.file.Group = o.Group
	o.file.holder = o
	for _, f := range o.Former {
		s.Also(o.file, f+"_file")
	}
	return o
}

// Retire accepts options that no longer have an effect; a warning says why.
func (s *Set) Retire(why string, names ...string) {
	for _, n := range names {
		s.retired[n] = why
	}
}

// Refuse names options that are a fault; why says what to do instead.
func (s *Set) Refuse(why string, names ...string) {
	for _, n := range names {
		s.refused[n] = why
	}
}

// RefusePrefix refuses all options whose names begin so and that are not
// declared. Of several prefixes that match, the one named first counts.
func (s *Set) RefusePrefix(why string, prefixes ...string) {
	for _, p := range prefixes {
		s.prefixes = append(s.prefixes, refusal{p, why})
	}
}

// Given tells under which of its names an option was given, "" if it was not.
// name is its present name; a secret counts as given by its file, too.
func (s *Set) Given(name string) string {
	if l := s.line(name); l != nil {
		return l.Key
	}
	return ""
}

// Written is the name under which an option was given, or would be: its present one.
func (s *Set) Written(name string) string { return cmp.Or(s.Given(name), name) }

// GivenOf returns those of several options that were given, by the names under which
// they were.
func (s *Set) GivenOf(names ...string) (given []string) {
	for _, n := range names {
		if g := s.Given(n); g != "" {
			given = append(given, g)
		}
	}
	return given
}

// Counts returns the line that set an option, by its present name; a secret may
// have been set by the line that names its file.
func (s *Set) Counts(name string) (l Line, ok bool) {
	if given := s.line(name); given != nil {
		return *given, true
	}
	return l, false
}

// line returns the line that set the option of that name, nil if none did.
func (s *Set) line(name string) *Line {
	for _, o := range s.names[name] {
		if o.given != nil {
			return o.given
		}
		if o.file != nil && o.file.given != nil {
			return o.file.given
		}
	}
	return nil
}

// Fault adds a fault that a declaring package found in the values it read. key
// is the option it is about, or "".
func (s *Set) Fault(key, format string, args ...any) {
	s.faults = append(s.faults, s.remark(key, format, args))
}

// Warn adds a warning, likewise.
func (s *Set) Warn(key, format string, args ...any) {
	s.warnings = append(s.warnings, s.remark(key, format, args))
}

func (s *Set) remark(key, format string, args []any) Remark {
	r := Remark{Key: key, Text: explain(format, args), Here: here(format, args)}
	if l := s.line(key); l != nil {
		r.At, r.Key = l.At, l.Key
	}
	return r
}

// Result returns what Parse and the declaring packages found.
func (s *Set) Result() (warnings []Remark, faults Faults) { return s.warnings, s.faults }

// Options returns the declared options in the order of their declaration. To
// each secret belongs a second one, NAME_file.
func (s *Set) Options() []*Option { return s.options }
