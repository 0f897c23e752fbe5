package sqldb

import (
	"errors"
	"strings"
)

type kind uint8

const (
	space kind = iota
	comment
	word        // a keyword, a name or a number
	quotedName  // `name`, in Postgres "name"
	literal     // a string
	placeholder // ? or $1; in rewritten text also %s and %d
	percent     // % and the letter or % behind it
	symbol
)

type token struct {
	kind   kind
	source string // as the operator wrote it
	text   string // as the server gets it
	param  Param  // what a placeholder stands for
}

var (
	errQuote      = errors.New("a quotation mark is never closed")
	errComment    = errors.New("a comment is never closed")
	errExecutable = errors.New("comments that the server executes (/*! … */) are not understood; write the query without them")
)

// lex cuts SQL text into tokens, which together are the text. It reads no more
// of the language than is needed to tell a placeholder from a question mark in
// a string, a name or a comment.
func lex(d Dialect, text string) ([]token, error) {
	var tokens []token
	for rest, before := text, ""; rest != ""; {
		k, n, err := d.next(rest, before)
		if err != nil {
			return nil, err
		}
		before = rest[:n]
		tokens = append(tokens, token{kind: k, source: before, text: before})
		rest = rest[n:]
	}
	return tokens, nil
}

// next returns kind and length of the token at the beginning of s. before is
// the one in front of it.
func (d Dialect) next(s, before string) (kind, int, error) {
	switch c := s[0]; {
	case isSpace(c):
		return space, span(s, isSpace), nil
	case d.opensComment(s):
		n, err := d.comment(s)
		return comment, n, err
	case c == '\'':
		n, err := quoted(s, d == MySQL || strings.EqualFold(before, "E"))
		return literal, n, err
	case c == '"' && d == MySQL:
		n, err := quoted(s, true)
		return literal, n, err
	case c == '"', c == '`' && d == MySQL:
		n, err := quoted(s, false)
		return quotedName, n, err
	case c == '$' && d == Postgres:
		return dollar(s)
	case c == '?' && d == MySQL:
		return placeholder, 1, nil
	case isWord(c):
		return word, span(s, isWord), nil
	case c == '%':
		return percent, verb(s), nil
	case strings.HasPrefix(s, ">="), strings.HasPrefix(s, "<="):
		return symbol, 2, nil
	}
	return symbol, 1, nil
}

func (d Dialect) opensComment(s string) bool {
	switch {
	case strings.HasPrefix(s, "/*"):
		return true
	case d == Postgres:
		return strings.HasPrefix(s, "--")
	case strings.HasPrefix(s, "--"):
		return len(s) == 2 || s[2] <= ' ' // MySQL reads 5--2 as 7
	}
	return s[0] == '#'
}

// comment returns the length of the comment at the beginning of s.
func (d Dialect) comment(s string) (int, error) {
	if !strings.HasPrefix(s, "/*") {
		return span(s, func(c byte) bool { return c != '\n' }), nil
	}
	if d == MySQL && (strings.HasPrefix(s, "/*!") || strings.HasPrefix(s, "/*M!")) {
		return 0, errExecutable
	}
	for i, depth := 2, 1; i+1 < len(s); i++ {
		switch {
		case s[i] == '*' && s[i+1] == '/':
			i, depth = i+1, depth-1
		case s[i] == '/' && s[i+1] == '*' && d == Postgres:
			i, depth = i+1, depth+1
		}
		if depth == 0 {
			return i + 1, nil
		}
	}
	return 0, errComment
}

// quoted returns the length of the quotation at the beginning of s. A doubled
// quotation mark stands for itself and needs no care: it ends one quotation
// and begins another.
func quoted(s string, backslash bool) (int, error) {
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '\\' && backslash:
			i++
		case s[i] == s[0] && i+1 < len(s) && s[i+1] == s[0]:
			i++
		case s[i] == s[0]:
			return i + 1, nil
		}
	}
	return 0, errQuote
}

// dollar reads $1, a Postgres string in dollar quotes, or a lone dollar sign.
func dollar(s string) (kind, int, error) {
	digits := span(s[1:], isDigit)
	if digits > 0 {
		return placeholder, 1 + digits, nil
	}
	tag := 1 + span(s[1:], func(c byte) bool { return isWord(c) && c != '$' })
	if tag == len(s) || s[tag] != '$' {
		return symbol, 1, nil
	}
	tag++
	end := strings.Index(s[tag:], s[:tag])
	if end < 0 {
		return literal, 0, errQuote
	}
	return literal, tag + end + tag, nil
}

// verb returns the length of what printf takes for a verb: % and a letter or
// another %, or a lone %.
func verb(s string) int {
	if len(s) > 1 && (s[1] == '%' || isLetter(s[1])) {
		return 2
	}
	return 1
}

func span(s string, in func(byte) bool) int {
	n := 0
	for n < len(s) && in(s[n]) {
		n++
	}
	return n
}

func isSpace(c byte) bool  { return c == ' ' || '\t' <= c && c <= '\r' }
func isDigit(c byte) bool  { return '0' <= c && c <= '9' }
func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }
func isWord(c byte) bool   { return isLetter(c) || isDigit(c) || c == '_' || c == '$' || c >= 0x80 }
