package sqldb

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"

	"mosquitto-go-auth/backends"
)

// Probe runs the statements with a name that no user has, which shows whether
// the server understands them and whether their columns are the right ones,
// and looks how the server compares names. name is an account that exists; if
// it is "", or not in a statement's table, one is picked from there if the
// statement is a simple one. The error is one for each statement, joined; of a
// statement that is at fault it is a backends.ErrBadAnswer.
func (s *Source) Probe(ctx context.Context, name string) ([]string, error) {
	notes, err := s.probeStatements(ctx)
	if err != nil {
		return notes, err
	}
	for _, st := range []*Statement{s.user, s.super, s.acl} {
		if st == nil {
			continue
		}
		lax, err := s.probeNames(ctx, st, name)
		if err != nil {
			return notes, err
		}
		if len(lax) > 0 {
			notes = append(notes, s.laxNote(st, lax))
		}
	}
	return notes, nil
}

// nobody is a name that no user has.
func nobody() string { return "go-auth probe " + rand.Text() }

// probeStatements asks for a name that no user has.
func (s *Source) probeStatements(ctx context.Context) ([]string, error) {
	l := backends.Lookup{Name: nobody(), ClientID: "go-auth probe"}
	var notes []string
	var errs []error
	keep := func(note string, err error) {
		switch {
		case errors.Is(err, backends.ErrNoUser), err == errSpelling:
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

// variants are other names, which a careless comparison takes for the given one.
func variants(name string) []variant {
	return []variant{
		{swapCase(name), "upper and lower case"},
		{name + " ", "blanks at the end"},
		{"0" + name, "zeros in front"}, // a column of numbers
		{name + "x", "what follows a number"},
	}
}

type variant struct{ name, what string }

// probeNames asks for an existing name in other spellings, and tells what makes
// no difference to the server, unless the userquery sees to it.
func (s *Source) probeNames(ctx context.Context, st *Statement, name string) (lax []string, err error) {
	f, name, err := s.finder(ctx, st, name)
	if err != nil || name == "" {
		return nil, err
	}
	own, err := f.find(ctx, name)
	if err != nil || len(own) == 0 {
		return nil, err
	}
	for _, v := range variants(name) {
		if v.name == name {
			continue
		}
		others, err := f.find(ctx, v.name)
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(others, func(row string) bool { return slices.Contains(own, row) }) {
			continue
		}
		if refused, err := s.refuses(ctx, v.name); err != nil {
			return nil, err
		} else if !refused {
			lax = append(lax, v.what)
		}
	}
	return lax, nil
}

// refuses tells whether the userquery, because it returns the name, refuses this
// spelling of one.
func (s *Source) refuses(ctx context.Context, name string) (bool, error) {
	if !s.guarded {
		return false, nil
	}
	_, _, err := s.ask(ctx, backends.Lookup{Name: name}, nil).userRow(ctx)
	if err == errSpelling || err == nil || err == backends.ErrNoUser {
		return err == errSpelling, nil
	}
	return false, err
}

// laxNote says what follows from a loose comparison, and what to do.
func (s *Source) laxNote(st *Statement, lax []string) string {
	harm := "the owner of an account can log in under other spellings of its name, " +
		"and so match other superusers and %u topics and escape limits and revocation"
	if st != s.user {
		harm = "a client whose name is another spelling, and for whom another table, backend or certificate vouches, gets the rights"
	}
	return fmt.Sprintf("%s compares names without regard to %s: %s. %s; "+
		"or let the userquery return the user name as its second column, which helps for all names that it finds.",
		st.Option, strings.Join(lax, " and to "), harm, s.Dialect.remedy())
}

// finder asks which rows belong to a name: those of the statement; or, if it is
// a simple one, which names there are in its table that the server takes for it.
type finder struct {
	source    *Source
	statement *Statement
	text      string   // of the simple form, or ""
	anybody   []string // what is found for everybody
}

// finder also returns an existing name to ask for, if possible one with a letter
// in it; "" if it knows none.
func (s *Source) finder(ctx context.Context, st *Statement, name string) (*finder, string, error) {
	f := &finder{source: s, statement: st}
	sample := ""
	if table, column, simple := st.table(); simple {
		if sample = s.sample(ctx, table, column); sample != "" {
			f.text = fmt.Sprintf("SELECT %s FROM %s WHERE %s = %s", column, table, column, s.Dialect.first())
		}
	} else if s.user != nil && st != s.user {
		if table, column, ok := s.user.table(); ok {
			sample = s.sample(ctx, table, column)
		}
	}
	var err error
	if f.anybody, err = f.find(ctx, nobody()); err != nil {
		return nil, "", err
	}
	if sample == "" || name == "" || swapCase(name) == name {
		return f, cmp.Or(sample, name), nil
	}
	own, err := f.find(ctx, name)
	if len(own) == 0 {
		name = sample
	}
	return f, name, err
}

// find returns the rows, each as one text.
func (f *finder) find(ctx context.Context, name string) (found []string, err error) {
	l := backends.Lookup{Name: name}
	var rows Rows
	if f.text != "" {
		rows, err = f.source.querier.Query(ctx, f.text, []any{name}, maxSpellings)
		if errors.Is(err, ErrNoMatch) {
			return nil, nil
		}
	} else {
		rows, err = f.source.ask(ctx, l, nil).rows(ctx, step{f.statement, backends.Read, maxSpellings})
	}
	for _, row := range rows.Values {
		var text strings.Builder
		for _, cell := range row {
			if cell == nil {
				text.WriteString("NULL ")
			} else {
				fmt.Fprintf(&text, "%q ", *cell)
			}
		}
		if !slices.Contains(f.anybody, text.String()) {
			found = append(found, text.String())
		}
	}
	return found, err
}

// sample picks a name from a table, with a letter in it if there is one. That is a
// convenience: where it fails, nothing is lost but this probe.
func (s *Source) sample(ctx context.Context, table, column string) string {
	for _, condition := range []string{s.Dialect.hasLetter(column), column + " IS NOT NULL"} {
		text := fmt.Sprintf("SELECT %s FROM %s WHERE %s LIMIT 1", column, table, condition)
		rows, err := s.querier.Query(ctx, text, nil, 1)
		if err == nil && len(rows.Values) > 0 && rows.Values[0][0] != nil {
			return *rows.Values[0][0]
		}
	}
	return ""
}

// table finds the names in a statement such as SELECT … FROM table WHERE column = ?
// that compares the name nowhere else.
func (s *Statement) table() (table, column string, ok bool) {
	if s.count(Name) != 1 {
		return "", "", false
	}
	code := significant(s.tokens)
	for i := range code {
		if !code[i].is("FROM") {
			continue
		}
		where := i + 1 + path(code[i+1:])
		if where == i+1 || where >= len(code) || !code[where].is("WHERE") {
			continue
		}
		from := where + 1
		for from < len(code) && code[from].is("(") {
			from++
		}
		to := from + path(code[min(from, len(code)):])
		if to == from || to+1 >= len(code) || !code[to].is("=") || code[to+1].param != Name || !plainly(code[to+2:]) {
			continue
		}
		return spell(code[i+1 : where]), spell(code[from:to]), true
	}
	return "", "", false
}

// plainly tells whether nothing belongs to the parameter in front of code, such as
// COLLATE or a cast.
func plainly(code []piece) bool {
	if len(code) == 0 {
		return true
	}
	return slices.ContainsFunc([]string{")", ";", "AND", "OR", "LIMIT", "ORDER", "GROUP", "UNION", "FOR"}, code[0].is)
}

// columns counts those of a SELECT; 0 if that cannot be told from its text.
func (s *Statement) columns() int {
	code := significant(s.tokens)
	if len(code) == 0 || !code[0].is("SELECT") {
		return 0
	}
	n, open := 1, 0
	for i, p := range code[1:] {
		switch {
		case p.is("("):
			open++
		case p.is(")"):
			open--
		case open > 0:
		case p.is("FROM"):
			return n
		case p.is(","):
			n++
		case p.is("*") && (i == 0 || code[i].is(".") || code[i].is(",")):
			return 0
		}
	}
	return n
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
