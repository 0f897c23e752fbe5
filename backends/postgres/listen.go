package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// silence is how long a channel may be silent before the server is asked whether
// it is still there, and patience how long it may take to answer.
const (
	silence  = 30 * time.Second
	patience = 5 * time.Second
)

// Listening is a Postgres that learns of changes by NOTIFY.
type Listening struct {
	*Postgres
	channel           string
	config            *pgxpool.Config
	silence, patience time.Duration
}

// Watch listens on the channel, over a connection of its own to the primary
// server: a standby cannot be listened to. It reports "" once it listens, as
// notices before that are lost, and then the payload of each notice. It ends with
// an error when the connection breaks, to be called again.
func (l *Listening) Watch(ctx context.Context, changed func(name string)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(l.pool.closing, cancel)()
	conn, err := l.listen(ctx)
	if err != nil {
		return fmt.Errorf("listening on %q of %s: %w", l.channel, l.source.Place, explain(err))
	}
	defer closeSoon(conn)
	changed("")
	for {
		notice, err := l.next(ctx, conn)
		if err != nil {
			return fmt.Errorf("listening on %q of %s: %w", l.channel, l.source.Place, explain(err))
		}
		changed(notice.Payload)
	}
}

func (l *Listening) listen(ctx context.Context) (*pgx.Conn, error) {
	c := l.config.ConnConfig.Copy()
	if err := l.config.BeforeConnect(ctx, c); err != nil {
		return nil, err
	}
	c.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsPrimary
	c.RuntimeParams["application_name"] = "go-auth listens"
	conn, err := pgx.ConnectConfig(ctx, c)
	if err != nil {
		return nil, err
	}
	bounded, cancel := context.WithTimeout(ctx, l.patience)
	defer cancel()
	if _, err := conn.PgConn().Exec(bounded, "LISTEN "+pgx.Identifier{l.channel}.Sanitize()).ReadAll(); err != nil {
		closeSoon(conn)
		return nil, err
	}
	return conn, nil
}

// next waits for a notice, and makes sure meanwhile that the server is there.
func (l *Listening) next(ctx context.Context, conn *pgx.Conn) (*pgconn.Notification, error) {
	for {
		bounded, cancel := context.WithTimeout(ctx, l.silence)
		notice, err := conn.WaitForNotification(bounded)
		cancel()
		if err == nil || ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded) {
			return notice, err
		}
		bounded, cancel = context.WithTimeout(ctx, l.patience)
		_, err = conn.PgConn().Exec(bounded, "").ReadAll()
		cancel()
		if err != nil {
			return nil, err
		}
	}
}

// closeSoon says good-bye to the server, if it listens.
func closeSoon(conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	conn.Close(ctx)
}
