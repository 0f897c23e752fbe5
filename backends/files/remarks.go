package files

import (
	"errors"
	"fmt"
)

// maxRemarks bounds what is said about one file: the wrong file, given by
// mistake, must not fill the log.
const maxRemarks = 20

// remarks is what there is to say about the lines of a file.
//
// Nothing that a line of a password file says may get into it. As such a file
// can be given for an ACL file by mistake, neither may a line that was not
// understood.
type remarks struct {
	file  string
	texts []string
	more  int // beyond maxRemarks
}

// add says something about a line, or about the file if line is 0.
func (r *remarks) add(line int, format string, args ...any) {
	if len(r.texts) == maxRemarks {
		r.more++
		return
	}
	at := r.file
	if line > 0 {
		at = fmt.Sprintf("%s:%d", r.file, line)
	}
	r.texts = append(r.texts, at+": "+fmt.Sprintf(format, args...))
}

func (r *remarks) list() []string {
	if r.more == 0 {
		return r.texts
	}
	return append(r.texts, fmt.Sprintf("%s: and %d more of the kind", r.file, r.more))
}

// err joins the remarks to one error, nil if there are none.
func (r *remarks) err() error {
	var all []error
	for _, text := range r.list() {
		all = append(all, errors.New(text))
	}
	return errors.Join(all...)
}
