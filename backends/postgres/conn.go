package postgres

import (
	"context"
	"net"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"mosquitto-go-auth/backends/sqldb"
)

// grace is how long a server has to break off a statement, and to say good-bye.
const grace = 500 * time.Millisecond

// conn is a connection. It is used by one goroutine at a time.
type conn struct {
	*pgconn.PgConn
	network net.Conn    // below TLS
	host    int         // of hosts.list
	until   time.Time   // when another takes its place; zero for never
	idle    *time.Timer // ends it while it lies idle
	broken  bool        // the client library failed on it
}

// usable tells whether a statement can be sent over it.
func (c *conn) usable() bool { return !c.broken && !c.IsClosed() }

// old tells whether another shall take its place.
func (c *conn) old() bool { return !c.until.IsZero() && time.Now().After(c.until) }

// goodbye tells the server, if it listens, and closes the connection.
func (c *conn) goodbye() {
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	// Nothing is under way on it.
	_ = c.Close(ctx)
}

// ends waits until the server is done with a statement that was broken off or
// failed with its connection. It returns false if the server is silent: then
// the connection is closed all the same.
func (c *conn) ends() bool {
	defer c.network.Close()
	if c.broken {
		return true
	}
	select {
	case <-c.CleanupDone():
		return true
	case <-time.After(grace):
		return false
	}
}

// ask returns the answers to the questions, up to the first that failed. A panic
// of the client library is an error, and leaves the connection unusable.
func (c *conn) ask(ctx context.Context, questions []sqldb.Question) (rows []sqldb.Rows, err error) {
	defer func() {
		if recover() != nil {
			rows, err, c.broken = nil, errPanic, true
		}
	}()
	b := &pgconn.Batch{}
	for _, q := range questions {
		b.ExecParams(q.Text, values(q.Args), nil, nil, nil)
	}
	results := c.ExecBatch(ctx, b)
	rows, err = answers(results, questions)
	if e := results.Close(); e != nil {
		err = e
	}
	return rows, err
}

var (
	errNoStatement = &badAnswer{"there is no statement; write a SELECT", nil}
	errNoColumns   = &badAnswer{"the statement returns no columns; write a SELECT", nil}
)

// answers reads the answers up to the first that is none.
func answers(results *pgconn.MultiResultReader, questions []sqldb.Question) (rows []sqldb.Rows, err error) {
	for _, q := range questions {
		if !results.NextResult() {
			return rows, errNoStatement // unless Close tells of another error
		}
		answer, err := read(results.ResultReader(), q.Limit)
		if err != nil {
			return rows, err
		}
		if len(answer.Columns) == 0 {
			return rows, errNoColumns
		}
		rows = append(rows, answer)
	}
	return rows, nil
}

// values writes arguments as Postgres reads them.
func values(args []any) [][]byte {
	texts := make([][]byte, len(args))
	for i, a := range args {
		switch a := a.(type) {
		case string:
			texts[i] = []byte(a)
		case int64:
			texts[i] = strconv.AppendInt(nil, a, 10)
		}
	}
	return texts
}
