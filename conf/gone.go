package conf

import (
	"maps"
	"slices"
	"strings"
)

// Gone is a name, or the beginning of names, that the predecessors had and that
// is no option here.
type Gone struct {
	Name    string
	Prefix  bool   // every name that begins so, and is no option
	Refused bool   // it is a fault; else it has no effect, and is warned of
	Why     string // as the fault or the warning says it
}

// Gone returns what was declared by Retire, Refuse and RefusePrefix, in this
// order; names by the alphabet.
func (s *Set) Gone() (list []Gone) {
	for _, n := range slices.Sorted(maps.Keys(s.retired)) {
		list = append(list, Gone{Name: n, Why: s.retired[n]})
	}
	for _, n := range slices.Sorted(maps.Keys(s.refused)) {
		list = append(list, Gone{Name: n, Refused: true, Why: s.refused[n]})
	}
	for _, p := range s.prefixes {
		list = append(list, Gone{Name: p.prefix, Prefix: true, Refused: true, Why: p.why})
	}
	return list
}

// Is tells whether g speaks of a name, which must not be that of an option.
func (g Gone) Is(name string) bool {
	return g.Name == name || g.Prefix && strings.HasPrefix(name, g.Name)
}

// Named returns the options that a name means: one by its own name, perhaps
// several by a former one, none by an unknown one. The name of the file of a
// secret means the secret.
func (s *Set) Named(name string) (list []*Option) {
	for _, o := range s.names[name] {
		if o.holder != nil {
			o = o.holder
		}
		list = append(list, o)
	}
	return list
}
