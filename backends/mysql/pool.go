package mysql

import (
	"context"
	"crypto/x509"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/go-sql-driver/mysql"

	"mosquitto-go-auth/backends/sqldb"
)

// maxIdleTime is how long a connection may lie idle: less than the five
// minutes after which many firewalls forget it.
const maxIdleTime = 3 * time.Minute

// retries is how often a statement is asked again if its connection broke. The
// liveness check before each use finds connections that the server has closed,
// but not one that it is about to close. Asking twice does no harm.
const retries = 2

// pool is a [sqldb.Querier]. A statement is prepared when it is first asked,
// and again by database/sql on every new connection; after that it costs one
// round trip.
type pool struct {
	db       *sql.DB
	prepared sync.Map // of *sql.Stmt, by text; the driver's few statements
}

func openPool(c *mysql.Config, o *options) (*pool, error) {
	client, err := mysql.NewConnector(c)
	if err != nil {
		return nil, fmt.Errorf("setting up the MySQL client: %w", err)
	}
	db := sql.OpenDB(connector{client, o.connectTimeout})
	db.SetMaxOpenConns(o.maxOpen)
	db.SetMaxIdleConns(o.maxOpen)
	db.SetConnMaxIdleTime(maxIdleTime)
	db.SetConnMaxLifetime(o.maxLifeTime)
	return &pool{db: db}, nil
}

// connector bounds the making of a connection as a whole: database/sql makes
// some in the background, where no caller's deadline holds, and a server that
// accepts and says nothing would keep its place in the pool for ever.
type connector struct {
	driver.Connector
	timeout time.Duration
}

func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	return c.Connector.Connect(ctx)
}

func (p *pool) Query(ctx context.Context, text string, args []any, limit int) (sqldb.Rows, error) {
	rows, err := p.query(ctx, text, args, limit)
	for range retries {
		if !cutOff(err) || ctx.Err() != nil {
			break
		}
		rows, err = p.query(ctx, text, args, limit)
	}
	if unspeakable(err, args) {
		return sqldb.Rows{}, sqldb.ErrNoMatch
	}
	return rows, explain(err)
}

func (p *pool) query(ctx context.Context, text string, args []any, limit int) (sqldb.Rows, error) {
	statement, err := p.statement(ctx, text)
	if err != nil {
		return sqldb.Rows{}, err
	}
	found, err := statement.QueryContext(ctx, args...)
	if err != nil {
		return sqldb.Rows{}, err
	}
	defer found.Close()
	return read(found, limit)
}

// statement prepares the text unless that was done. Two callers may do so at
// once, then the first one's is kept.
func (p *pool) statement(ctx context.Context, text string) (*sql.Stmt, error) {
	if s, ok := p.prepared.Load(text); ok {
		return s.(*sql.Stmt), nil
	}
	s, err := p.db.PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	if kept, loaded := p.prepared.LoadOrStore(text, s); loaded {
		s.Close()
		return kept.(*sql.Stmt), nil
	}
	return s, nil
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

// Numbers of errors of the servers (mysqld_error.h).
const (
	accessDenied         = 1045
	illegalMix           = 1267 // of collations, of two, three and more operands
	illegalMix3          = 1270
	illegalMixN          = 1271
	accessDeniedNoMethod = 1698
	connectionKilled     = 1927 // MariaDB
	sessionKilled        = 3169 // MySQL 8
	impossibleConversion = 3988 // MySQL 8
	idleTooLong          = 4031 // MySQL 8
)

// cutOff tells whether the server ended the connection.
func cutOff(err error) bool {
	var e *mysql.MySQLError
	if errors.As(err, &e) {
		return e.Number == connectionKilled || e.Number == sessionKilled || e.Number == idleTooLong
	}
	return errors.Is(err, mysql.ErrInvalidConn)
}

// unspeakable tells whether the statement failed because a parameter cannot be
// written in a column's character set, such as an emoji in latin1.
func unspeakable(err error, args []any) bool {
	var e *mysql.MySQLError
	if !errors.As(err, &e) {
		return false
	}
	switch e.Number {
	case illegalMix, illegalMix3, illegalMixN, impossibleConversion:
		return foreign(args)
	}
	return false
}

// foreign tells whether an argument has characters beyond ASCII.
func foreign(args []any) bool {
	for _, a := range args {
		if s, ok := a.(string); ok {
			for i := range len(s) {
				if s[i] >= utf8.RuneSelf {
					return true
				}
			}
		}
	}
	return false
}

// explain adds to an error what the operator can do about it.
func explain(err error) error {
	var server *mysql.MySQLError
	var authority x509.UnknownAuthorityError
	var name x509.HostnameError
	switch {
	case errors.As(err, &server) && (server.Number == accessDenied || server.Number == accessDeniedNoMethod):
		return fmt.Errorf("the server does not accept our own user name and password, see mysql_user and mysql_password: %w", err)
	case errors.Is(err, mysql.ErrNativePassword):
		return fmt.Errorf("the server wants mysql_native_password, which mysql_allow_native_passwords true allows: %w", err)
	case errors.As(err, &authority):
		return fmt.Errorf("the server's certificate is of no trusted authority; name its PEM file as mysql_sslrootcert with mysql_sslmode custom: %w", err)
	case errors.As(err, &name):
		return fmt.Errorf("the server's certificate is for another name than mysql_host: %w", err)
	}
	return err
}
