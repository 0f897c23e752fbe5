package mysql

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"time"

	"mosquitto-go-auth/backends/sqldb"
)

// inner is what a connection of the client library can do, as far as it is
// wanted.
type inner interface {
	driver.Conn
	driver.SessionResetter
	driver.Validator
}

// conn is a connection that keeps what was prepared on it: each of the few
// statements takes two round trips when it is first asked, and one from then on.
//
// It is asked by itself, and not by way of database/sql, which like the client
// library has a goroutine watch over the end of each statement's time: to wake
// them cost two thirds of what the statement costs.
type conn struct {
	inner
	line       net.Conn // below inner, and below TLS
	hosts      *hosts
	host       int
	statements map[string]driver.Stmt // by text
	cut        bool                   // a statement's time has ended, and the line's with it
}

// query runs a statement, and tells where its host gives cause to look for another.
func (c *conn) query(ctx context.Context, text string, args []any, limit int) (sqldb.Rows, error) {
	begun := time.Now()
	rows, err := c.ask(ctx, text, args, limit)
	silent := errors.Is(err, context.DeadlineExceeded) && time.Since(begun) >= patience
	if silent || ailing(err) {
		c.hosts.Suspect(c.host)
	}
	return rows, err
}

// past is a deadline that ends what a connection waits for.
var past = time.Unix(1, 0)

// ask runs a statement, until ctx ends. A panic of the client library is an error.
func (c *conn) ask(ctx context.Context, text string, args []any, limit int) (rows sqldb.Rows, err error) {
	if err := ctx.Err(); err != nil {
		return rows, err
	}
	stop := context.AfterFunc(ctx, func() { _ = c.line.SetDeadline(past) }) // fails for one that is closed
	defer func() {
		if recover() != nil {
			err, c.cut = errPanic, true
			_ = c.Close()
		}
		if !stop() {
			c.cut = true
			if broken(err) {
				err = ctx.Err()
			}
		}
	}()
	return c.run(text, args, limit)
}

func (c *conn) run(text string, args []any, limit int) (rows sqldb.Rows, err error) {
	s, err := c.prepared(text)
	if err != nil {
		return rows, err
	}
	if n := s.NumInput(); n != len(args) {
		return rows, &queryFault{text: parametersDiffer(n, len(args))}
	}
	found, err := s.(driver.StmtQueryContext).QueryContext(context.Background(), named(args))
	if forgotten(err) {
		delete(c.statements, text)
	}
	if err != nil {
		return rows, err
	}
	rows, err = read(found, limit)
	if closed := found.Close(); err == nil {
		err = closed
	}
	return rows, err
}

func (c *conn) prepared(text string) (driver.Stmt, error) {
	if s, ok := c.statements[text]; ok {
		return s, nil
	}
	s, err := c.Prepare(text)
	if err != nil {
		return nil, err
	}
	c.statements[text] = s
	return s, nil
}

// named are the arguments as a driver takes them.
func named(args []any) []driver.NamedValue {
	values := make([]driver.NamedValue, len(args))
	for i, a := range args {
		values[i] = driver.NamedValue{Ordinal: i + 1, Value: a}
	}
	return values
}

// read takes the rows of an answer.
func read(found driver.Rows, limit int) (rows sqldb.Rows, err error) {
	rows.Columns = found.Columns()
	cells := make([]driver.Value, len(rows.Columns))
	for len(rows.Values) < limit {
		if err := found.Next(cells); err == io.EOF {
			break
		} else if err != nil {
			return rows, err
		}
		row := make([]*string, len(cells))
		for i, c := range cells {
			row[i] = text(c)
		}
		if err := rows.Add(row); err != nil {
			return rows, err
		}
	}
	return rows, nil
}

// Close implements driver.Conn. The client library is not in a state to say goodbye
// where it has panicked, or was broken off; it has a goroutine to end all the same.
func (c *conn) Close() (err error) {
	defer func() {
		if recover() != nil {
			err = errPanic
		}
	}()
	if c.cut {
		_ = c.line.Close() // so that nothing is sent
	}
	return c.inner.Close()
}

// ResetSession implements driver.SessionResetter: before each use it tells
// whether the connection is still good, and to the right host.
func (c *conn) ResetSession(ctx context.Context) error {
	if !c.hosts.Uses(c.host) {
		return driver.ErrBadConn
	}
	return c.inner.ResetSession(ctx)
}

// IsValid implements driver.Validator: after each use.
func (c *conn) IsValid() bool { return !c.cut && c.inner.IsValid() && c.hosts.Uses(c.host) }
