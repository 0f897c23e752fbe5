package redis

import (
	"context"
	"crypto/tls"
	"net"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"
)

const (
	// maxIdleTime is how long a connection may lie idle: less than the five
	// minutes after which many firewalls forget it.
	maxIdleTime = 3 * time.Minute

	// retries is how often a question is asked again if its connection broke.
	// A broken one is mostly found before it is used. Asking twice does no harm.
	retries = 2

	// buffer is the size of a connection's buffers, bytes. Longer answers are
	// read all the same.
	buffer = 4 << 10

	// reload is how old the knowledge of a Cluster's masters may grow, besides
	// what errors make it renew.
	reload = 10 * time.Second
)

// connect makes the client, which makes its connections when they are needed.
// The commands on each are HELLO 2 (with the password) or AUTH, SELECT unless the
// database is 0, READONLY to a Cluster's replicas, and ROLE where Sentinels named
// the server: nothing that an ACL user must be allowed besides.
func (r *Redis) connect(config *tls.Config) {
	// The library's log, which is one for the process, goes to standard error
	// unless it is told otherwise. All that matters comes as an error, too.
	logging.Disable()
	o := r.opts
	r.refusals = newRefusals()
	d := dialer{tls: config, nameServer: o.nameServer, refusals: r.refusals}
	settings := o.settings(d.dial)
	switch o.mode {
	case single:
		settings.Addr, settings.DB = o.address(), o.db
		if o.socket != "" {
			settings.Network = "unix"
		}
		r.client = hooked(settings)
	case sentinel:
		r.finder = newSentinels(o, d)
		settings.Addr, settings.DB = o.master, o.db
		settings.Dialer, settings.OnConnect = r.finder.dial, r.finder.verify
		r.client = hooked(settings)
	case cluster:
		c := redis.NewClusterClient(o.clustered(settings))
		c.OnNewNode(func(node *redis.Client) { node.AddHook(hook{}) })
		r.client = c
	}
}

func hooked(settings *redis.Options) *redis.Client {
	c := redis.NewClient(settings)
	c.AddHook(hook{})
	return c
}

// settings are those of every connection.
func (o *options) settings(dial func(context.Context, string, string) (net.Conn, error)) *redis.Options {
	return &redis.Options{
		Dialer:                   dial,
		Protocol:                 2,
		Username:                 o.user,
		Password:                 o.password,
		DisableIdentity:          true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
		ContextTimeoutEnabled:    true,
		DialTimeout:              o.connectTimeout,
		DialerRetries:            1,
		ReadTimeout:              o.timeout,
		WriteTimeout:             o.timeout,
		MaxRetries:               retries,
		MinRetryBackoff:          time.Millisecond, // it is another connection that is tried
		MaxRetryBackoff:          10 * time.Millisecond,
		PoolSize:                 o.poolSize,
		MaxActiveConns:           o.poolSize,
		PoolTimeout:              time.Minute, // the question's own deadline comes first
		PipelinePoolSize:         -1,          // there is nothing but pipelines: one pool is enough
		ReadBufferSize:           buffer,
		WriteBufferSize:          buffer,
		ConnMaxIdleTime:          maxIdleTime,
		ConnMaxLifetime:          o.maxLife,
	}
}

// clustered are the settings of a Cluster's client, which follows redirections
// and asks the nodes who they are.
func (o *options) clustered(s *redis.Options) *redis.ClusterOptions {
	return &redis.ClusterOptions{
		Addrs:                      o.cluster,
		ReadOnly:                   o.readFrom == "replica",
		ClusterStateReloadInterval: reload,
		Dialer:                     s.Dialer,
		Protocol:                   s.Protocol,
		Username:                   s.Username,
		Password:                   s.Password,
		DisableIdentity:            true,
		MaintNotificationsConfig:   s.MaintNotificationsConfig,
		ContextTimeoutEnabled:      true,
		DialTimeout:                s.DialTimeout,
		DialerRetries:              s.DialerRetries,
		ReadTimeout:                s.ReadTimeout,
		WriteTimeout:               s.WriteTimeout,
		PoolSize:                   s.PoolSize,
		MaxActiveConns:             s.MaxActiveConns,
		PoolTimeout:                s.PoolTimeout,
		PipelinePoolSize:           s.PipelinePoolSize,
		ReadBufferSize:             buffer,
		WriteBufferSize:            buffer,
		ConnMaxIdleTime:            s.ConnMaxIdleTime,
		ConnMaxLifetime:            s.ConnMaxLifetime,
	}
}

// dialer makes connections, with TLS if there is a configuration for it.
type dialer struct {
	tls        *tls.Config
	nameServer func(ctx context.Context, network, address string) (net.Conn, error) // nil for the system's
	refusals   *refusals
}

// dial has a resolver of its own for each connection: the process's shares its
// questions, so that who comes later waits for an earlier one that got lost.
func (d dialer) dial(ctx context.Context, network, address string) (c net.Conn, err error) {
	direct := &net.Dialer{Resolver: &net.Resolver{PreferGo: d.nameServer != nil, Dial: d.nameServer}}
	if d.tls == nil {
		c, err = direct.DialContext(ctx, network, address)
	} else {
		c, err = (&tls.Dialer{NetDialer: direct, Config: d.tls}).DialContext(ctx, network, address)
	}
	if err != nil {
		return nil, err
	}
	told := func(kind byte, line []byte) { d.refusals.told(address, kind, line) }
	return &conn{Conn: c, replies: replies{told: told}}, nil
}
