package sqldb

import (
	"fmt"
	"strings"
)

// threshold returns a note if the aclquery compares a column with the access
// by size, rw >= ?, as many copied it from the predecessor's documents: the
// rights are bits, so this grants more than the numbers say. The note shows
// the query that grants what they say.
func (s *Statement) threshold() string {
	code := significant(s.tokens)
	c, ok := findComparison(code)
	if !ok {
		return ""
	}
	mended := s.mend(code, c)
	if mended == "" {
		name := "?"
		for _, t := range code {
			if t.param == Name {
				name = t.source
			}
		}
		mended = fmt.Sprintf("SELECT topic, %s FROM … WHERE username = %s", c.column, name)
	}
	return fmt.Sprintf("%s compares %s with the access by size, though its numbers are sums of 1 (read), 2 (write) and 4 (subscribe): "+
		"rows with 2, 4 or 6 also grant read, rows with 4 or 5 also grant write. "+
		"To grant what the numbers say, return the column and let the plugin read it: %s", s.Option, c.column, mended)
}

// piece is a token that is neither blank nor comment, and its place among all.
type piece struct {
	token
	at int
}

func significant(tokens []token) []piece {
	var code []piece
	for i, t := range tokens {
		if t.kind != space && t.kind != comment {
			code = append(code, piece{t, i})
		}
	}
	return code
}

func (p piece) is(keyword string) bool {
	return (p.kind == word || p.kind == symbol) && strings.EqualFold(p.source, keyword)
}

// path returns the length of the name at the beginning of code, such as rw or
// a.`rw`; 0 if there is none.
func path(code []piece) int {
	name := func(i int) bool {
		return i < len(code) && (code[i].kind == quotedName || code[i].kind == word && !isDigit(code[i].source[0]))
	}
	if !name(0) {
		return 0
	}
	n := 1
	for n < len(code) && code[n].is(".") && name(n+1) {
		n += 2
	}
	return n
}

func spell(code []piece) string {
	var b strings.Builder
	for _, p := range code {
		b.WriteString(p.source)
	}
	return b.String()
}

// comparison is rw >= ? or ? <= rw, from and to being places among the pieces.
type comparison struct {
	from, to int
	column   string
}

func findComparison(code []piece) (comparison, bool) {
	for i := 0; i < len(code); i++ {
		n := path(code[i:])
		if n == 0 {
			continue
		}
		c := comparison{i, i + n, spell(code[i : i+n])}
		if i+n+1 < len(code) && code[i+n].is(">=") && code[i+n+1].param == Access {
			c.to += 2
			return c, true
		}
		if i >= 2 && code[i-1].is("<=") && code[i-2].param == Access {
			c.from -= 2
			return c, true
		}
		i += n - 1
	}
	return comparison{}, false
}

// mend derives the query in the bit-mask form: the column joins the select
// list, the condition goes. It returns "" unless the query is so simple that
// this is certain to be right.
func (s *Statement) mend(code []piece, c comparison) string {
	from := 1 + path(code[min(1, len(code)):])
	if s.count(Access) != 1 || !code[0].is("SELECT") || from == 1 || from >= len(code) || !code[from].is("FROM") {
		return ""
	}
	for _, p := range code {
		for _, k := range []string{"OR", "XOR", "NOT", "UNION", "GROUP", "HAVING", "LIMIT", "CASE", "|", "BETWEEN"} {
			if p.is(k) {
				return ""
			}
		}
	}
	for code[c.from-1].is("(") && c.to < len(code) && code[c.to].is(")") {
		c.from, c.to = c.from-1, c.to+1
	}
	if c.from <= from || !code[c.from-1].is("AND") || depth(code[:c.from]) != 0 || !ends(code[c.to:]) {
		return ""
	}
	list := code[from-1].at + 1
	and := code[c.from-1].at
	end := code[c.to-1].at + 1
	head := write(s.tokens[:list]) + ", " + c.column + strings.TrimRight(write(s.tokens[list:and]), " \t\r\n")
	return head + write(s.tokens[end:])
}

// count tells how often a parameter occurs.
func (s *Statement) count(p Param) int {
	n := 0
	for _, t := range s.tokens {
		if t.kind == placeholder && t.param == p {
			n++
		}
	}
	return n
}

// depth counts the parentheses that are open at the end of code.
func depth(code []piece) int {
	n := 0
	for _, p := range code {
		switch {
		case p.is("("):
			n++
		case p.is(")"):
			n--
		}
	}
	return n
}

// ends tells whether a condition may end in front of code.
func ends(code []piece) bool {
	if len(code) == 0 {
		return true
	}
	return code[0].is(";") || code[0].is("AND") || code[0].is("ORDER")
}

func write(tokens []token) string {
	var b strings.Builder
	for _, t := range tokens {
		b.WriteString(t.source)
	}
	return b.String()
}
