package conf

import (
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
)

// Set is the set of options that a plugin instance knows. Packages declare
// theirs with String, Bool and so on; Parse then reads the values into the
// variables. A Set is not safe for concurrent use.
type Set struct {
	flags    *flag.FlagSet // holds, parses and prints the values
	options  []*Option
	group    string
	names    map[string][]*Option // also the former names, which several options may share
	retired  map[string]string    // accepted without effect: name to what the warning says
	refused  map[string]string    // name to what the fault says
	prefixes map[string]string    // the same for every name that begins so
	lax      bool

	warnings []Remark
	faults   Faults
}

// Option is one declared option.
type Option struct {
	Name    string
	Group   string // the heading it is documented under
	Type    string // as documented: "text", "true or false", "seconds", …
	Default string // as the option would be written; "" for none
	Doc     string
	Former  []string // other names that are understood

	secret bool
	given  []Line // how it was set; the last one counts
	value  flag.Value
}

// NewSet returns an empty set.
func NewSet() *Set {
	fs := flag.NewFlagSet("", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	return &Set{flags: fs, names: map[string][]*Option{}, retired: map[string]string{},
		refused: map[string]string{}, prefixes: map[string]string{}}
}

// Group names the heading for the options declared from now on.
func (s *Set) Group(name string) { s.group = name }

// Var declares an option of any type. It panics if the name is taken: a
// programmer's mistake that every start of every test finds.
func (s *Set) Var(v flag.Value, name, typ, doc string) *Option {
	s.flags.Var(v, name, doc)
	o := &Option{Name: name, Group: s.group, Type: typ, Default: v.String(), Doc: doc, value: v}
	s.options = append(s.options, o)
	s.names[name] = append(s.names[name], o)
	return o
}

// Also declares former names of the option. Several options may share one:
// the predecessor auth-plug gave MySQL and Postgres the same.
func (s *Set) Also(o *Option, names ...string) *Option {
	o.Former = append(o.Former, names...)
	for _, n := range names {
		s.names[n] = append(s.names[n], o)
	}
	return o
}

// Secret marks an option whose value must never be shown, and which can also
// be given as NAME_file (the name of a file that holds it) or as ${VARIABLE}
// (of the environment).
func (s *Set) Secret(o *Option) *Option {
	o.secret = true
	name := o.Name
	file := s.Var(&fileValue{into: o}, name+"_file", "file name", "a file that holds `"+name+"`")
	for _, f := range o.Former {
		s.Also(file, f+"_file")
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

// RefusePrefix refuses all options whose names begin so.
func (s *Set) RefusePrefix(why string, prefixes ...string) {
	for _, p := range prefixes {
		s.prefixes[p] = why
	}
}

// Given tells under which name an option was given, "" if it was not.
func (s *Set) Given(name string) string {
	for _, o := range s.names[name] {
		if o.Name == name && len(o.given) > 0 {
			return o.given[len(o.given)-1].Key
		}
	}
	return ""
}

// Fault adds a fault that a declaring package found in the values it read. key
// is the option it is about.
func (s *Set) Fault(key, format string, args ...any) {
	s.faults = append(s.faults, s.remark(key, format, args))
}

// Warn adds a warning, likewise.
func (s *Set) Warn(key, format string, args ...any) {
	s.warnings = append(s.warnings, s.remark(key, format, args))
}

func (s *Set) remark(key, format string, args []any) Remark {
	r := Remark{Key: key, Text: fmt.Sprintf(format, args...)}
	for _, o := range s.names[key] {
		if len(o.given) > 0 {
			r.At = o.given[len(o.given)-1].At
			r.Key = o.given[len(o.given)-1].Key
		}
	}
	return r
}

// Parse reads the lines. All that is wrong with them is collected; see Result.
func (s *Set) Parse(lines []Line) {
	for _, l := range lines {
		if l.Key == "unknown_options" {
			s.lax = strings.TrimSpace(l.Value) == "warn"
		}
	}
	for _, l := range lines {
		l.Value = strings.TrimSpace(l.Value)
		s.line(l)
	}
}

// Result returns what Parse and the declaring packages found.
func (s *Set) Result() (warnings []Remark, faults Faults) { return s.warnings, s.faults }

// Options returns the declared options in the order of their declaration.
func (s *Set) Options() []*Option { return s.options }

func (s *Set) line(l Line) {
	options := s.names[l.Key]
	if len(options) == 0 {
		s.unknown(l)
		return
	}
	for _, o := range options {
		if n := len(o.given); n > 0 && o.given[n-1].Key == l.Key {
			s.warnAt(l, "given twice; the last one counts")
		}
		o.given = append(o.given, l)
		if err := s.set(o, l); err != nil {
			s.faultAt(l, err.Error())
			return
		}
	}
}

var (
	trailingComment = regexp.MustCompile(`^(\S+)\s+#.*$`)
	fromEnvironment = regexp.MustCompile(`^\$\{([A-Za-z_][A-Za-z0-9_]*)\}$`)
)

func (s *Set) set(o *Option, l Line) error {
	value := l.Value
	if o.secret {
		if m := fromEnvironment.FindStringSubmatch(value); m != nil {
			v, ok := os.LookupEnv(m[1])
			if !ok {
				return fmt.Errorf("the environment has no variable %s", m[1])
			}
			value = v
		}
		return o.value.Set(value)
	}
	err := o.value.Set(value)
	if err == nil {
		return nil
	}
	if m := trailingComment.FindStringSubmatch(value); m != nil && o.value.Set(m[1]) == nil {
		s.warnAt(l, fmt.Sprintf("read as %s; the broker's configuration has no comments behind a value", m[1]))
		return nil
	}
	return fmt.Errorf("%q is not right: %w", value, err)
}

func (s *Set) unknown(l Line) {
	if why, ok := s.retired[l.Key]; ok {
		s.warnAt(l, "has no effect: "+why)
		return
	}
	if why, ok := s.refused[l.Key]; ok {
		s.faultAt(l, why)
		return
	}
	for p, why := range s.prefixes {
		if strings.HasPrefix(l.Key, p) {
			s.faultAt(l, why)
			return
		}
	}
	text := "no such option"
	if near := s.nearest(l.Key); near != "" {
		text += "; did you mean " + near + "?"
	}
	if s.lax {
		s.warnAt(l, text)
		return
	}
	s.faultAt(l, text)
}

func (s *Set) warnAt(l Line, text string) {
	s.warnings = append(s.warnings, Remark{At: l.At, Key: l.Key, Text: text})
}

func (s *Set) faultAt(l Line, text string) {
	s.faults = append(s.faults, Remark{At: l.At, Key: l.Key, Text: text})
}

// nearest finds the option whose name differs least from key, "" if none is near.
func (s *Set) nearest(key string) string {
	best, at := "", 1+len(key)/3
	names := make([]string, 0, len(s.names))
	for n := range s.names {
		names = append(names, n)
	}
	slices.Sort(names)
	for _, n := range names {
		if d := distance(key, n); d < at {
			best, at = n, d
		}
	}
	return best
}

// distance is the number of insertions, deletions and replacements of bytes
// that lead from a to b (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			d := diagonal
			if a[i] != b[j] {
				d++
			}
			diagonal = row[j+1]
			row[j+1] = min(d, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}
