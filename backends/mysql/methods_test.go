package mysql

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"

	"mosquitto-go-auth/backends"
)

// The methods in which MariaDB users log in, over TCP and over the socket.
func testMethods(t *testing.T, s *server) {
	mustExec(t, s.db, "CREATE USER native@'%' IDENTIFIED BY 's3cret'", "CREATE USER edwards@'%' IDENTIFIED VIA ed25519 USING PASSWORD('s3cret')",
		"CREATE USER old@'%' IDENTIFIED VIA mysql_old_password USING '378b243e220ca493'",
		"GRANT SELECT ON * TO native@'%', edwards@'%', old@'%'")
	tests := []struct{ name, user, password, options, err string }{
		{"native", "native", "s3cret", "", ""},
		{"native, not allowed", "native", "s3cret", "mysql_allow_native_passwords false", "mysql_allow_native_passwords true allows"},
		{"native, wrong", "native", "s3cret2", "", "see mysql_user and mysql_password"},
		{"ed25519", "edwards", "s3cret", "", ""},
		{"ed25519, wrong", "edwards", "s3cret2", "", "see mysql_user and mysql_password"},
		{"before 4.1", "old", "s3cret", "", "has a password in the old format"},
	}
	for _, tt := range tests {
		for place, options := range map[string]string{
			"tcp":    "",
			"socket": "mysql_protocol unix\nmysql_socket " + s.Socket() + "\n",
		} {
			t.Run(tt.name+" over "+place, func(t *testing.T) {
				b := open(t, s.as(tt.user, tt.password)+options+tt.options+"\nmysql_userquery SELECT h FROM u WHERE n = ?")
				fetches(t, b, tt.err)
				if _, err := b.User(ctxOf(t), backends.Lookup{Name: "sam"}); err != nil && strings.Contains(err.Error(), "s3cret") {
					t.Errorf("the error shows the password: %v", err)
				}
			})
		}
	}
}

// mysqlEnv names a MySQL server, as mariadbtest.Env does a MariaDB:
// caching_sha2_password is MySQL's. scripts/mysql starts one from Debian's
// unstable release.
const mysqlEnv = "GOAUTH_TEST_MYSQL9"

// newMySQL is a database of the test's own on that server.
func newMySQL(t *testing.T) *server {
	dsn := os.Getenv(mysqlEnv)
	if dsn == "" {
		t.Skip(mysqlEnv + " names no MySQL server; see scripts/mysql")
	}
	config, err := mysql.ParseDSN(dsn)
	if err != nil {
		t.Fatal(err)
	}
	config.DBName = ""
	root := openDB(t, config)
	name := "test_" + rand.Text()
	mustExec(t, root, "CREATE DATABASE "+name)
	t.Cleanup(func() { mustExec(t, root, "DROP DATABASE "+name) })
	config.DBName = name
	return &server{nil, config, openDB(t, config)}
}

// The server verifies a password in full when it first sees it, over TLS, by
// RSA or over the socket, and from a cache from then on.
func TestCachingSHA2(t *testing.T) {
	s := newMySQL(t)
	s.fill(t)
	mustExec(t, s.db, "DROP USER IF EXISTS sha2@'%'", "CREATE USER sha2@'%' IDENTIFIED WITH caching_sha2_password BY 's3cret'",
		"GRANT SELECT ON "+s.config.DBName+".* TO sha2@'%'")
	t.Cleanup(func() { s.db.Exec("DROP USER sha2@'%'") })
	for _, tls := range []string{"false", "skip-verify", "preferred"} {
		t.Run("TLS "+tls, func(t *testing.T) {
			mustExec(t, s.db, "FLUSH PRIVILEGES") // and the cache
			host, port, _ := net.SplitHostPort(s.config.Addr)
			options := fmt.Sprintf("mysql_host %s\nmysql_port %s\nmysql_dbname %s\nmysql_user sha2\nmysql_sslmode %s\n%s\n", host, port, s.config.DBName, tls, samQuery)
			fetches(t, open(t, options+"mysql_password wrong"), "see mysql_user and mysql_password")
			for range 2 {
				fetches(t, open(t, options+"mysql_password s3cret"), "")
			}
		})
	}
}

// What the servers say of a query at fault is alike.
func TestMySQLQueryFaults(t *testing.T) {
	s := newMySQL(t)
	mustExec(t, s.db, goAuth...)
	host, port, _ := net.SplitHostPort(s.config.Addr)
	options := fmt.Sprintf("mysql_host %s\nmysql_port %s\nmysql_dbname %s\nmysql_user %s\nmysql_password %s\n",
		host, port, s.config.DBName, s.config.User, s.config.Passwd)
	for query, want := range map[string]string{
		"SELECT nix FROM test_user WHERE username = ?": "Error 1054",
		"SELECT h FROM nix WHERE username = ?":         "Error 1146",
		"SELEC h FROM nix WHERE username = ?":          "Error 1064",
		"SELECT (SELECT 1 UNION SELECT 2) WHERE 1 = ?": "Error 1242",
	} {
		b := open(t, options+"mysql_userquery "+query)
		if _, err := b.User(ctxOf(t), backends.Lookup{Name: "1"}); !errors.Is(err, backends.ErrBadAnswer) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", query, err, want)
		}
	}
	b := open(t, options+goAuthUser+"\n"+goAuthSuper+"\n"+bitMask)
	if a := user(t, b, "rw"); a.Hash != "h13" || accessTo(a, "t/rw") != 3 {
		t.Errorf("%+v", a)
	}
	for _, name := range []string{"💀", "nobody"} {
		if _, err := b.User(ctxOf(t), backends.Lookup{Name: name}); err != backends.ErrNoUser {
			t.Errorf("%q: %v", name, err)
		}
	}
}
