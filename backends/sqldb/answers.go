package sqldb

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"mosquitto-go-auth/backends"
)

// maxRules bounds the memory that one account can take, should a query lack
// its condition.
const maxRules = 100_000

// shapeError says that the server answered with something that cannot be the
// answer to the question. It never shows a value: it could be a hash.
type shapeError struct{ text string }

func (e *shapeError) Error() string { return e.text }

// Is makes it a backends.ErrBadAnswer.
func (e *shapeError) Is(target error) bool { return target == backends.ErrBadAnswer }

func misshapen(format string, args ...any) error {
	return &shapeError{fmt.Sprintf(format, args...)}
}

// columns complains unless there are between min and max columns. No columns
// at all mean that the statement was not run ([ErrNoMatch]).
func columns(r Rows, min, max int, wanted string) error {
	if n := len(r.Columns); (n != 0 || len(r.Values) > 0) && (n < min || n > max) {
		return misshapen("the query returns %d columns; write one that returns %s", n, wanted)
	}
	return nil
}

// maxSpellings is how many rows of a userquery are looked at: a server that
// compares names loosely returns one for each spelling.
const maxSpellings = 100

// errSpelling says that the userquery finds the name in other spellings only: the
// server compares less strictly than MQTT.
var errSpelling = errors.New("no such user of this spelling")

// userRow returns the canonical name, "" if the query does not tell, and the
// stored hash, "" for NULL. Its error may be [errSpelling].
func (a *asking) userRow(ctx context.Context) (name, hash string, err error) {
	s, l := a.source, a.lookup
	rows, err := a.rows(ctx, step{s.user, 0, maxSpellings})
	if err != nil {
		return "", "", err
	}
	if err := columns(rows, 1, 2, "the password hash, and if you like the user name after it"); err != nil {
		return "", "", s.wrap(s.user, err)
	}
	if len(rows.Values) == 0 {
		return "", "", backends.ErrNoUser
	}
	for _, row := range rows.Values {
		if len(row) == 2 {
			if row[1] == nil || *row[1] != l.Name {
				continue
			}
			name = l.Name
		}
		if row[0] != nil {
			hash = *row[0]
		}
		return name, hash, nil
	}
	return "", "", errSpelling
}

func (a *asking) isSuper(ctx context.Context) (bool, error) {
	s := a.source
	rows, err := a.rows(ctx, step{s.super, 0, 1})
	if err != nil {
		return false, err
	}
	if err := columns(rows, 1, 1, "one whole number"); err != nil {
		return false, s.wrap(s.super, err)
	}
	if len(rows.Values) == 0 || rows.Values[0][0] == nil {
		return false, nil
	}
	n, err := strconv.ParseInt(*rows.Values[0][0], 10, 64)
	if err != nil {
		return false, s.wrap(s.super, misshapen("column %q does not hold a whole number; "+
			"write a query that returns one, greater than 0 for a superuser", rows.Columns[0]))
	}
	return n > 0, nil
}

// rules returns what the aclquery grants. If the access is bound, the query is
// asked for each right; else it is asked once, and the rows tell the rights in
// a second column, or grant every one.
func (a *asking) rules(ctx context.Context) ([]backends.Section, error) {
	var g grants
	var err error
	if a.source.acl.has(Access) {
		for _, right := range rights {
			if err = a.addRight(ctx, right, &g); err != nil {
				return nil, err
			}
		}
	} else if err = a.addRows(ctx, &g); err != nil {
		return nil, err
	}
	if len(g.rules) == 0 {
		return nil, nil
	}
	return []backends.Section{g.rules}, nil
}

func (a *asking) aclRows(ctx context.Context, access backends.Access) (Rows, error) {
	s := a.source
	rows, err := a.rows(ctx, step{s.acl, access, maxRules + 1})
	if err == nil && len(rows.Values) > maxRules {
		err = s.wrap(s.acl, misshapen("the query returns more than %d rows for one user; is its condition complete?", maxRules))
	}
	return rows, err
}

func (a *asking) addRight(ctx context.Context, right backends.Access, g *grants) error {
	s := a.source
	rows, err := a.aclRows(ctx, right)
	if err != nil {
		return err
	}
	if err := columns(rows, 1, 1, "the topic only, as the access is a parameter of it, "+
		"or let it return topic and rw and take the user name only"); err != nil {
		return s.wrap(s.acl, err)
	}
	for _, row := range rows.Values {
		g.add(row[0], right)
	}
	return nil
}

func (a *asking) addRows(ctx context.Context, g *grants) error {
	s := a.source
	rows, err := a.aclRows(ctx, 0)
	if err != nil {
		return err
	}
	if err := columns(rows, 1, 2, "the topic and the sum of its rights"); err != nil {
		return s.wrap(s.acl, err)
	}
	for _, row := range rows.Values {
		access := backends.All
		if len(row) == 2 {
			if access, err = mask(row[1], rows.Columns[1]); err != nil {
				return s.wrap(s.acl, err)
			}
		}
		g.add(row[0], access)
	}
	return nil
}

// mask reads an r-w-s number.
func mask(cell *string, column string) (backends.Access, error) {
	if cell == nil {
		return backends.None, nil
	}
	n, err := strconv.ParseUint(*cell, 10, 8)
	if err != nil || n > uint64(backends.All) {
		return 0, misshapen("column %q holds something else than a number from 0 to 7, "+
			"the sum of 1 (read), 2 (write) and 4 (subscribe)", column)
	}
	return backends.Access(n), nil
}

// grants gathers rules, one for each topic.
type grants struct {
	rules backends.Section
	at    map[string]int
}

func (g *grants) add(topic *string, access backends.Access) {
	if topic == nil || *topic == "" || access == backends.None {
		return
	}
	if i, ok := g.at[*topic]; ok {
		g.rules[i].Access |= access
		return
	}
	if g.at == nil {
		g.at = map[string]int{}
	}
	g.at[*topic] = len(g.rules)
	g.rules = append(g.rules, backends.Rule{Pattern: *topic, Access: access})
}
