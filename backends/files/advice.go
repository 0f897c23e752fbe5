package files

import (
	"fmt"
	"strings"
	"unicode"

	"mosquitto-go-auth/backends"
)

var _ backends.Adviser = (*Files)(nil)

// HowToGrant returns lines for the ACL file.
func (f *Files) HowToGrant(name string, r backends.Rule) string {
	file, word := f.mosquittoACL, ""
	if f.predecessorACL.given() {
		file = f.predecessorACL
	}
	switch r.Access {
	case backends.Read:
		word = "read"
	case backends.Write:
		word = "write"
	case backends.Subscribe:
		word = "subscribe" // Mosquitto's kind of file never refuses it
	}
	anonymousToo := f.mosquittoACL.given()
	if word == "" || !file.given() || !writable(r.Pattern) || name != "" && !writable(name) || name == "" && !anonymousToo {
		return ""
	}
	line := fmt.Sprintf("topic %s %s", word, r.Pattern)
	if name == "" {
		return fmt.Sprintf("in %s, before the first line with user:\n%s", file.path, line)
	}
	return fmt.Sprintf("at the end of %s:\nuser %s\n%s", file.path, name, line)
}

// writable tells whether a text can stand in an ACL file as it is.
func writable(text string) bool {
	return text != "" && text == strings.Trim(text, blanks) && !strings.ContainsFunc(text, unicode.IsControl)
}
