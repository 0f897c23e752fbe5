package conf

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// String declares a text.
func (s *Set) String(p *string, name, value, doc string) *Option {
	*p = value
	return s.Var((*textValue)(p), name, "text", doc)
}

// Bool declares a switch: true or false; yes, no, on, off, 1 and 0 are
// understood.
func (s *Set) Bool(p *bool, name string, value bool, doc string) *Option {
	*p = value
	return s.Var((*boolValue)(p), name, "true or false", doc)
}

// Int declares a whole number from min to max.
func (s *Set) Int(p *int, name string, value, min, max int, doc string) *Option {
	*p = value
	return s.Var(&intValue{p, min, max}, name, fmt.Sprintf("number %d–%d", min, max), doc)
}

// Duration declares a length of time, written as a whole number of seconds or
// with a unit ("250ms", "1h30m"), from min to max.
func (s *Set) Duration(p *time.Duration, name string, value, min, max time.Duration, doc string) *Option {
	*p = value
	return s.Var(&durationValue{p, min, max}, name,
		fmt.Sprintf("duration %s–%s", short(min), short(max)), doc)
}

// Choice declares one of a few words.
func (s *Set) Choice(p *string, name, value string, words []string, doc string) *Option {
	*p = value
	return s.Var(&choiceValue{p, words}, name, "one of "+strings.Join(words, ", "), doc)
}

// List declares a list of words, separated by commas. What *p holds is the
// default.
func (s *Set) List(p *[]string, name string, doc string) *Option {
	return s.Var((*listValue)(p), name, "list", doc)
}

type textValue string

func (v *textValue) String() string     { return string(*v) }
func (v *textValue) Set(s string) error { *v = textValue(s); return nil }

type boolValue bool

func (v *boolValue) String() string { return strconv.FormatBool(bool(*v)) }

func (v *boolValue) Set(s string) error {
	switch strings.ToLower(s) {
	case "true", "yes", "on", "1":
		*v = true
	case "false", "no", "off", "0":
		*v = false
	default:
		return errors.New("write true or false")
	}
	return nil
}

type intValue struct {
	p        *int
	min, max int
}

func (v *intValue) String() string { return strconv.Itoa(*v.p) }

func (v *intValue) Set(s string) error {
	n, err := strconv.Atoi(s)
	if err != nil || n < v.min || n > v.max {
		return fmt.Errorf("write a whole number from %d to %d", v.min, v.max)
	}
	*v.p = n
	return nil
}

type durationValue struct {
	p        *time.Duration
	min, max time.Duration
}

func (v *durationValue) String() string {
	if *v.p%time.Second == 0 {
		return strconv.Itoa(int(*v.p / time.Second))
	}
	return v.p.String()
}

func (v *durationValue) Set(s string) error {
	if strings.Trim(s, "0123456789") == "" {
		s += "s" // ParseDuration knows what overflows
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < v.min || d > v.max {
		return fmt.Errorf("write a duration from %s to %s: seconds (30), or with a unit (250ms, 1h)",
			short(v.min), short(v.max))
	}
	*v.p = d
	return nil
}

// short writes a duration without the zeros of "1h0m0s".
func short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

type choiceValue struct {
	p     *string
	words []string
}

func (v *choiceValue) String() string { return *v.p }

func (v *choiceValue) Set(s string) error {
	if !slices.Contains(v.words, s) {
		return fmt.Errorf("write one of %s", strings.Join(v.words, ", "))
	}
	*v.p = s
	return nil
}

type listValue []string

func (v *listValue) String() string { return strings.Join(*v, ", ") }

func (v *listValue) Set(s string) error {
	var words []string
	for _, w := range strings.Split(s, ",") {
		w = strings.TrimSpace(w)
		if strings.ContainsAny(w, " \t") {
			return errors.New("separate the words with commas")
		}
		if w != "" {
			words = append(words, w)
		}
	}
	*v = words
	return nil
}
