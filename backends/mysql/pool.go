package mysql

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strconv"
	"time"

	"mosquitto-go-auth/backends/sqldb"
)

// maxIdleTime is how long a connection may lie idle: less than the five
// minutes after which many firewalls forget it.
const maxIdleTime = 3 * time.Minute

// retries is how often a statement is asked again if its connection broke. The
// liveness check before each use finds connections that the server has closed,
// but not one that it is about to close. Asking twice does no harm.
const retries = 2

// pool is a [sqldb.Querier].
type pool struct {
	db    *sql.DB
	hosts *hosts
}

func openPool(h *hosts, o *options) *pool {
	db := sql.OpenDB(h)
	db.SetMaxOpenConns(o.maxOpen)
	db.SetMaxIdleConns(o.maxOpen)
	db.SetConnMaxIdleTime(maxIdleTime)
	db.SetConnMaxLifetime(o.maxLifeTime)
	return &pool{db, h}
}

func (p *pool) Query(ctx context.Context, text string, args []any, limit int) (sqldb.Rows, error) {
	var rows sqldb.Rows
	var err error
	for left := retries; left >= 0; left-- {
		rows, err = p.try(ctx, left, text, args, limit)
		if ctx.Err() != nil || !p.again(err) {
			break
		}
	}
	if unspeakable(err, args) {
		return sqldb.Rows{}, sqldb.ErrNoMatch
	}
	return rows, explain(err)
}

// again tells whether a statement is worth another try.
func (p *pool) again(err error) bool {
	return cutOff(err) || errors.Is(err, driver.ErrBadConn) || p.hosts.Several() && (ailing(err) || errors.Is(err, context.DeadlineExceeded))
}

// try asks a statement. If there is another host, the last try only gets all the
// time that is left.
func (p *pool) try(ctx context.Context, left int, text string, args []any, limit int) (sqldb.Rows, error) {
	if end, ok := ctx.Deadline(); ok && left > 0 && p.hosts.Several() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(end)/2)
		defer cancel()
	}
	c, err := p.db.Conn(ctx)
	if err != nil {
		return sqldb.Rows{}, err
	}
	defer c.Close()
	var rows sqldb.Rows
	err = c.Raw(func(c any) (err error) {
		rows, err = c.(*conn).query(ctx, text, args, limit)
		return err
	})
	return rows, err
}

// text is a cell as text, nil for NULL.
func text(cell driver.Value) *string {
	var s string
	switch v := cell.(type) {
	case nil:
		return nil
	case []byte:
		s = string(v)
	case string:
		s = v
	case int64:
		s = strconv.FormatInt(v, 10)
	default: // a floating point number, or a whole one that has no room in an int64
		s = fmt.Sprint(v)
	}
	return &s
}
