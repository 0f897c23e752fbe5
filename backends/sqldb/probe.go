package sqldb

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"

	"mosquitto-go-auth/backends"
)

// Probe runs the statements with a name that no user has, which shows whether
// the server understands them and whether their columns are the right ones,
// and looks how the server compares names. name is an account that exists; if
// it is "", one is picked from the table if the userquery is a simple one. The
// error is one for each statement, joined; of a statement that is at fault it is
// a backends.ErrBadAnswer.
func (s *Source) Probe(ctx context.Context, name string) ([]string, error) {
	notes, err := s.probeStatements(ctx)
	if err != nil || s.user == nil {
		return notes, err
	}
	note, err := s.probeNames(ctx, name)
	if note != "" {
		notes = append(notes, note)
	}
	return notes, err
}

// probeStatements asks for a name that no user has.
func (s *Source) probeStatements(ctx context.Context) ([]string, error) {
	l := backends.Lookup{Name: "go-auth probe " + rand.Text(), ClientID: "go-auth probe"}
	var notes []string
	var errs []error
	keep := func(note string, err error) {
		switch {
		case errors.Is(err, backends.ErrNoUser):
		case err != nil:
			errs = append(errs, err)
		case note != "":
			notes = append(notes, note)
		}
	}
	if s.user != nil {
		_, _, err := s.ask(ctx, l, nil).userRow(ctx)
		keep(s.user.Option+" returns a row for a name that no user has: whoever knows that row's password can log in under any such name.", err)
	}
	if s.super != nil {
		super, err := s.ask(ctx, l, nil).isSuper(ctx)
		if !super {
			keep("", err)
		} else {
			keep(s.super.Option+" makes a superuser of a name that no user has.", err)
		}
	}
	if s.acl != nil {
		_, err := s.ask(ctx, l, nil).rules(ctx)
		keep("", err)
	}
	return notes, errors.Join(errs...)
}

// probeNames asks for an existing account under other spellings of its name.
func (s *Source) probeNames(ctx context.Context, name string) (string, error) {
	if name == "" || swapCase(name) == name {
		if sample := s.sample(ctx); sample != "" {
			name = sample
		}
	}
	if name == "" {
		return "", nil
	}
	row, err := s.spelled(ctx, name)
	if row == nil || err != nil {
		return "", err
	}
	var lax []string
	for _, v := range []struct{ name, what string }{
		{swapCase(name), "upper and lower case"},
		{name + " ", "blanks at the end"},
	} {
		if v.name == name {
			continue
		}
		other, err := s.spelled(ctx, v.name)
		if err != nil {
			return "", err
		}
		if other != nil && same(row[0], other[0]) {
			lax = append(lax, v.what)
		}
	}
	if len(lax) == 0 {
		return "", nil
	}
	return fmt.Sprintf("%s compares names without regard to %s: the owner of an account can log in under other spellings of its name, "+
		"and so match other superusers and %%u topics and escape limits and revocation. %s, "+
		"or let the query return the user name as its second column.", s.user.Option, strings.Join(lax, " and to "), s.Dialect.remedy()), nil
}

// spelled returns the row that the userquery finds, nil if there is none, or
// if the query returns the canonical name, so that spelling does not matter.
func (s *Source) spelled(ctx context.Context, name string) ([]*string, error) {
	l := backends.Lookup{Name: name}
	rows, err := s.ask(ctx, l, nil).rows(ctx, step{s.user, 0, 1})
	if err != nil || len(rows.Values) == 0 || len(rows.Columns) != 1 {
		return nil, err
	}
	return rows.Values[0], nil
}

// same tells whether two rows are one: hashes are salted.
func same(a, b *string) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}

// sample picks a name with a letter in it from the table of the userquery.
// That is a convenience: where it fails, nothing is lost but this probe.
func (s *Source) sample(ctx context.Context) string {
	table, column, ok := s.user.table()
	if !ok {
		return ""
	}
	text := fmt.Sprintf("SELECT %s FROM %s WHERE %s %s '[A-Za-z]' LIMIT 1", column, table, column, s.Dialect.matches())
	rows, err := s.querier.Query(ctx, text, nil, 1)
	if err != nil || len(rows.Values) == 0 || rows.Values[0][0] == nil {
		return ""
	}
	return *rows.Values[0][0]
}

// table finds the names in a query such as SELECT … FROM table WHERE column = ?
func (s *Statement) table() (table, column string, ok bool) {
	code := significant(s.tokens)
	for i := range code {
		if !code[i].is("FROM") {
			continue
		}
		where := i + 1 + path(code[i+1:])
		if where == i+1 || where >= len(code) || !code[where].is("WHERE") {
			return "", "", false
		}
		from := where + 1
		for from < len(code) && code[from].is("(") {
			from++
		}
		to := from + path(code[min(from, len(code)):])
		if to == from || to+1 >= len(code) || !code[to].is("=") || code[to+1].param != Name {
			return "", "", false
		}
		return spell(code[i+1 : where]), spell(code[from:to]), true
	}
	return "", "", false
}

// swapCase changes the case of every ASCII letter.
func swapCase(s string) string {
	return strings.Map(func(r rune) rune {
		if 'a' <= r|0x20 && r|0x20 <= 'z' {
			return r ^ 0x20
		}
		return r
	}, s)
}
