// Package conf reads options.
//
// Every option is declared once, by the package that uses it, in a [Set]: with
// its type, default, a line of documentation, and the names that the
// predecessors gave it. From the declarations come the parsing, the complaints
// and the tables in the documents.
//
// The package also reads mosquitto.conf (see [ReadFile]), for the command line;
// inside the broker, the broker does that.
package conf

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"unicode"
)

// Line is one option as the broker hands it over: auth_opt_KEY VALUE, or
// plugin_opt_KEY VALUE.
type Line struct {
	Key, Value string
	At         Position
}

// String returns the key alone: the value may be a secret.
func (l Line) String() string { return l.Key }

// Position is a place in a configuration file. Inside the broker, which does
// not tell, it is zero.
type Position struct {
	File string
	Line int // from 1; 0 for the file as a whole
}

func (p Position) String() string {
	if p.File == "" {
		return ""
	}
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d", p.File, p.Line)
}

// Remark is something to tell the operator about the configuration: a fault or
// a warning.
type Remark struct {
	At   Position
	Key  string // the option, as written; "" if the remark is about none or several
	Text string // what is wrong, and what to do

	// Here is fs.ErrPermission or ErrUnset where that is what is wrong: another
	// process, with other rights and another environment, may find it right.
	// Otherwise it is nil.
	Here error
}

// ErrUnset says that an environment variable is not set, or empty.
var ErrUnset = errors.New("the environment variable it names is not set, or empty")

// here finds what depends on this process among the causes of a remark.
func here(format string, args []any) error {
	err := fmt.Errorf(format, args...)
	for _, cause := range []error{fs.ErrPermission, ErrUnset} {
		if errors.Is(err, cause) {
			return cause
		}
	}
	return nil
}

func (r Remark) String() string {
	var b strings.Builder
	if at := r.At.String(); at != "" {
		b.WriteString(at + ": ")
	}
	if r.Key != "" {
		b.WriteString("option " + r.Key + ": ")
	}
	b.WriteString(r.Text)
	return b.String()
}

// explain renders the text of a remark, which ends up in a log, on one line.
func explain(format string, args []any) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return '?'
		}
		return r
	}, fmt.Errorf(format, args...).Error())
}

// Faults are all the reasons why a configuration cannot be used.
type Faults []Remark

func (f Faults) Error() string {
	texts := make([]string, len(f))
	for i, r := range f {
		texts[i] = r.String()
	}
	return strings.Join(texts, "\n")
}
