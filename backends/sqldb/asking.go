package sqldb

import (
	"context"
	"errors"
	"fmt"

	"mosquitto-go-auth/backends"
)

// asking puts the statements of one look-up to the server: all in one round
// trip if the querier can, else each when its answer is wanted.
type asking struct {
	source *Source
	lookup backends.Lookup
	ahead  []answer // fetched in advance, in the order in which they are wanted
}

// step is a statement, and the access that is bound to it.
type step struct {
	statement *Statement
	access    backends.Access
	limit     int
}

type answer struct {
	rows Rows
	err  error
}

// rights are what an aclquery that binds the access is asked for.
var rights = []backends.Access{backends.Read, backends.Write, backends.Subscribe}

// plan lists what can be needed for a look-up, in the order in which it is
// wanted.
func (s *Source) plan(user, grants bool) []step {
	var steps []step
	if user {
		steps = append(steps, step{s.user, 0, maxSpellings})
	}
	if grants && s.super != nil {
		steps = append(steps, step{s.super, 0, 1})
	}
	switch {
	case !grants || s.acl == nil:
	case s.acl.has(Access):
		for _, right := range rights {
			steps = append(steps, step{s.acl, right, maxRules + 1})
		}
	default:
		steps = append(steps, step{s.acl, 0, maxRules + 1})
	}
	return steps
}

// ask begins a look-up.
func (s *Source) ask(ctx context.Context, l backends.Lookup, steps []step) *asking {
	a := &asking{source: s, lookup: l}
	if b, ok := s.querier.(Batcher); ok && len(steps) > 1 {
		a.fetch(ctx, b, steps)
	}
	return a
}

// fetch gets the answers to the steps. A server runs no more of a batch after
// a statement that failed: when the failure is an answer ([ErrNoMatch]), the
// rest is asked again.
func (a *asking) fetch(ctx context.Context, b Batcher, steps []step) {
	for len(steps) > 0 {
		questions := make([]Question, len(steps))
		for i, st := range steps {
			questions[i] = Question{st.statement.Text, st.statement.args(a.lookup, st.access), st.limit}
		}
		rows, err := b.Batch(ctx, questions)
		for _, r := range rows {
			a.ahead = append(a.ahead, answer{rows: r})
		}
		if err == nil {
			return
		}
		a.ahead = append(a.ahead, answer{err: err})
		if !errors.Is(err, ErrNoMatch) || len(rows) >= len(steps) {
			return
		}
		steps = steps[len(rows)+1:]
	}
}

// rows returns the answer to the next step. It must be asked in the order of
// the plan, from which only the end may be left out.
func (a *asking) rows(ctx context.Context, st step) (Rows, error) {
	next := answer{}
	if len(a.ahead) > 0 {
		next, a.ahead = a.ahead[0], a.ahead[1:]
	} else {
		next.rows, next.err = a.source.querier.Query(ctx, st.statement.Text, st.statement.args(a.lookup, st.access), st.limit)
	}
	if errors.Is(next.err, ErrNoMatch) {
		return Rows{}, nil
	}
	if next.err != nil {
		return Rows{}, a.source.wrap(st.statement, next.err)
	}
	return next.rows, nil
}

func (s *Source) wrap(st *Statement, err error) error {
	return fmt.Errorf("asking %s (%s): %w", s.Place, st.Option, err)
}
