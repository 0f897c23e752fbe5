package sqldb

import (
	"bufio"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// queryCase is one of testdata/queries.txt, where the format is described.
type queryCase struct {
	line  int
	role  Role
	d     Dialect
	query Query

	text, params, note, fault string
}

func readCases(t testing.TB) []queryCase {
	f, err := os.Open("testdata/queries.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var cases []queryCase
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		line := lines.Text()
		if line == "" || line[0] == '#' {
			continue
		}
		key, value, ok := strings.Cut(line, ": ")
		if !ok {
			t.Fatalf("line %d: no colon", n)
		}
		if role, rest, ok := strings.Cut(key, " "); ok {
			dialect, plug, _ := strings.Cut(rest, " ")
			c := queryCase{line: n, role: Role(role), query: Query{role, value, plug == "authplug"}, text: value}
			if dialect == "postgres" {
				c.d = Postgres
			}
			cases = append(cases, c)
			continue
		}
		c := &cases[len(cases)-1]
		field := map[string]*string{"text": &c.text, "params": &c.params, "note": &c.note, "error": &c.fault}[key]
		if field == nil {
			t.Fatalf("line %d: unknown key %q", n, key)
		}
		*field = value
	}
	return cases
}

func (c queryCase) check(t *testing.T) {
	s, err := Parse(c.d, c.role, c.query)
	if err != nil {
		if c.fault == "" || !strings.Contains(err.Error(), c.fault) {
			t.Errorf("error %q, want %q", err, c.fault)
		}
		return
	}
	if c.fault != "" {
		t.Errorf("no error, want %q", c.fault)
	}
	var params []string
	for _, p := range s.Params {
		params = append(params, map[Param]string{Name: "name", Access: "access", ClientID: "clientid"}[p])
	}
	if got := strings.Join(params, " "); got != c.params {
		t.Errorf("params %q, want %q", got, c.params)
	}
	if s.Text != c.text {
		t.Errorf("text\n %s, want\n %s", s.Text, c.text)
	}
	note := s.threshold()
	if !strings.HasSuffix(note, c.note) || (c.note == "") != (note == "") {
		t.Errorf("note\n %q, want the end\n %q", note, c.note)
	}
}

func TestQueries(t *testing.T) {
	for _, c := range readCases(t) {
		t.Run(fmt.Sprintf("line %d", c.line), c.check)
	}
}

// What the note proposes must itself be understood, without another note.
func TestProposedQuery(t *testing.T) {
	for _, c := range readCases(t) {
		s, err := Parse(c.d, c.role, c.query)
		if err != nil || s.threshold() == "" || strings.Contains(c.note, "…") {
			continue
		}
		proposed, err := Parse(c.d, c.role, Query{c.query.Option, strings.TrimPrefix(c.note, ": "), c.query.AuthPlug})
		if err != nil {
			t.Errorf("line %d: %v", c.line, err)
			continue
		}
		if proposed.has(Access) || proposed.threshold() != "" {
			t.Errorf("line %d: the proposed query is not in the bit-mask form", c.line)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, c := range readCases(f) {
		f.Add(c.query.Text, c.d == Postgres, c.query.AuthPlug)
	}
	f.Fuzz(func(t *testing.T, text string, postgres, plug bool) {
		d := MySQL
		if postgres {
			d = Postgres
		}
		for _, role := range []Role{UserQuery, ACLQuery} {
			s, err := Parse(d, role, Query{"q", text, plug})
			if err != nil {
				continue
			}
			checkStatement(t, d, text, s)
		}
	})
}

// checkStatement holds a statement to what binding relies on: the server finds
// as many parameters as are bound, and all that changed are the parameters.
func checkStatement(t *testing.T, d Dialect, text string, s *Statement) {
	if write(s.tokens) != text {
		t.Fatalf("the tokens are not the text")
	}
	if !s.printf && s.Text != text {
		t.Fatalf("%q was changed to %q", text, s.Text)
	}
	tokens, err := lex(d, s.Text)
	if err != nil {
		t.Fatalf("%q became %q: %v", text, s.Text, err)
	}
	if got := found(d, tokens); !slices.Equal(got, numbers(len(s.Params))) {
		t.Fatalf("%q became %q with parameters %v, want %d", text, s.Text, got, len(s.Params))
	}
	if !s.has(Name) {
		t.Fatalf("%q binds no name", text)
	}
	s.threshold()
	s.table()
}

// found lists the numbers of the placeholders, each once.
func found(d Dialect, tokens []token) []int {
	var ns []int
	for _, t := range tokens {
		if t.kind != placeholder {
			continue
		}
		n := len(ns) + 1
		if d == Postgres {
			n, _ = strconv.Atoi(t.source[1:])
		}
		ns = append(ns, n)
	}
	slices.Sort(ns)
	return slices.Compact(ns)
}

func numbers(n int) []int {
	var ns []int
	for i := range n {
		ns = append(ns, i+1)
	}
	return ns
}
