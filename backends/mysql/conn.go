package mysql

import (
	"context"
	"database/sql/driver"
	"errors"
	"time"
)

// inner is what a connection of the client library can do, as far as it is
// wanted.
type inner interface {
	driver.Conn
	driver.ConnPrepareContext
	driver.NamedValueChecker
	driver.SessionResetter
	driver.Validator
}

// conn is a connection that keeps what was prepared on it: each of the few
// statements takes two round trips when it is first asked, and one from then on.
type conn struct {
	inner
	hosts      *hosts
	host       int
	statements map[string]driver.Stmt // by text
}

var _ interface {
	inner
	driver.QueryerContext
} = (*conn)(nil)

// QueryContext implements driver.QueryerContext.
func (c *conn) QueryContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Rows, error) {
	begun := time.Now()
	rows, err := c.ask(ctx, text, args)
	silent := errors.Is(err, context.DeadlineExceeded) && time.Since(begun) >= patience
	if silent || ailing(err) {
		c.hosts.Suspect(c.host)
	}
	return rows, err
}

// ask runs a statement. A panic of the client library is an error.
func (c *conn) ask(ctx context.Context, text string, args []driver.NamedValue) (rows driver.Rows, err error) {
	defer func() {
		if recover() != nil {
			rows, err = nil, errPanic
			_ = c.Close() // it is in no state to be used again
		}
	}()
	s, err := c.prepared(ctx, text)
	if err != nil {
		return nil, err
	}
	if n := s.NumInput(); n != len(args) {
		return nil, &queryFault{text: parametersDiffer(n, len(args))}
	}
	rows, err = s.(driver.StmtQueryContext).QueryContext(ctx, args)
	if forgotten(err) {
		delete(c.statements, text)
	}
	return rows, err
}

func (c *conn) prepared(ctx context.Context, text string) (driver.Stmt, error) {
	if s, ok := c.statements[text]; ok {
		return s, nil
	}
	s, err := c.PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	c.statements[text] = s
	return s, nil
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
func (c *conn) IsValid() bool { return c.inner.IsValid() && c.hosts.Uses(c.host) }
