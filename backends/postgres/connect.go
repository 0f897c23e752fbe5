package postgres

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"mosquitto-go-auth/conf"
)

const (
	// keepAlive is how often the kernel asks a silent peer whether it is there.
	keepAlive = 15 * time.Second

	// maxMessage is the size of the largest row that is read, bytes.
	maxMessage = 16 << 20
)

var sessions = []string{"any", "read-write", "read-only", "primary", "standby", "prefer-standby"}

var validate = map[string]pgconn.ValidateConnectFunc{
	"read-write": pgconn.ValidateConnectTargetSessionAttrsReadWrite,
	"read-only":  pgconn.ValidateConnectTargetSessionAttrsReadOnly,
	"primary":    pgconn.ValidateConnectTargetSessionAttrsPrimary,
	"standby":    pgconn.ValidateConnectTargetSessionAttrsStandby,
}

// nothing is a connection string that leaves nothing to the environment and to
// the files in the home directory, which the client library would read: where a
// broker connects is told by its options alone. What stands here is overwritten.
// Only a PGSERVICE cannot be kept out so; options.check refuses it.
const nothing = "host=/ port=1 user=x password=x dbname=x passfile='' connect_timeout=1 " +
	"sslmode=disable sslcert='' sslkey='' sslrootcert='' sslcertmode=allow sslsni=1 sslpassword='' sslnegotiation='' " +
	"target_session_attrs=any min_protocol_version=3.0 max_protocol_version=3.0 channel_binding=prefer require_auth='' " +
	"application_name='' timezone='' options=''"

// config is what the client library is told of every server.
func (o *options) config() (*pgconn.Config, error) {
	c, err := pgconn.ParseConfig(nothing)
	if err != nil {
		return nil, fmt.Errorf("setting up the Postgres client: %w", err)
	}
	c.User, c.Password, c.Database = o.user, o.password, o.dbname
	c.ConnectTimeout = o.connectTimeout
	c.DialFunc, c.LookupFunc = dial, o.lookup
	c.MaxProtocolMessageBodyLen = maxMessage
	// PgBouncer refuses parameters that it does not know. It knows these two.
	c.RuntimeParams = map[string]string{"application_name": "go-auth", "client_encoding": "UTF8"}
	if o.settings != "" {
		c.RuntimeParams["options"] = o.settings
	}
	return c, nil
}

// candidates are the servers in the order in which they are to be used. With
// prefer-standby each is there twice: as a standby, and after those as whatever
// it is.
func (o *options) candidates() ([]*candidate, []string, conf.Faults) {
	faults := o.check()
	t, notes, tlsFaults := o.load()
	if faults = append(faults, tlsFaults...); len(faults) > 0 {
		return nil, notes, faults
	}
	template, err := o.config()
	if err != nil {
		return nil, notes, conf.Faults{{Text: err.Error()}}
	}
	rounds := []string{o.session}
	if o.session == "prefer-standby" {
		rounds = []string{"standby", "any"}
	}
	var list []*candidate
	for _, session := range rounds {
		for _, s := range o.servers() {
			list = append(list, newCandidate(template, s, t.ways(s), session))
		}
	}
	return list, notes, nil
}

// lookup resolves a host with a resolver of its own: a common one would have it
// wait for an earlier question that the name server has lost.
func (o *options) lookup(ctx context.Context, host string) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, o.connectTimeout)
	defer cancel()
	return (&net.Resolver{PreferGo: o.nameServer != nil, Dial: o.nameServer}).LookupHost(ctx, host)
}

// dialed is the network connection below the one that a candidate is making. Its
// zero value is the key under which a context has it.
type dialed struct{ net.Conn }

// dial makes a network connection. Without a [dialed] the client library makes
// it to have a statement broken off, which must not last longer than [grace].
func dial(ctx context.Context, network, address string) (net.Conn, error) {
	d, connecting := ctx.Value(dialed{}).(*dialed)
	if !connecting {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, grace)
		defer cancel()
	}
	c, err := (&net.Dialer{KeepAlive: keepAlive}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	if connecting {
		d.Conn = c
		return c, nil
	}
	if err := c.SetDeadline(time.Now().Add(grace)); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}
