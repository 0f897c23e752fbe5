package conf

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Parse reads the lines. All that is wrong with them is collected; see Result.
//
// Blanks around a value do not count. If an option is given more than once, its
// present name beats a former one; otherwise the last line counts; both with a
// warning. The value "warn" of unknown_options, an option that the engine
// declares, turns the fault of an unknown name into a warning, wherever it
// stands.
func (s *Set) Parse(lines []Line) {
	for _, l := range lines {
		if l.Key == "unknown_options" {
			value, _ := cutComment(strings.TrimSpace(l.Value))
			s.lax = value == "warn"
		}
	}
	for _, l := range lines {
		l.Value = strings.TrimSpace(l.Value)
		if len(s.names[l.Key]) > 0 {
			s.known(l)
		} else {
			s.unknown(l)
		}
	}
}

func (s *Set) known(l Line) {
	for _, o := range s.names[l.Key] {
		if !s.counts(o, l) {
			continue
		}
		o.given = &l
		if o.twice() {
			s.faultAt(l, "%s and its file are both given; keep one of them", o.secretName())
			continue
		}
		if err := s.set(o, l); err != nil {
			s.faultAt(l, "%w", err)
		}
	}
}

// counts tells whether the line sets the option, and warns if another line
// wants to as well.
func (s *Set) counts(o *Option, l Line) bool {
	switch before := o.given; {
	case before == nil:
		return true
	case before.Key == l.Key:
		s.warnAt(l, "given more than once; the last one counts")
		return true
	case before.Key == o.Name:
		s.warnAt(l, "%s is given too, and counts", before.Key)
		return false
	default:
		s.warnAt(l, "%s is given too; %s counts", before.Key, l.Key)
		return true
	}
}

func (s *Set) set(o *Option, l Line) error {
	err := o.read(l.Value)
	before, comment := cutComment(l.Value)
	switch {
	case !comment:
		return err
	case err == nil:
		s.warnAt(l, "all of the line is its value, also what follows the #; the broker knows no comments behind a value")
		return nil
	case o.hidden() || o.value.Set(before) != nil:
		return err
	}
	s.warnAt(l, "read without the # and what follows; the broker knows no comments behind a value")
	return nil
}

// read sets the value from text. The error does not show a secret, nor the
// name of its file: it could be the secret itself, in the wrong place.
func (o *Option) read(text string) error {
	if o.holder != nil {
		return o.holder.fromFile(text)
	}
	if o.secret {
		return o.fromLine(text)
	}
	if err := o.value.Set(text); err != nil {
		return fmt.Errorf("%.40q is not right: %w", text, err)
	}
	return nil
}

func (s *Set) unknown(l Line) {
	if why, ok := s.retired[l.Key]; ok {
		s.warnAt(l, "has no effect: %s", why)
		return
	}
	if why, ok := s.refusal(l.Key); ok {
		s.faultAt(l, "%s", why)
		return
	}
	complain := s.faultAt
	if s.lax {
		complain = s.warnAt
	}
	name := leadingName(l.Key)
	if name != l.Key {
		complain(l, "no such option; a single blank belongs between a name and its value")
		return
	}
	if near := s.nearest(name); near != "" {
		complain(l, "no such option; did you mean %s?", near)
		return
	}
	complain(l, "no such option")
}

func (s *Set) refusal(key string) (why string, ok bool) {
	if why, ok := s.refused[key]; ok {
		return why, true
	}
	for _, r := range s.prefixes {
		if strings.HasPrefix(key, r.prefix) {
			return r.why, true
		}
	}
	return "", false
}

// warnAt and faultAt say nothing twice of a line that sets several options.
func (s *Set) warnAt(l Line, format string, args ...any) {
	s.warnings = addOnce(s.warnings, l, format, args)
}

func (s *Set) faultAt(l Line, format string, args ...any) {
	s.faults = addOnce(s.faults, l, format, args)
}

func addOnce(to []Remark, l Line, format string, args []any) []Remark {
	key := leadingName(l.Key)
	if key != l.Key {
		key += "…"
	}
	r := Remark{At: l.At, Key: key, Text: explain(format, args), Here: here(format, args)}
	if n := len(to); n > 0 && to[n-1] == r {
		return to
	}
	return append(to, r)
}

// leadingName returns as much of a key as can be a name. The rest is not fit
// to be shown: in "mysql_password=secret" it is the secret.
func leadingName(key string) string {
	end := strings.IndexFunc(key, func(r rune) bool {
		return r != '_' && r != '.' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	})
	if end < 0 {
		end = len(key)
	}
	return key[:min(end, 64)]
}

var comment = regexp.MustCompile(`\s+#`)

// cutComment returns what stands before a comment behind a value.
func cutComment(value string) (before string, found bool) {
	if at := comment.FindStringIndex(value); at != nil {
		return value[:at[0]], true
	}
	return value, false
}

// nearest finds the option whose name differs least from key, "" if none is
// near: one letter for a name as short as "host", at most three.
func (s *Set) nearest(key string) string {
	names := make([]string, 0, len(s.names))
	for n := range s.names {
		names = append(names, n)
	}
	slices.Sort(names)
	best, least := "", 1+min(3, max(1, len(key)/4))
	for _, n := range names {
		if d := distance(key, n); d < least {
			best, least = n, d
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
