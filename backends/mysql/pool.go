package mysql

import (
	"context"
	"database/sql"
	"errors"
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
	return cutOff(err) || p.hosts.Several() && (ailing(err) || errors.Is(err, context.DeadlineExceeded))
}

// try asks a statement. If there is another host, the last try only gets all the
// time that is left.
func (p *pool) try(ctx context.Context, left int, text string, args []any, limit int) (sqldb.Rows, error) {
	if end, ok := ctx.Deadline(); ok && left > 0 && p.hosts.Several() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(end)/2)
		defer cancel()
	}
	found, err := p.db.QueryContext(ctx, text, args...)
	if err != nil {
		return sqldb.Rows{}, err
	}
	defer found.Close()
	return read(found, limit)
}

func read(found *sql.Rows, limit int) (rows sqldb.Rows, err error) {
	if rows.Columns, err = found.Columns(); err != nil {
		return rows, err
	}
	cells := make([]sql.NullString, len(rows.Columns))
	into := make([]any, len(cells))
	for i := range cells {
		into[i] = &cells[i]
	}
	for len(rows.Values) < limit && found.Next() {
		if err := found.Scan(into...); err != nil {
			return rows, err
		}
		row := make([]*string, len(cells))
		for i, c := range cells {
			if c.Valid {
				row[i] = &c.String
			}
		}
		rows.Values = append(rows.Values, row)
	}
	return rows, found.Err()
}
