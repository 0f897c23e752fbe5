package sqldb

import (
	"context"
	"errors"
	"strings"
	"testing"

	"mosquitto-go-auth/backends"
)

// lax is a server with the one user kirk, whose names it compares by equal.
type lax struct {
	equal   func(a, b string) bool
	columns string
	row     string
	err     error
}

func (l lax) Query(_ context.Context, text string, args []any, limit int) (Rows, error) {
	switch {
	case l.err != nil:
		return Rows{}, l.err
	case text == "SELECT n FROM t WHERE n REGEXP '[A-Za-z]' LIMIT 1":
		return table("n", "kirk"), nil
	case text == "SELECT n FROM t WHERE n = ?" && l.equal(args[0].(string), "kirk"):
		return table("n", "kirk"), nil
	case strings.HasPrefix(text, "SELECT n FROM"):
		return table("n"), nil
	case len(args) == 1 && l.equal(args[0].(string), "kirk"):
		return table(l.columns, l.row), nil
	}
	return table(l.columns), nil
}

func TestProbe(t *testing.T) {
	exact := func(a, b string) bool { return a == b }
	trim := func(s string) string { return strings.TrimRight(s, " ") }
	padded := func(a, b string) bool { return trim(a) == b }
	folded := func(a, b string) bool { return strings.EqualFold(trim(a), b) }
	all := func(a, b string) bool { return true }
	down := errors.New("connection refused")
	tests := []struct {
		name   string
		server lax
		want   string // of the only note
		err    error
	}{
		{"exact", lax{exact, "h", "s3cret", nil}, "", nil},
		{"padded", lax{padded, "h", "s3cret", nil}, "without regard to blanks at the end:", nil},
		{"case and padded", lax{folded, "h", "s3cret", nil}, "without regard to upper and lower case and to blanks at the end:", nil},
		{"case, NULL hash", lax{folded, "h", "NULL", nil}, "upper and lower case", nil},
		{"canonical name", lax{folded, "h|n", "s3cret|kirk", nil}, "", nil},
		{"several spellings", lax{folded, "h|n", "s3cret|Kirk", nil}, "", nil},
		{"numbers", lax{func(a, b string) bool { return strings.Trim(a, "0x") == b }, "h", "s3cret", nil},
			"without regard to zeros in front and to what follows a number:", nil},
		{"wrong columns", lax{folded, "h|n|x", "s3cret|kirk|", nil}, "", backends.ErrBadAnswer},
		{"everybody", lax{all, "h|n", "s3cret|kirk", nil}, "", nil},
		{"down", lax{exact, "h", "s3cret", down}, "", down},
	}
	for _, tt := range tests {
		for _, name := range []string{"", "kirk", "4711"} {
			t.Run(tt.name+" "+name, func(t *testing.T) {
				query := "SELECT " + strings.ReplaceAll(tt.server.columns, "|", ", ") + " FROM t WHERE n = ?"
				s, _, err := New(config(query, "", "", backends.CheckUser), tt.server)
				if err != nil {
					t.Fatal(err)
				}
				notes, err := s.Probe(t.Context(), name)
				if !errors.Is(err, tt.err) {
					t.Errorf("error %v, want %v", err, tt.err)
				}
				got := strings.Join(notes, "\n")
				if tt.err == backends.ErrBadAnswer && !strings.Contains(err.Error(), "(mysql_userquery): the query returns 3 columns") {
					t.Errorf("error %v", err)
				}
				if !strings.Contains(got, tt.want) || (got == "") != (tt.want == "") {
					t.Errorf("notes %q, want %q", got, tt.want)
				}
				if strings.Contains(strings.ToLower(got), "kirk") || strings.Contains(got, "4711") || strings.Contains(got, "s3cret") {
					t.Errorf("the note shows a name or a hash: %q", got)
				}
			})
		}
	}
}

func TestProbeStatements(t *testing.T) {
	always := lax{func(a, b string) bool { return true }, "c", "1", nil}
	s, _, err := New(config(user, super, acl, backends.AllChecks), always)
	if err != nil {
		t.Fatal(err)
	}
	notes, err := s.Probe(t.Context(), "")
	got := strings.Join(notes, "\n")
	for _, want := range []string{"mysql_userquery returns a row for a name that no user has", "mysql_superquery makes a superuser of a name"} {
		if !strings.Contains(got, want) {
			t.Errorf("notes %q, want %q", got, want)
		}
	}
	if err != nil {
		t.Error(err)
	}
}

// tables is a server with the tables u and a, which compare names each in its own
// way. Both have the user sam; in a there is also tom.
type tables struct{ u, a func(a, b string) bool }

func (l tables) Query(_ context.Context, text string, args []any, limit int) (Rows, error) {
	names, equal := []string{"sam"}, l.u
	if strings.Contains(text, "FROM a ") {
		names, equal = []string{"tom", "sam"}, l.a
	}
	list, _, _ := strings.Cut(strings.TrimPrefix(text, "SELECT "), " FROM")
	r := Rows{Columns: strings.Split(list, ", ")}
	for _, name := range names {
		if len(args) > 0 && !equal(args[0].(string), name) {
			continue
		}
		var row []*string
		for _, c := range r.Columns {
			cell := map[string]string{"n": name, "h": "hash", "s": "1", "t": "topic"}[c]
			row = append(row, &cell)
		}
		r.Values = append(r.Values, row)
	}
	return r, nil
}

// Each statement has its own table, and one that ignores case is told of unless
// the userquery refuses the name.
func TestProbeEachStatement(t *testing.T) {
	exact, folded := func(a, b string) bool { return a == b }, strings.EqualFold
	const hash, named, rows = "SELECT h FROM u WHERE n = ?", "SELECT h, n FROM u WHERE n = ?", "SELECT t FROM a WHERE n = ?"
	tests := []struct {
		name             string
		server           tables
		user, super, acl string
		known            string // the name that Probe is given
		want             string
	}{
		{"exact", tables{exact, exact}, hash, "SELECT s FROM u WHERE n = ?", rows, "", ""},
		{"rules only", tables{exact, folded}, hash, "", rows, "", "mysql_aclquery"},
		{"rules only, name returned by another table", tables{exact, folded}, named, "", rows, "", "mysql_aclquery"},
		{"user who is in one table only", tables{folded, folded}, named, "", rows, "", "mysql_aclquery"},
		{"superuser", tables{folded, exact}, "", "SELECT s FROM u WHERE n = ?", rows, "", "mysql_superquery"},
		{"counted superusers", tables{folded, exact}, "", "SELECT COUNT(*) FROM u WHERE n = ? AND s = 1", rows, "", "mysql_superquery"},
		{"superuser, guarded", tables{folded, exact}, named, "SELECT s FROM u WHERE n = ?", rows, "", ""},
		{"everything", tables{folded, folded}, hash, "SELECT s FROM u WHERE n = ?", rows, "", "mysql_userquery mysql_superquery mysql_aclquery"},
		{"statements that are not simple", tables{folded, folded}, "SELECT h FROM u JOIN x WHERE n = ?", "SELECT s FROM u JOIN x WHERE n = ?",
			"SELECT t FROM a JOIN x WHERE n = ?", "sam", "mysql_userquery mysql_superquery mysql_aclquery"},
		{"not simple, exact", tables{exact, exact}, "SELECT h FROM u JOIN x WHERE n = ?", "SELECT s FROM u JOIN x WHERE n = ?",
			"SELECT t FROM a JOIN x WHERE n = ?", "sam", ""},
		{"not simple, everybody's", tables{exact, func(a, b string) bool { return true }}, hash, "", "SELECT t FROM a JOIN x WHERE n = ?", "sam", ""},
		{"not simple, guarded", tables{folded, folded}, named, "", "SELECT t FROM a JOIN x WHERE n = ?", "sam", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			checks := backends.AllChecks
			if tt.user == "" {
				checks &^= backends.CheckUser
			}
			s, _, err := New(config(tt.user, tt.super, tt.acl, checks), tt.server)
			if err != nil {
				t.Fatal(err)
			}
			notes, err := s.Probe(t.Context(), tt.known)
			if err != nil {
				t.Fatal(err)
			}
			var options []string
			for _, note := range notes {
				option, _, ok := strings.Cut(note, " compares names without regard to upper and lower case: ")
				if !ok || !strings.Contains(note, "CAST(username AS BINARY)") || !strings.Contains(note, "as its second column") {
					t.Errorf("note %q", note)
				}
				options = append(options, option)
			}
			if got := strings.Join(options, " "); got != tt.want {
				t.Errorf("notes on %q, want %q", got, tt.want)
			}
		})
	}
}
