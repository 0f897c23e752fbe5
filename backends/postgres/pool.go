package postgres

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"mosquitto-go-auth/backends/sqldb"
)

// retries is how often statements are asked again if their connection broke,
// which for one that lay idle shows only then. Asking twice does no harm.
const retries = 2

// refusedFor is how long a server that did not accept our user name or password
// is not asked again, so that a storm of logins is none on its log.
const refusedFor = time.Second

var errClosed = errors.New("the backend is closed")

// pool is a [sqldb.Batcher]. It sends statements in text form, parameters apart,
// without naming them, and leaves the types of the parameters to the server: all
// statements of an account are one round trip, the first time as well, and nothing
// is left behind in a session, so that a pooler may change the server's connection
// after each.
type pool struct {
	conns   *pgxpool.Pool
	several bool // there is more than one server
	closing context.Context
	cancel  context.CancelFunc

	mu      sync.Mutex
	refusal error // of our user name or password
	until   time.Time
}

func (p *pool) open(c *pgxpool.Config, servers int) (err error) {
	p.closing, p.cancel = context.WithCancel(context.Background())
	p.several = servers > 1
	route := c.BeforeConnect
	c = c.Copy()
	c.BeforeConnect = func(ctx context.Context, n *pgx.ConnConfig) error {
		if err := p.refused(); err != nil {
			return err
		}
		return route(ctx, n)
	}
	p.conns, err = pgxpool.NewWithConfig(p.closing, c)
	return err
}

// close does not wait for statements that are under way, but breaks them off.
func (p *pool) close() {
	p.cancel()
	go p.conns.Close() // it waits
}

// Query asks a single question.
func (p *pool) Query(ctx context.Context, text string, args []any, limit int) (sqldb.Rows, error) {
	rows, err := p.Batch(ctx, []sqldb.Question{{Text: text, Args: args, Limit: limit}})
	if err != nil {
		return sqldb.Rows{}, err
	}
	return rows[0], nil
}

// Batch asks all questions in one round trip.
func (p *pool) Batch(ctx context.Context, questions []sqldb.Question) ([]sqldb.Rows, error) {
	if err := p.closing.Err(); err != nil {
		return nil, errClosed
	}
	for i, q := range questions {
		if !tellable(q.Args) {
			questions = questions[:i]
			if i == 0 {
				return nil, sqldb.ErrNoMatch
			}
			rows, err := p.Batch(ctx, questions)
			if err == nil {
				err = sqldb.ErrNoMatch
			}
			return rows, err
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(p.closing, cancel)()

	rows, cut, err := p.batch(ctx, questions)
	for n := 0; cut && n < retries && ctx.Err() == nil; n++ {
		p.conns.Reset() // the others may have been cut off with it
		rows, cut, err = p.batch(ctx, questions)
	}
	if p.several && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		p.conns.Reset() // the server is silent; new connections find another
	}
	p.note(err)
	return rows, explain(err)
}

// tellable tells whether Postgres can be told the arguments: no text of its has
// a NUL.
func tellable(args []any) bool {
	for _, a := range args {
		if s, ok := a.(string); ok && strings.ContainsRune(s, 0) {
			return false
		}
	}
	return true
}

// batch returns the answers to the questions, up to the first that failed. cut
// says that the connection broke.
func (p *pool) batch(ctx context.Context, questions []sqldb.Question) (rows []sqldb.Rows, cut bool, err error) {
	conn, err := p.conns.Acquire(ctx)
	if err != nil {
		return nil, false, err
	}
	defer conn.Release()
	b := &pgconn.Batch{}
	for _, q := range questions {
		b.ExecParams(q.Text, values(q.Args), nil, nil, nil)
	}
	results := conn.Conn().PgConn().ExecBatch(ctx, b)
	rows, err = answers(results, questions)
	if e := results.Close(); e != nil {
		err = e
	}
	return rows, err != nil && ctx.Err() == nil && conn.Conn().IsClosed(), err
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

// note remembers that the server did not accept our user name or password.
func (p *pool) note(err error) {
	if !refusesUs(err) {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if time.Now().After(p.until) {
		p.refusal, p.until = err, time.Now().Add(refusedFor)
	}
}

func (p *pool) refused() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if time.Now().Before(p.until) {
		return p.refusal
	}
	return nil
}
