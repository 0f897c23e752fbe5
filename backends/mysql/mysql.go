// Package mysql reads accounts from MySQL and MariaDB, with the options and
// the queries of both predecessors.
package mysql

import (
	"context"
	"errors"
	"fmt"

	"mosquitto-go-auth/backends"
	"mosquitto-go-auth/backends/sqldb"
	"mosquitto-go-auth/conf"
)

// Driver makes backends that ask a MySQL or MariaDB server.
var Driver = backends.Driver{
	Name:    "mysql",
	Prefix:  "mysql",
	Doc:     "tables in MySQL or MariaDB",
	Declare: declare,
}

// MySQL is a [backends.Backend] over a pool of connections, which are made
// when they are needed.
type MySQL struct {
	pool   *pool
	source *sqldb.Source
}

var (
	_ backends.Backend   = (*MySQL)(nil)
	_ backends.Prober    = (*MySQL)(nil)
	_ backends.PerClient = (*MySQL)(nil)
	_ backends.Adviser   = (*MySQL)(nil)
)

func declare(s *conf.Set) backends.Open {
	o := declareOptions(s)
	return func(checks backends.Checks) (backends.Opened, error) {
		return o.open(checks)
	}
}

// open makes the backend without a word to the server.
func (o *options) open(checks backends.Checks) (backends.Opened, error) {
	hosts, notes, faults := o.hosts()
	if len(faults) > 0 && hosts == nil {
		return backends.Opened{}, faults
	}
	pool := openPool(hosts, o)
	source, queryNotes, err := sqldb.New(sqldb.Config{
		Dialect: sqldb.MySQL,
		Place:   o.place(),
		User:    o.query("mysql_userquery", o.userquery),
		Super:   o.query("mysql_superquery", o.superquery),
		ACL:     o.query("mysql_aclquery", o.aclquery),
		Checks:  checks,
	}, pool)
	var more conf.Faults
	if errors.As(err, &more) {
		faults = append(faults, more...)
	}
	if len(faults) > 0 {
		pool.db.Close()
		return backends.Opened{}, faults
	}
	return backends.Opened{
		Backend:  &MySQL{pool, source},
		Provides: source.Provides(),
		Notes:    append(notes, queryNotes...),
	}, nil
}

// User fetches an account with one to five statements, one after the other.
func (m *MySQL) User(ctx context.Context, l backends.Lookup) (backends.Account, error) {
	return m.source.Account(ctx, l)
}

// PerClient tells whether the userquery asks for the client id.
func (m *MySQL) PerClient() bool { return m.source.PerClient() }

// Probe examines the queries and how the server compares names. Of several
// hosts it also tells which do not answer, though another one does.
func (m *MySQL) Probe(ctx context.Context, name string) ([]string, error) {
	c, err := m.pool.db.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("asking %s: %w", m.source.Place, err)
	}
	// It goes back to the pool.
	_ = c.Close()
	notes, err := m.source.Probe(ctx, name)
	return append(m.pool.hosts.absent(ctx), notes...), err
}

// HowToGrant returns a statement that adds a row for the aclquery.
func (m *MySQL) HowToGrant(name string, r backends.Rule) string { return m.source.HowToGrant(name, r) }

// Close ends the idle connections at once, and each of the others with the
// statement that it runs.
func (m *MySQL) Close() error { return m.pool.db.Close() }
