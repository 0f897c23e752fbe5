package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// silence is how long a channel may be silent before the server is asked whether
// it is still there, and answerTime how long it may take to answer.
const (
	silence    = 30 * time.Second
	answerTime = 5 * time.Second
)

// Listening is a Postgres that learns of changes by NOTIFY.
type Listening struct {
	*Postgres
	channel             string
	servers             []*candidate
	silence, answerTime time.Duration
}

// Watch listens on the channel, over a connection of its own to the primary
// server: a standby cannot be listened to. It reports "" once it listens, as
// notices before that are lost, and then the payload of each notice. It ends with
// an error when the connection breaks, to be called again.
func (l *Listening) Watch(ctx context.Context, changed func(name string)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(l.pool.closing, cancel)()
	err := l.watch(ctx, changed)
	return fmt.Errorf("listening on %q of %s: %w", l.channel, l.source.Place, explain(err))
}

func (l *Listening) watch(ctx context.Context, changed func(name string)) error {
	c, err := newHosts(ctx, l.primaries(changed)).connect(ctx)
	if err != nil {
		return err
	}
	defer c.leave()
	if err := l.exec(ctx, c, `LISTEN "`+strings.ReplaceAll(l.channel, `"`, `""`)+`"`); err != nil {
		return err
	}
	changed("")
	for {
		bounded, cancel := context.WithTimeout(ctx, l.silence)
		err := c.WaitForNotification(bounded)
		cancel()
		if err != nil && ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
			err = l.exec(ctx, c, "") // is the server there?
		}
		if err != nil {
			return err
		}
	}
}

// primaries are the servers, to be used if they are primary ones, with somebody
// to tell of notices.
func (l *Listening) primaries(changed func(name string)) (list []*candidate) {
	for _, s := range l.servers {
		c := s.config.Copy()
		c.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsPrimary
		c.RuntimeParams["application_name"] = "go-auth listens"
		c.OnNotification = func(_ *pgconn.PgConn, n *pgconn.Notification) { changed(n.Payload) }
		list = append(list, &candidate{config: c})
	}
	return list
}

func (l *Listening) exec(ctx context.Context, c *conn, statement string) error {
	ctx, cancel := context.WithTimeout(ctx, l.answerTime)
	defer cancel()
	_, err := c.Exec(ctx, statement).ReadAll()
	return err
}

// leave closes the connection, whatever state it is in.
func (c *conn) leave() {
	if c.IsClosed() {
		go c.ends()
		return
	}
	c.goodbye()
}
