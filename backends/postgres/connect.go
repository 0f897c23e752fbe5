package postgres

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"mosquitto-go-auth/conf"
)

const (
	// maxIdleTime is how long a connection may lie idle: less than the five
	// minutes after which many firewalls forget it.
	maxIdleTime = 3 * time.Minute

	// keepAlive is how often the kernel asks a silent peer whether it is there.
	keepAlive = 15 * time.Second

	// avoidance is how long a server that did not answer is tried last.
	avoidance = 30 * time.Second

	// maxMessage is the size of the largest row that is read, bytes.
	maxMessage = 16 << 20
)

var sessions = []string{"any", "read-write", "read-only", "primary", "standby", "prefer-standby"}

var validate = map[string]pgconn.ValidateConnectFunc{
	"read-write":     pgconn.ValidateConnectTargetSessionAttrsReadWrite,
	"read-only":      pgconn.ValidateConnectTargetSessionAttrsReadOnly,
	"primary":        pgconn.ValidateConnectTargetSessionAttrsPrimary,
	"standby":        pgconn.ValidateConnectTargetSessionAttrsStandby,
	"prefer-standby": pgconn.ValidateConnectTargetSessionAttrsPreferStandby,
}

// nothing is a connection string that leaves nothing to the environment and to
// the files in the home directory, which the client library would read: where a
// broker connects is told by its options alone. What stands here is overwritten.
// Only a PGSERVICE cannot be kept out so; options.check refuses it.
const nothing = "host=/ port=1 user=x password=x dbname=x passfile='' connect_timeout=1 " +
	"sslmode=disable sslcert='' sslkey='' sslrootcert='' sslcertmode=allow sslsni=1 sslpassword='' sslnegotiation='' " +
	"target_session_attrs=any min_protocol_version=3.0 max_protocol_version=3.0 channel_binding=prefer require_auth='' " +
	"application_name='' timezone='' options=''"

// config is what the client library is told.
func (o *options) config() (*pgxpool.Config, []string, conf.Faults) {
	faults := o.check()
	t, notes, tlsFaults := o.load()
	if faults = append(faults, tlsFaults...); len(faults) > 0 {
		return nil, notes, faults
	}
	c, err := pgxpool.ParseConfig(nothing)
	if err != nil {
		return nil, notes, conf.Faults{{Text: fmt.Sprintf("the Postgres client cannot be set up: %v", err)}}
	}
	c.MaxConns, c.MinConns, c.MinIdleConns = int32(o.maxOpen), 0, 0
	c.MaxConnIdleTime, c.MaxConnLifetime, c.MaxConnLifetimeJitter = maxIdleTime, o.maxLifeTime, o.maxLifeTime/10
	if o.maxLifeTime == 0 {
		c.MaxConnLifetime = 100 * 365 * day
	}
	c.ShouldPing = func(context.Context, pgxpool.ShouldPingParams) bool { return false } // a broken one shows when it is used

	n := c.ConnConfig
	n.User, n.Password, n.Database = o.user, o.password, o.dbname
	n.ConnectTimeout = o.connectTimeout
	n.DialFunc = (&net.Dialer{KeepAlive: keepAlive}).DialContext
	n.MaxProtocolMessageBodyLen = maxMessage
	n.ValidateConnect = validate[o.session]
	// Only parameters that PgBouncer knows: it refuses all others.
	n.RuntimeParams = map[string]string{"application_name": "go-auth", "client_encoding": "UTF8"}

	r := newRouter(o.servers(), t)
	r.timeout = o.connectTimeout
	n.LookupFunc = r.lookup
	r.route(&n.Config)
	c.BeforeConnect = func(_ context.Context, n *pgx.ConnConfig) error { r.route(&n.Config); return nil }
	c.AfterConnect = func(_ context.Context, c *pgx.Conn) error { r.connected(c.PgConn().Conn().RemoteAddr()); return nil }
	return c, notes, nil
}

// router leads connections to the servers. They are tried in their order; but
// once the first ones did not answer, the one that did is tried first for a while,
// lest each new connection waits for them. It may be used from any goroutine.
type router struct {
	servers []server
	ways    [][]*tls.Config // of each server
	timeout time.Duration   // of looking up a host

	mu        sync.Mutex
	addresses map[string]int // which server an address belongs to
	first     int
	until     time.Time
}

func newRouter(servers []server, t loaded) *router {
	r := &router{servers: servers, addresses: map[string]int{}}
	for i, s := range servers {
		r.ways = append(r.ways, t.ways(s))
		if s.socket() {
			_, path := pgconn.NetworkAddress(s.host, s.port)
			r.addresses[path] = i
		}
	}
	return r
}

// route writes the servers into a configuration.
func (r *router) route(c *pgconn.Config) {
	r.mu.Lock()
	first := r.now()
	r.mu.Unlock()
	var list []*pgconn.FallbackConfig
	for i := range r.servers {
		n := i // the first one, then the others in their order
		switch {
		case i == 0:
			n = first
		case i <= first:
			n = i - 1
		}
		for _, way := range r.ways[n] {
			list = append(list, &pgconn.FallbackConfig{Host: r.servers[n].host, Port: r.servers[n].port, TLSConfig: way})
		}
	}
	c.Host, c.Port, c.TLSConfig = list[0].Host, list[0].Port, list[0].TLSConfig
	c.Fallbacks = list[1:]
}

// lookup resolves a host and notes which server the addresses are of.
func (r *router) lookup(ctx context.Context, host string) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	found, err := new(net.Resolver).LookupHost(ctx, host)
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.addresses) > 1000 {
		clear(r.addresses) // a name whose addresses change all the time
	}
	for i, s := range r.servers {
		if s.host != host {
			continue
		}
		for _, ip := range found {
			r.addresses[net.JoinHostPort(ip, strconv.Itoa(int(s.port)))] = i
		}
	}
	return found, err
}

// connected notes which server was reached.
func (r *router) connected(to net.Addr) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n, known := r.addresses[to.String()]; known && n != r.now() {
		r.first, r.until = n, time.Now().Add(avoidance)
	}
}

// now is the server to try first. r.mu is held.
func (r *router) now() int {
	if time.Now().After(r.until) {
		return 0
	}
	return r.first
}
