package files

import (
	"errors"
	"fmt"
	"strings"

	"mosquitto-go-auth/backends"
)

// acl holds the lines of an ACL file in the order of the file. They are
//
//	user NAME
//	topic [ACCESS] FILTER
//	pattern [ACCESS] FILTER
//
// with blanks between the words; NAME and FILTER may have some inside. Without
// ACCESS it is readwrite. Empty lines and those that begin with # say nothing.
type acl struct {
	leading  backends.Section // topic lines before the first user line
	users    []userLines
	patterns backends.Section
	wildcard int // the first line with a wildcard in the first level, 0 for none
}

// userLines is a user line and the topic lines that belong to it: those up to
// the next user line, even after a pattern.
type userLines struct {
	line   int
	name   string // not unique
	topics backends.Section
}

// dialect is one of the two ways to read an ACL file.
type dialect interface {
	// access returns a rule with the rights that an access word gives on a
	// filter, and false for a word that is not known.
	access(word, filter string) (backends.Rule, bool)
	// words lists the access words, for the operator.
	words() string
	// rights makes the rules of the lines. hashes holds the users of the
	// password file, and is nil where there is none.
	rights(lines acl, hashes map[string]string, notes *remarks) *rights
}

// parseACL reads an ACL file. The result is of no use if a fault was added.
func parseACL(text string, d dialect, faults *remarks) (a acl) {
	for n, line := range lines(text) {
		if err := a.parseLine(n, line, d); err != nil {
			faults.add(n, "%v", err)
		}
	}
	return a
}

func (a *acl) parseLine(n int, line string, d dialect) error {
	word, rest := cutWord(line)
	switch {
	case word == "" || word[0] == '#':
		return nil
	case word == "user":
		a.users = append(a.users, userLines{line: n, name: rest})
		return checkName(rest)
	case word != "topic" && word != "pattern":
		return errors.New("write user, topic, pattern or # at the beginning of a line")
	}
	r, err := parseRule(rest, d)
	if err != nil {
		return err
	}
	if a.wildcard == 0 && strings.ContainsRune("#+", rune(r.Pattern[0])) {
		a.wildcard = n
	}
	switch {
	case word == "pattern":
		a.patterns = append(a.patterns, r)
	case len(a.users) == 0:
		a.leading = append(a.leading, r)
	default:
		r.Literal = true
		u := &a.users[len(a.users)-1]
		u.topics = append(u.topics, r)
	}
	return nil
}

// topics gathers the topic lines of each user.
func (a *acl) topics() map[string]backends.Section {
	all := map[string]backends.Section{}
	for _, u := range a.users {
		all[u.name] = append(all[u.name], u.topics...)
	}
	return all
}

// cutWord cuts the first word off a line.
func cutWord(line string) (word, rest string) {
	line = strings.Trim(line, blanks)
	i := strings.IndexAny(line, blanks)
	if i < 0 {
		return line, ""
	}
	return line[:i], strings.TrimLeft(line[i:], blanks)
}

func parseRule(text string, d dialect) (backends.Rule, error) {
	word, filter := cutWord(text)
	if filter == "" {
		word, filter = "readwrite", word
	}
	if err := backends.CheckFilter(filter); err != nil {
		return backends.Rule{}, err
	}
	r, ok := d.access(word, filter)
	if !ok {
		return r, fmt.Errorf("unknown access; write %s before the topic filter", d.words())
	}
	r.Pattern = filter
	return r, nil
}

func checkName(name string) error {
	if name == "" {
		return errors.New("no user name; write user NAME")
	}
	if !validText(name) {
		return errors.New("the user name is not UTF-8 as MQTT demands it")
	}
	return nil
}
