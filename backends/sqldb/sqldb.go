// Package sqldb is what the SQL sources share: the three statements userquery,
// superquery and aclquery, the forms in which the predecessors' users wrote
// them, and the reading of their rows.
//
// It knows no client library. A source brings a [Querier].
package sqldb

import (
	"context"
	"errors"
)

// Querier runs statements on a server. It may be called from any goroutine.
type Querier interface {
	// Query returns the first rows of the answer, limit at most. It binds the
	// arguments, strings and int64, as parameters of the statement, and never
	// writes them into its text. Its error says that the server could not
	// answer, except [ErrNoMatch], and backends.ErrBadAnswer for a statement
	// that the server refuses.
	// It builds the rows with [Rows.Add], and ends with its error.
	Query(ctx context.Context, text string, args []any, limit int) (Rows, error)
}

// Batcher is a Querier that can run several statements in one round trip.
type Batcher interface {
	Querier
	// Batch runs the statements in order, each as Query does, and ends with
	// the first that fails: it returns the answers of those before it, and its
	// error.
	Batch(ctx context.Context, questions []Question) ([]Rows, error)
}

// Question is one statement of a batch, with the arguments of Querier.Query.
type Question struct {
	Text  string
	Args  []any
	Limit int
}

// ErrNoMatch is a Querier's way to say that a parameter cannot be written in
// the character set of the column it is compared with, so that no row matches.
// It is an answer: otherwise anybody could have a healthy server taken for a
// broken one by logging in with such a name.
var ErrNoMatch = errors.New("no row can match the parameter")

// Rows is the answer to a statement.
type Rows struct {
	Columns []string    // their names, also if there are no rows
	Values  [][]*string // as text, booleans as 1 and 0; nil is NULL

	size int
}

// maxSize bounds the memory that one answer can take, whoever wrote the rows: bytes,
// with so many for each cell.
const (
	maxSize  = 16 << 20
	cellSize = 40
)

// Add appends a row. It fails, with an error that is a backends.ErrBadAnswer, where
// the answer has become too large to be one.
func (r *Rows) Add(row []*string) error {
	for _, cell := range row {
		r.size += cellSize
		if cell != nil {
			r.size += len(*cell)
		}
	}
	if r.size > maxSize {
		return misshapen("the query returns more than %d MiB for one user; is its condition complete?", maxSize>>20)
	}
	r.Values = append(r.Values, row)
	return nil
}

// Dialect is the SQL of one kind of server, as far as it matters here.
type Dialect uint8

const (
	MySQL    Dialect = iota // MySQL and MariaDB; parameters are ?
	Postgres                // parameters are $1, $2, …
)

// remedy says how to make the comparison of names exact.
func (d Dialect) remedy() string {
	if d == Postgres {
		return `Use a column of type text with a deterministic collation, or compare as text: WHERE username::text COLLATE "C" = $1`
	}
	return "Make the column VARBINARY(255), or give it a binary collation that does not pad " +
		"(utf8mb4_nopad_bin in MariaDB, utf8mb4_0900_bin in MySQL 8), or compare bytes: WHERE CAST(username AS BINARY) = ?"
}

// first is the first placeholder of a statement.
func (d Dialect) first() string {
	if d == Postgres {
		return "$1"
	}
	return "?"
}

// hasLetter is the condition that a column has a letter of ASCII.
func (d Dialect) hasLetter(column string) string {
	if d == Postgres {
		return column + `::text COLLATE "C" ~ '[A-Za-z]'` // no other has regular expressions for sure
	}
	return column + " REGEXP '[A-Za-z]'"
}
