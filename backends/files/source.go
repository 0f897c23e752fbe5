package files

import (
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"strings"
)

// blanks are the characters that count as blank: C's isspace, as in the broker.
// The carriage return of a file from Windows is among them.
const blanks = " \t\v\f\r"

// Permissions that everyone has on a file.
const (
	othersRead  fs.FileMode = 0o004
	othersWrite fs.FileMode = 0o002
)

// source is a file that an option names.
type source struct {
	path   string // "" if the option is not given
	option string // the name under which it is given
}

func (s source) given() bool { return s.path != "" }

// read returns the text of the file. Permissions that everyone has and that
// are among the dangerous ones give a note.
func (s source) read(dangerous fs.FileMode, notes *remarks) (string, error) {
	info, err := os.Stat(s.path)
	if err != nil {
		return "", s.fault(err)
	}
	if !info.Mode().IsRegular() { // to open a FIFO could take for ever
		return "", s.fault(fmt.Errorf("%s is not a regular file", s.path))
	}
	text, err := os.ReadFile(s.path)
	if err != nil {
		return "", s.fault(err)
	}
	verbs := map[fs.FileMode]string{othersRead: "read", othersWrite: "change", othersRead | othersWrite: "read and change"}
	if verb := verbs[info.Mode()&dangerous]; verb != "" {
		notes.add(0, "everyone on this machine can %s this file; %s", verb, s.owner())
	}
	return strings.TrimPrefix(string(text), "\ufeff"), nil
}

// owner says how to make the file the broker's.
func (s source) owner() string {
	return fmt.Sprintf("make it the broker's own: chown mosquitto '%[1]s' && chmod 0600 '%[1]s'", s.path)
}

func (s source) fault(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("option %s: %w; create it, or correct the path", s.option, err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("option %s: %w; the broker has to be able to read it: if it cannot, %s", s.option, err, s.owner())
	default:
		return fmt.Errorf("option %s: %w", s.option, err)
	}
}

// lines yields the lines of a text with their numbers, from 1, and without the
// blanks at their ends. Those at their beginnings stay.
func lines(text string) iter.Seq2[int, string] {
	return func(yield func(int, string) bool) {
		n := 0
		for line := range strings.Lines(text) {
			n++
			if !yield(n, strings.TrimRight(line, "\n"+blanks)) {
				return
			}
		}
	}
}
