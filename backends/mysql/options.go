package mysql

import (
	"net"
	"strconv"
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
}

const day = 24 * time.Hour

// declareOptions declares the names of mosquitto-go-auth, and as former names
// those of mosquitto-auth-plug.
func declareOptions(s *conf.Set) *options {
	o := &options{set: s}
	s.Group("mysql")
	s.Also(s.String(&o.host, "mysql_host", "localhost", "the server; `localhost` too is asked over TCP"), "host")
	s.Also(s.Int(&o.port, "mysql_port", 3306, 1, 65535, "its port"), "port")
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
	given := o.written(name)
	if text == "" && o.written("mysql_userquery") == "userquery" {
		given = name[len("mysql_"):]
	}
	return sqldb.Query{Option: given, Text: text, AuthPlug: given != name}
}

// written is the name under which an option was given, or would be.
func (o *options) written(name string) string {
	if given := o.set.Given(name); given != "" {
		return given
	}
	return name
}

func (o *options) address() string {
	if o.protocol == "unix" {
		return o.socket
	}
	return net.JoinHostPort(o.host, strconv.Itoa(o.port))
}

// place is what errors call the server.
func (o *options) place() string {
	return "MySQL at " + o.address() + "/" + o.dbname
}

// config is what the client library is told. Nothing global is touched.
func (o *options) config() (*mysql.Config, []string, conf.Faults) {
	var faults conf.Faults
	if o.dbname == "" && o.written("mysql_userquery") != "userquery" {
		faults = append(faults, conf.Remark{Key: "mysql_dbname", Text: "is missing; write the name of the database that has the tables"})
	}
	if o.protocol == "unix" && o.socket == "" {
		faults = append(faults, conf.Remark{Key: "mysql_socket",
			Text: "is missing, which mysql_protocol unix needs; write the server's socket file, such as /run/mysqld/mysqld.sock"})
	}
	c := mysql.NewConfig()
	c.Net, c.Addr, c.DBName = o.protocol, o.address(), o.dbname
	c.User, c.Passwd = o.user, o.password
	c.AllowNativePasswords = o.nativePasswords
	c.Logger = &mysql.NopLogger{} // its default writes to the broker's standard error
	c.Apply(mysql.Charset("utf8mb4", ""))

	t, notes, tlsFaults := o.tls.config(o.set, o.host)
	c.TLS = t
	c.AllowFallbackToPlaintext = o.tls.mode == "preferred"
	if o.socket != "" && o.protocol != "unix" {
		notes = append(notes, "mysql_socket has no effect without mysql_protocol unix.")
	}
	return c, notes, append(faults, tlsFaults...)
}
