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
		{"wrong columns", lax{folded, "h|n|x", "s3cret|kirk|", nil}, "", backends.ErrBadAnswer},
		{"everybody", lax{all, "h|n", "s3cret|kirk", nil}, "", nil},
		{"down", lax{exact, "h", "s3cret", down}, "", down},
	}
	for _, tt := range tests {
		for _, name := range []string{"", "kirk", "4711"} {
			t.Run(tt.name+" "+name, func(t *testing.T) {
				s, _, err := New(config("SELECT h FROM t WHERE n = ?", "", "", backends.CheckUser), tt.server)
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
