package sqldb

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"mosquitto-go-auth/backends"
	"mosquitto-go-auth/conf"
)

// Param is what a placeholder stands for.
type Param uint8

const (
	Name     Param = 1 + iota // the user name
	Access                    // one right, as a number: 1 read, 2 write, 4 subscribe
	ClientID                  // the MQTT client identifier
)

// Role is what a statement is for.
type Role string

const (
	UserQuery  Role = "userquery"
	SuperQuery Role = "superquery"
	ACLQuery   Role = "aclquery"
)

// Query is a statement as the operator wrote it.
type Query struct {
	Option string // the option it was given as, "mysql_userquery" or "userquery"
	Text   string // "" if it was not given

	// AuthPlug says that the option's name is mosquitto-auth-plug's, in whose
	// queries the parameters are printf verbs.
	AuthPlug bool
}

// QueryOf returns the query that an option such as "mysql_aclquery" holds, whose
// names begin with the prefix "mysql_". It knows under which of its names it was
// given; one that was not is taken for mosquitto-auth-plug's if the userquery is.
func QueryOf(s *conf.Set, prefix, option, text string) Query {
	given := s.Written(option)
	if text == "" && s.Written(prefix+string(UserQuery)) == string(UserQuery) {
		given = strings.TrimPrefix(option, prefix)
	}
	return Query{Option: given, Text: text, AuthPlug: given != option}
}

// Statement is a query that was understood. It is immutable.
type Statement struct {
	Option string
	Text   string  // for the server, with its own placeholders
	Params []Param // what to bind, in the order of the placeholders' numbers

	tokens []token
	printf bool // it was written with %s
}

// Parse reads a query for the given role. An error is a fault of the query and
// says what to write instead; it does not name the option.
//
// The parameters are placeholders in the order name, access; or, for the users
// of mosquitto-auth-plug, printf verbs that are rewritten to placeholders: %s,
// also as a whole string '%s', for the name, a second one for the client
// identifier, and %d for the access. Nothing is ever written into the text.
func Parse(d Dialect, role Role, q Query) (*Statement, error) {
	tokens, err := lex(d, q.Text)
	if err != nil {
		return nil, err
	}
	s := &Statement{Option: q.Option, tokens: tokens, printf: usesPrintf(tokens, q)}
	if s.printf {
		err = rewrite(d, tokens)
	} else {
		err = number(d, role, tokens)
	}
	if err != nil {
		return nil, err
	}
	s.Params = d.params(tokens)
	if err := s.check(d, role); err != nil {
		return nil, err
	}
	s.Text = s.text(d)
	return s, nil
}

// number gives the placeholders of the server's own style their meaning.
func number(d Dialect, role Role, tokens []token) error {
	n := 0
	for i, t := range tokens {
		if t.kind != placeholder {
			continue
		}
		n++
		if d == Postgres {
			n, _ = strconv.Atoi(t.source[1:]) // out of range: too large below
		}
		switch {
		case n == 1:
			tokens[i].param = Name
		case n == 2 && role == ACLQuery:
			tokens[i].param = Access
		default:
			return tooMany(role, t.source)
		}
	}
	return nil
}

func tooMany(role Role, placeholder string) error {
	if role == ACLQuery {
		return fmt.Errorf("there is a placeholder too many, %s: the first is bound to the user name, the second to the access", placeholder)
	}
	return fmt.Errorf("there is a placeholder too many, %s: the only one is bound to the user name", placeholder)
}

// params lists what to bind. In Postgres a parameter keeps its number however
// often it occurs, and the numbers follow the order of the constants, which is
// also the one in which they are given in the server's own style.
func (d Dialect) params(tokens []token) []Param {
	var params []Param
	for _, t := range tokens {
		if t.kind == placeholder {
			params = append(params, t.param)
		}
	}
	if d == Postgres {
		slices.Sort(params)
		params = slices.Compact(params)
	}
	return params
}

// text is what the server gets.
func (s *Statement) text(d Dialect) string {
	var b strings.Builder
	for i, t := range s.tokens {
		if t.kind == placeholder && s.printf {
			b.WriteString(s.placeholder(d, i))
		} else {
			b.WriteString(t.text)
		}
	}
	return b.String()
}

// placeholder writes the one that takes the place of a verb, apart from its
// neighbours where they would grow together: x%s is not to become the name x$1.
func (s *Statement) placeholder(d Dialect, i int) string {
	text := "?"
	if d == Postgres {
		text = "$" + strconv.Itoa(1+slices.Index(s.Params, s.tokens[i].param))
	}
	if i > 0 && touches(s.tokens[i-1], len(s.tokens[i-1].text)-1) {
		text = " " + text
	}
	if i+1 < len(s.tokens) && touches(s.tokens[i+1], 0) {
		text += " "
	}
	return text
}

// touches tells whether the byte of the token could be part of a placeholder.
func touches(t token, at int) bool {
	return t.kind == placeholder || isWord(t.text[at])
}

func (s *Statement) check(d Dialect, role Role) error {
	if s.has(ClientID) && role != UserQuery {
		return errors.New("the client identifier (a second %s) has a meaning in a userquery only; " +
			"rights are kept for a user, so write %c in the topics that depend on the client")
	}
	if s.has(Access) && role != ACLQuery {
		return errors.New("%d has no meaning here: only an aclquery is asked for an access")
	}
	if s.has(Name) {
		return nil
	}
	write := "?"
	if d == Postgres {
		write = "$1"
	}
	if s.printf {
		write = "'%s'"
	}
	return fmt.Errorf("the query does not use the user name: write %s where it belongs", write)
}

// has tells whether the parameter is bound.
func (s *Statement) has(p Param) bool {
	return slices.Contains(s.Params, p)
}

// args are the values to bind.
func (s *Statement) args(l backends.Lookup, access backends.Access) []any {
	args := make([]any, len(s.Params))
	for i, p := range s.Params {
		switch p {
		case Name:
			args[i] = l.Name
		case Access:
			args[i] = int64(access)
		case ClientID:
			args[i] = l.ClientID
		}
	}
	return args
}
