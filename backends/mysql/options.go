package mysql

import (
	"context"
	"database/sql/driver"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"

	"mosquitto-go-auth/backends/sqldb"
	"mosquitto-go-auth/conf"
)

// options are the values that the operator gave.
type options struct {
	set *conf.Set

	host, dbname, user, password    string
	port                            int
	protocol, socket                string
	userquery, superquery, aclquery string
	tls                             tlsOptions
	nativePasswords                 bool
	maxOpen                         int
	maxLifeTime, connectTimeout     time.Duration

	nameServer func(ctx context.Context, network, address string) (net.Conn, error) // nil for the system's
}

const day = 24 * time.Hour

// declareOptions declares the names of mosquitto-go-auth, and as former names
// those of mosquitto-auth-plug.
func declareOptions(s *conf.Set) *options {
	o := &options{set: s}
	s.Group("mysql")
	s.Also(s.String(&o.host, "mysql_host", "localhost",
		"the server; `localhost` too is asked over TCP. Or several, `db1, db2:3307`: the first that answers is asked"), "host")
	s.Also(s.Int(&o.port, "mysql_port", 3306, 1, 65535, "the port of hosts without one of their own"), "port")
	s.Choice(&o.protocol, "mysql_protocol", "tcp", []string{"tcp", "unix"}, "`unix` for the socket `mysql_socket`")
	s.String(&o.socket, "mysql_socket", "", "the server's socket file")
	s.Also(s.String(&o.dbname, "mysql_dbname", "", "the database"), "dbname")
	s.Also(s.String(&o.user, "mysql_user", "", "the user to log in as"), "user")
	s.Secret(s.Also(s.String(&o.password, "mysql_password", "", "the user's password"), "pass"))
	s.Also(s.String(&o.userquery, "mysql_userquery", "",
		"returns the stored password hash of a user, and if you like the user name after it"), "userquery")
	s.Also(s.String(&o.superquery, "mysql_superquery", "", "returns a number, greater than 0 for a superuser"), "superquery")
	s.Also(s.String(&o.aclquery, "mysql_aclquery", "", "returns topics and the rights to them, in one of three forms"), "aclquery")
	o.tls.declare(s)
	s.Bool(&o.nativePasswords, "mysql_allow_native_passwords", true,
		"allow the authentication method `mysql_native_password`, which is MariaDB's default (mosquitto-go-auth's default was false)")
	s.Int(&o.maxOpen, "mysql_max_open_conns", 16, 1, 1000, "connections at most")
	s.Duration(&o.maxLifeTime, "mysql_max_life_time", 30*time.Minute, 0, 365*day,
		"how long a connection is used before another takes its place; 0 for no limit")
	s.Duration(&o.connectTimeout, "mysql_connect_timeout", 5*time.Second, 10*time.Millisecond, 5*time.Minute,
		"how long making a connection may take, with TLS and log-in")
	s.Retire("connections are made when they are needed, and made again when they break",
		"mysql_connect_tries", "mysql_opt_reconnect", "mysql_auto_connect")
	return o
}

// query looks up under which name a query was given.
func (o *options) query(name, text string) sqldb.Query {
	return sqldb.QueryOf(o.set, "mysql_", name, text)
}

// addresses are what to connect to: the socket, or each host with its port.
func (o *options) addresses() (list []string, faults conf.Faults) {
	if o.protocol == "unix" {
		return []string{o.socket}, nil
	}
	for _, text := range strings.Split(o.host, ",") {
		address, err := o.hostPort(strings.TrimSpace(text))
		if err != nil {
			faults = append(faults, conf.Remark{Key: o.set.Written("mysql_host"), Text: err.Error()})
		}
		list = append(list, address)
	}
	return list, faults
}

// hostPort reads db1, db1:3307, ::1, [::1] and [::1]:3307.
func (o *options) hostPort(text string) (string, error) {
	host, port := text, strconv.Itoa(o.port)
	if strings.HasSuffix(text, "]") || strings.Count(text, ":") > 1 && !strings.HasPrefix(text, "[") {
		host = strings.TrimSuffix(strings.TrimPrefix(text, "["), "]")
	} else if strings.Contains(text, ":") {
		var err error
		if host, port, err = net.SplitHostPort(text); err != nil {
			return text, errHost(text)
		}
	}
	if strings.ContainsAny(host, "[]/@ \t") {
		return text, errHost(text)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		return text, fmt.Errorf("%q has no port from 1 to 65535 after the colon", text)
	}
	if host == "" {
		return text, fmt.Errorf("%q lacks a host; write its name or address", o.host)
	}
	return net.JoinHostPort(host, port), nil
}

func errHost(text string) error {
	return fmt.Errorf("%q is no host; write db.example.org, db.example.org:3307 or [::1]:3307", text)
}

// place is what errors call the server.
func (o *options) place() string {
	addresses, _ := o.addresses()
	return "MySQL at " + strings.Join(addresses, ", ") + "/" + o.dbname
}

// hosts are the servers to ask. Nothing global is touched.
func (o *options) hosts() (*hosts, []string, conf.Faults) {
	faults := o.missing()
	addresses, more := o.addresses()
	faults = append(faults, more...)
	tls, notes, more := o.tls.config(o.set)
	faults = append(faults, more...)
	if o.socket != "" && o.protocol != "unix" {
		notes = append(notes, "mysql_socket has no effect without mysql_protocol unix.")
	}
	var list []*host
	for _, address := range addresses {
		c := o.config(address)
		if tls != nil {
			c.TLS = tls.Clone()
			c.TLS.ServerName = o.serverName(address)
		}
		client, err := mysql.NewConnector(c)
		if err != nil {
			return nil, notes, append(faults, conf.Remark{Text: "setting up the MySQL client: " + err.Error()})
		}
		list = append(list, newHost(address, len(addresses) > 1, client))
	}
	return newHosts(list, o.connectTimeout), notes, faults
}

func (o *options) missing() (faults conf.Faults) {
	if o.dbname == "" && o.set.Written("mysql_userquery") != "userquery" {
		faults = append(faults, conf.Remark{Key: "mysql_dbname", Text: "is missing; write the name of the database that has the tables"})
	}
	if o.protocol == "unix" && o.socket == "" {
		faults = append(faults, conf.Remark{Key: "mysql_socket",
			Text: "is missing, which mysql_protocol unix needs; write the server's socket file, such as /run/mysqld/mysqld.sock"})
	}
	return faults
}

// serverName is whom the certificate of an address has to be for.
func (o *options) serverName(address string) string {
	if o.protocol == "unix" {
		return o.host
	}
	host, _, _ := net.SplitHostPort(address)
	return host
}

// config is what the client library is told of one server.
func (o *options) config(address string) *mysql.Config {
	c := mysql.NewConfig()
	c.Net, c.Addr, c.DBName = o.protocol, address, o.dbname
	c.User, c.Passwd = o.user, o.password
	c.AllowNativePasswords = o.nativePasswords
	c.AllowFallbackToPlaintext = o.tls.mode == "preferred"
	c.Logger = &mysql.NopLogger{} // its default writes to the broker's standard error
	c.Apply(mysql.Charset("utf8mb4", ""))
	c.DialFunc = o.dial
	return c
}

// dial asks for the host's address with a resolver of its own: a common one
// would have it wait for an earlier question that the name server has lost.
func (o *options) dial(ctx context.Context, network, address string) (net.Conn, error) {
	r := &net.Resolver{PreferGo: o.nameServer != nil, Dial: o.nameServer}
	dialer := net.Dialer{Resolver: r}
	c, err := dialer.DialContext(ctx, network, address)
	if d, ok := ctx.Value(dialed{}).(*dialed); ok && err == nil {
		d.Conn = c
	}
	return c, err
}

func newHost(address string, several bool, client driver.Connector) *host {
	if !several {
		address = ""
	}
	return &host{name: address, client: client}
}
