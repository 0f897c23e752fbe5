package redis

import (
	"context"
	"errors"
	"net"
	"strconv"
	"strings"
	"time"

	"mosquitto-go-auth/conf"
)

// Ports where none is written.
const (
	serverPort   = "6379"
	sentinelPort = "26379"
)

// options are the values that the operator gave.
type options struct {
	set        *conf.Set
	nameServer func(ctx context.Context, network, address string) (net.Conn, error) // nil for the system's

	mode                             mode
	host, socket                     string
	port, db                         int
	cluster, sentinels               []string
	master                           string
	user, password                   string
	sentinelUser, sentinelPassword   string
	prefix, userquery                string
	disableSuperuser                 bool
	readFrom                         string
	tls                              tlsOptions
	channel                          string
	keyspace                         bool
	poolSize                         int
	timeout, connectTimeout, maxLife time.Duration
}

// declareOptions declares the names of mosquitto-go-auth, as former names those
// of mosquitto-auth-plug, and our own.
func declareOptions(s *conf.Set) *options {
	o := &options{set: s, mode: single}
	s.Group("redis")
	s.Var(&o.mode, "redis_mode", "one of "+strings.Join(modes, ", "), "one server, a Cluster, or a server that Sentinels name")
	s.String(&o.host, "redis_host", "localhost", "the server")
	s.Int(&o.port, "redis_port", 6379, 1, 65535, "its port")
	s.String(&o.socket, "redis_socket", "", "the server's socket file, instead of host and port")
	s.Int(&o.db, "redis_db", 1, 0, 1<<20, "the number of the database; a Cluster has number 0 only")
	s.List(&o.cluster, "redis_cluster_addresses", "some nodes of the Cluster, host:port; the others are found by themselves")
	s.List(&o.sentinels, "redis_sentinel_addresses", "the Sentinels, host:port")
	s.String(&o.master, "redis_sentinel_master", "", "what the Sentinels call the server")
	s.Also(s.String(&o.user, "redis_user", "", "the ACL user to log in as (Redis 6 and later); without it, the password is the user `default`'s"), "redis_username")
	s.Secret(s.Also(s.String(&o.password, "redis_password", "", "the password"), "redis_pass"))
	s.String(&o.sentinelUser, "redis_sentinel_user", "", "the ACL user to log in as at the Sentinels")
	s.Secret(s.String(&o.sentinelPassword, "redis_sentinel_password", "", "the password there"))
	s.String(&o.prefix, "redis_prefix", "", "what stands before each key, such as `mqtt:`")
	s.Bool(&o.disableSuperuser, "redis_disable_superuser", false, "no user is a superuser, whatever `NAME:su` says")
	s.Choice(&o.readFrom, "redis_read_from", "master", []string{"master", "replica"},
		"`replica` spreads the questions over the replicas of a Cluster or of the Sentinels' master; what they say is a moment old")
	s.String(&o.channel, "redis_notify_channel", "", "a pub/sub channel; a message on it is the name of a user whose keys changed, an empty one stands for all")
	s.Bool(&o.keyspace, "redis_keyspace_events", false, "watch the keys themselves; the server's `notify-keyspace-events` must have `K$sgxe`")
	o.tls.declare(s)
	s.Int(&o.poolSize, "redis_pool_size", 16, 1, 1000, "connections at most; in a Cluster, to each node")
	s.Duration(&o.connectTimeout, "redis_connect_timeout", 2*time.Second, 10*time.Millisecond, 5*time.Minute,
		"how long making a connection may take; then it is tried anew, so that a server that was unreachable is found soon")
	s.Duration(&o.timeout, "redis_timeout", 5*time.Second, 10*time.Millisecond, 5*time.Minute, "how long an answer may take")
	s.Duration(&o.maxLife, "redis_max_life_time", 30*time.Minute, 0, 24*365*time.Hour,
		"how long a connection is used before another takes its place; 0 for no limit")
	s.String(&o.userquery, "redis_userquery", "", "mosquitto-auth-plug's: `GET` and a key with `%s` for the user name; then there are no rights in Redis, and everything is allowed")
	s.Refuse("it asked once for each topic, and rights are known beforehand here; put the topics into the sets NAME:racls, NAME:wacls, NAME:rwacls "+
		"and NAME:sacls, and remove redis_userquery too if it was GET %s", "redis_aclquery")
	return o
}

// mode is the value of redis_mode.
type mode string

const (
	single   mode = "single"
	cluster  mode = "cluster"
	sentinel mode = "sentinel"
)

var modes = []string{string(single), string(cluster), string(sentinel)}

func (m *mode) String() string { return string(*m) }

// Set also understands what was single to mosquitto-go-auth, which read any word
// but cluster so.
func (m *mode) Set(s string) error {
	switch s = strings.ToLower(s); s {
	case "standalone", "":
		*m = single
	case string(single), string(cluster), string(sentinel):
		*m = mode(s)
	default:
		return errors.New("write one of " + strings.Join(modes, ", "))
	}
	return nil
}

// place is what errors call the server.
func (o *options) place() string {
	switch o.mode {
	case cluster:
		return "Redis Cluster at " + strings.Join(o.cluster, ", ")
	case sentinel:
		return "Redis master " + o.master + " of the Sentinels at " + strings.Join(o.sentinels, ", ")
	}
	return "Redis at " + o.address() + "/" + strconv.Itoa(o.db)
}

func (o *options) address() string {
	if o.socket != "" {
		return o.socket
	}
	return net.JoinHostPort(o.host, strconv.Itoa(o.port))
}

// check looks whether the options go together, and completes them.
func (o *options) check() (l layout, notes []string, faults conf.Faults) {
	fault := func(name, text string) {
		if given := o.set.Given(name); given != "" {
			name = given
		}
		faults = append(faults, conf.Remark{Key: name, Text: text})
	}
	l = keys(o.prefix)
	if o.userquery != "" {
		var err error
		if l, err = parseUserquery(o.userquery); err != nil {
			fault("redis_userquery", err.Error())
		}
		if o.prefix != "" {
			fault("redis_prefix", "does not go with redis_userquery; write the prefix there: GET "+o.prefix+"%s")
		}
	}
	if o.user != "" && o.password == "" {
		fault("redis_password", "is missing, the password of "+o.user+"; if it has none, write any")
	}
	if o.sentinelUser != "" && o.sentinelPassword == "" {
		fault("redis_sentinel_password", "is missing, the password of "+o.sentinelUser+"; if it has none, write any")
	}
	o.cluster, o.sentinels = withPort(o.cluster, serverPort), withPort(o.sentinels, sentinelPort)
	if o.mode == cluster && len(o.cluster) == 0 {
		fault("redis_cluster_addresses", "is missing, which redis_mode cluster needs; write some of its nodes, host:port, with commas between them")
	}
	if o.mode == sentinel && len(o.sentinels) == 0 {
		fault("redis_sentinel_addresses", "is missing, which redis_mode sentinel needs; write them as host:port, with commas between them")
	}
	if o.mode == sentinel && o.master == "" {
		fault("redis_sentinel_master", "is missing, which redis_mode sentinel needs; write the name that the Sentinels watch the server under, such as mymaster")
	}
	if text := o.oneHost(); text != "" {
		fault("redis_host", text)
	}
	o.database()
	return l, append(o.unused(), o.stale()...), faults
}

// oneHost returns what is wrong if redis_host is no name of one server.
func (o *options) oneHost() string {
	if o.mode != single || o.socket != "" {
		return ""
	}
	if strings.Contains(o.host, ",") {
		return "names several servers; write one, or redis_mode cluster and redis_cluster_addresses, or redis_mode sentinel and redis_sentinel_addresses"
	}
	if host, _, err := net.SplitHostPort(o.host); err == nil {
		return "has a port; write redis_host " + host + ", and the port as redis_port"
	}
	return ""
}

// database settles the number, whose default depends on the mode and on whose
// options these are.
func (o *options) database() {
	switch {
	case o.mode == cluster:
		o.db = 0
	case o.set.Given("redis_db") == "" && o.userquery != "":
		o.db = 0 // mosquitto-auth-plug's
	}
}

// unused returns notes of options that do nothing in this mode.
func (o *options) unused() (notes []string) {
	for _, n := range []struct {
		name   string
		effect bool
		why    string
	}{
		{"redis_cluster_addresses", o.mode == cluster, "without redis_mode cluster"},
		{"redis_sentinel_addresses", o.mode == sentinel, "without redis_mode sentinel"},
		{"redis_sentinel_master", o.mode == sentinel, "without redis_mode sentinel"},
		{"redis_socket", o.mode == single, "with redis_mode " + string(o.mode)},
		{"redis_host", o.mode == single && o.socket == "", "beside redis_socket, or with redis_mode cluster or sentinel"},
		{"redis_db", o.mode != cluster, "with redis_mode cluster: a Cluster has database 0 only"},
		{"redis_read_from", o.mode != single || o.readFrom == "master", "with redis_mode single: name the replica as redis_host"},
	} {
		if given := o.set.Given(n.name); given != "" && !n.effect {
			notes = append(notes, given+" has no effect "+n.why+".")
		}
	}
	return notes
}

// stale warns of a way to learn of a change too early.
func (o *options) stale() []string {
	if o.mode == single || o.readFrom == "master" || o.channel == "" && !o.keyspace {
		return nil
	}
	return []string{"redis_read_from replica: a notice of a change can come before the replica has the change, which then counts only after acl_cache_seconds."}
}

// withPort completes addresses.
func withPort(addresses []string, port string) []string {
	complete := make([]string, len(addresses))
	for i, a := range addresses {
		if _, _, err := net.SplitHostPort(a); err != nil {
			a = net.JoinHostPort(strings.Trim(a, "[]"), port)
		}
		complete[i] = a
	}
	return complete
}
