package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"mosquitto-go-auth/backends/sqldb"
	"mosquitto-go-auth/conf"
)

// options are the values that the operator gave.
type options struct {
	set *conf.Set

	hosts                           []string
	ports                           ports
	dbname, user, password          string
	userquery, superquery, aclquery string
	tls                             tlsOptions
	session, settings               string
	channel                         string
	maxOpen                         int
	maxLifeTime, connectTimeout     time.Duration

	nameServer func(ctx context.Context, network, address string) (net.Conn, error) // nil for the system's
}

const day = 24 * time.Hour

// maxChannel is the length of the longest identifier, bytes (NAMEDATALEN - 1).
const maxChannel = 63

// declareOptions declares the names of mosquitto-go-auth, and as former names
// those of mosquitto-auth-plug.
func declareOptions(s *conf.Set) *options {
	o := &options{set: s, hosts: []string{"localhost"}, ports: ports{5432}}
	s.Group("postgres")
	s.Also(s.List(&o.hosts, "pg_host", "the servers, in the order in which they are tried, `db1, db2:5433`; one that begins with `/` is the directory of a socket"), "host")
	s.Also(s.Var(&o.ports, "pg_port", "number 1–65535, or list", "the port of servers without one of their own, or a port for each"), "port")
	s.Also(s.String(&o.dbname, "pg_dbname", "", "the database"), "dbname")
	s.Also(s.String(&o.user, "pg_user", "", "the user to log in as"), "user")
	s.Secret(s.Also(s.String(&o.password, "pg_password", "", "the user's password"), "pass"))
	s.Also(s.String(&o.userquery, "pg_userquery", "",
		"returns the stored password hash of a user, and if you like the user name after it"), "userquery")
	s.Also(s.String(&o.superquery, "pg_superquery", "", "returns a number, greater than 0 for a superuser"), "superquery")
	s.Also(s.String(&o.aclquery, "pg_aclquery", "", "returns topics and the rights to them, in one of three forms"), "aclquery")
	o.tls.declare(s)
	s.Choice(&o.session, "pg_target_session_attrs", "any", sessions,
		"which of several servers to use: `primary`, `standby`, `prefer-standby`, one that can be written to (`read-write`), one that cannot (`read-only`)")
	s.String(&o.settings, "pg_options", "",
		"settings of our connections, as libpq's `options` has them: `-c search_path=mqtt -c statement_timeout=2s`")
	s.String(&o.channel, "pg_notify_channel", "",
		"listen on this channel for the names of users whose accounts changed, which then counts at once; schema.sql notifies on `go_auth`")
	s.Int(&o.maxOpen, "pg_max_open_conns", 16, 1, 1000, "connections at most, one more to listen not counted")
	s.Duration(&o.maxLifeTime, "pg_max_life_time", 30*time.Minute, 0, 365*day,
		"how long a connection is used before another takes its place; 0 for no limit")
	s.Duration(&o.connectTimeout, "pg_connect_timeout", 2*time.Second, 10*time.Millisecond, 5*time.Minute,
		"how long making a connection to one server may take, with TLS and log-in; the next is tried too after half a second")
	s.Retire("connections are made when they are needed, and made again when they break", "pg_connect_tries")
	return o
}

// ports is the value of pg_port.
type ports []uint16

func (p *ports) String() string {
	texts := make([]string, len(*p))
	for i, n := range *p {
		texts[i] = strconv.Itoa(int(n))
	}
	return strings.Join(texts, ", ")
}

func (p *ports) Set(s string) error {
	var list ports
	for text := range strings.SplitSeq(s, ",") {
		n, err := strconv.ParseUint(strings.TrimSpace(text), 10, 16)
		if err != nil || n == 0 {
			return errors.New("write a whole number from 1 to 65535, or one for each of several servers, separated by commas")
		}
		list = append(list, uint16(n))
	}
	*p = list
	return nil
}

// plug tells whether the names of mosquitto-auth-plug are in use, and with them
// the defaults of its client library.
func (o *options) plug() bool { return o.set.Written("pg_userquery") == "userquery" }

// query looks up under which name a query was given.
func (o *options) query(name, text string) sqldb.Query {
	return sqldb.QueryOf(o.set, "pg_", name, text)
}

// server is one of those that pg_host names.
type server struct {
	host string // a name, an address, or the directory of a socket
	port uint16
}

func (s server) socket() bool { return strings.HasPrefix(s.host, "/") }

func (s server) String() string {
	if s.socket() {
		return s.host + ":" + strconv.Itoa(int(s.port))
	}
	return net.JoinHostPort(s.host, strconv.Itoa(int(s.port)))
}

// servers pairs hosts and ports; faults are check's to find.
func (o *options) servers() []server {
	list := make([]server, len(o.hosts))
	for i, host := range o.hosts {
		list[i], _ = readServer(host, o.ports[min(i, len(o.ports)-1)])
	}
	return list
}

// readServer reads db1, db1:5433, ::1, [::1], [::1]:5433 and /directory.
func readServer(text string, port uint16) (server, error) {
	s := server{text, port}
	switch {
	case s.socket():
		return s, nil
	case strings.HasSuffix(text, "]") || strings.Count(text, ":") > 1 && !strings.HasPrefix(text, "["):
		s.host = strings.TrimSuffix(strings.TrimPrefix(text, "["), "]")
	case strings.Contains(text, ":"):
		host, digits, err := net.SplitHostPort(text)
		n, e := strconv.ParseUint(digits, 10, 16)
		if err != nil || e != nil || n == 0 {
			return s, fmt.Errorf("%q has no port from 1 to 65535 after the colon", text)
		}
		s = server{host, uint16(n)}
	}
	if s.host == "" || strings.ContainsAny(s.host, "[]/@ \t") {
		return s, fmt.Errorf("%q is no host; write db.example.org, db.example.org:5433, [::1]:5433 or the directory of a socket", text)
	}
	return s, nil
}

// place is what errors call the server.
func (o *options) place() string {
	var names []string
	for _, s := range o.servers() {
		names = append(names, s.String())
	}
	return "Postgres at " + strings.Join(names, ",") + "/" + o.dbname
}

// check finds what is missing or does not fit together.
func (o *options) check() (faults conf.Faults) {
	fault := func(name, format string, args ...any) {
		faults = append(faults, conf.Remark{Key: o.set.Written(name), Text: fmt.Sprintf(format, args...)})
	}
	if len(o.hosts) == 0 {
		fault("pg_host", "names no server")
	}
	for _, host := range o.hosts {
		if _, err := readServer(host, 1); err != nil {
			fault("pg_host", "%v", err)
		}
	}
	if len(o.ports) > 1 && len(o.ports) != len(o.hosts) {
		fault("pg_port", "has %d ports for %d servers; write one port, or one for each", len(o.ports), len(o.hosts))
	}
	if o.dbname == "" && !o.plug() {
		fault("pg_dbname", "is missing; write the name of the database that has the tables")
	}
	if o.user == "" {
		fault("pg_user", "is missing; write the database user to log in as")
	}
	for name, value := range map[string]string{"pg_user": o.user, "pg_dbname": o.dbname, "pg_password": o.password, "pg_options": o.settings} {
		if strings.ContainsRune(value, 0) {
			fault(name, "contains a NUL, which Postgres cannot be told")
		}
	}
	if len(o.channel) > maxChannel || strings.ContainsRune(o.channel, 0) {
		fault("pg_notify_channel", "is no channel: Postgres allows %d bytes at most", maxChannel)
	}
	if os.Getenv("PGSERVICE") != "" {
		faults = append(faults, conf.Remark{Text: "the broker's environment has PGSERVICE, but where to connect is told by options only; " +
			"take it out of the environment, and write what it stands for as pg_host, pg_port, pg_dbname and pg_user"})
	}
	return faults
}
