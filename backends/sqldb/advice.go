package sqldb

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"

	"mosquitto-go-auth/backends"
)

// simpleACL is an aclquery from which the table and its columns can be told:
//
//	SELECT topic[, rw] FROM table WHERE name = ? [AND rw >= ?]
var simpleACL = regexp.MustCompile(`(?is)^\s*SELECT\s+(\w+)\s*(?:,\s*(\w+)\s*)?\s+FROM\s+([\w.]+)\s+WHERE\s*\(?\s*(\w+)\s*=\s*(?:\?|\$1|'%s')\s*\)?` +
	`(?:\s+AND\s*\(?\s*(\w+)\s*(?:>=|&)\s*(?:\?|\$2|%d)[\s\w<>=)]*)?\s*;?\s*$`)

// HowToGrant returns an INSERT where the aclquery is simple enough to tell which,
// and else asks for a row that it returns. It implements backends.Adviser for the
// backends.
func (s *Source) HowToGrant(name string, r backends.Rule) string {
	if name == "" {
		return ""
	}
	if s.acl == nil {
		return fmt.Sprintf("%s is not set: set it, to a statement that returns a user's topics and rights", s.ACL.Option)
	}
	m := simpleACL.FindStringSubmatch(s.ACL.Text)
	if m == nil || m[2] == "" && m[5] == "" || m[2] != "" && m[5] != "" || !plain(name) || !plain(r.Pattern) {
		return fmt.Sprintf("in %s, a row that %s finds for the user, with the topic %q and the right %d:\n%s", s.Place, s.ACL.Option,
			r.Pattern, r.Access, strings.Join(strings.Fields(s.ACL.Text), " "))
	}
	return fmt.Sprintf("in %s (or change the row of the topic, if there is one):\nINSERT INTO %s (%s, %s, %s) VALUES ('%s', '%s', %d);",
		s.Place, m[3], m[4], m[1], m[2]+m[5], strings.ReplaceAll(name, "'", "''"), strings.ReplaceAll(r.Pattern, "'", "''"), r.Access)
}

// plain tells whether a text can stand between quotes in all dialects.
func plain(text string) bool {
	return !strings.Contains(text, `\`) && !strings.ContainsFunc(text, unicode.IsControl)
}
