// Package postgres reads accounts from PostgreSQL, with the options and the
// queries of both predecessors.
package postgres

import (
	"context"
	"errors"

	"mosquitto-go-auth/backends"
	"mosquitto-go-auth/backends/sqldb"
	"mosquitto-go-auth/conf"
)

// Driver makes backends that ask a PostgreSQL server, or the first of several
// that answers.
var Driver = backends.Driver{
	Name:    "postgres",
	Prefix:  "pg",
	Doc:     "tables in PostgreSQL",
	Declare: declare,
}

// Postgres is a [backends.Backend] over a pool of connections, which are made
// when they are needed.
type Postgres struct {
	pool   *pool
	source *sqldb.Source
}

var (
	_ backends.Backend   = (*Postgres)(nil)
	_ backends.Prober    = (*Postgres)(nil)
	_ backends.PerClient = (*Postgres)(nil)
	_ backends.Adviser   = (*Postgres)(nil)
	_ backends.Watcher   = (*Listening)(nil)
	_ sqldb.Batcher      = (*pool)(nil)
)

func declare(s *conf.Set) backends.Open {
	o := declareOptions(s)
	return func(checks backends.Checks) (backends.Opened, error) {
		return o.open(checks)
	}
}

// open makes the backend without a word to the server.
func (o *options) open(checks backends.Checks) (backends.Opened, error) {
	candidates, notes, faults := o.candidates()
	p := newPool(o)
	source, queryNotes, err := sqldb.New(sqldb.Config{
		Dialect: sqldb.Postgres,
		Place:   o.place(),
		User:    o.query("pg_userquery", o.userquery),
		Super:   o.query("pg_superquery", o.superquery),
		ACL:     o.query("pg_aclquery", o.aclquery),
		Checks:  checks,
	}, p)
	var more conf.Faults
	if errors.As(err, &more) {
		faults = append(faults, more...)
	}
	if len(faults) > 0 {
		return backends.Opened{}, faults
	}
	p.hosts = newHosts(p.closing, candidates)
	opened := backends.Opened{Provides: source.Provides(), Notes: append(notes, queryNotes...)}
	b := &Postgres{p, source}
	opened.Backend = b
	if o.channel != "" {
		opened.Backend = &Listening{b, o.channel, candidates[:len(o.hosts)], silence, answerTime}
	}
	return opened, nil
}

// User fetches an account. All statements go to the server in one round trip.
func (p *Postgres) User(ctx context.Context, l backends.Lookup) (backends.Account, error) {
	return p.source.Account(ctx, l)
}

// PerClient tells whether the userquery asks for the client id.
func (p *Postgres) PerClient() bool { return p.source.PerClient() }

// Probe examines the queries and how the server compares names.
func (p *Postgres) Probe(ctx context.Context, name string) ([]string, error) {
	return p.source.Probe(ctx, name)
}

// HowToGrant returns a statement that adds a row for the aclquery.
func (p *Postgres) HowToGrant(name string, r backends.Rule) string {
	return p.source.HowToGrant(name, r)
}

// Close ends the connections, and with them the statements that they run.
func (p *Postgres) Close() error {
	p.pool.close()
	return nil
}
