package storm

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"mosquitto-go-auth/test/brokertest"
	"mosquitto-go-auth/test/mariadbtest"
)

// store is a database of a test's own, with the tables of the mysql backend's
// schema.sql.
type store struct {
	*sql.DB
	server *mariadbtest.Server
	name   string
}

// newStore makes a database on the server that the tests share.
func newStore(t *testing.T) *store {
	t.Helper()
	server := mariadbtest.Shared(t)
	return open(t, server, server.Database(t))
}

// newMortal makes one on a server of its own, which may be stopped and paused.
func newMortal(t *testing.T) *store {
	t.Helper()
	server := mariadbtest.Start(t, mariadbtest.Options{})
	server.Exec(t, "CREATE DATABASE mqtt", "SET GLOBAL innodb_flush_log_at_trx_commit = 1")
	return open(t, server, "mqtt")
}

func open(t *testing.T, server *mariadbtest.Server, name string) *store {
	t.Helper()
	config := server.Config()
	config.DBName, config.MultiStatements = name, true
	config.Logger = &mysql.NopLogger{}
	connector, err := mysql.NewConnector(config)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	t.Cleanup(func() { db.Close() })
	schema, err := os.ReadFile("../../backends/mysql/schema.sql")
	if err != nil {
		t.Fatal(err)
	}
	s := &store{db, server, name}
	s.exec(t, string(schema))
	return s
}

func (s *store) exec(t *testing.T, statement string, args ...any) {
	t.Helper()
	if _, err := s.Exec(statement, args...); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// add makes a user with a stored hash and every right below a topic of the name.
func (s *store) add(t *testing.T, hash string, names ...string) {
	t.Helper()
	const batch = 500
	for len(names) > 0 {
		some := names[:min(batch, len(names))]
		names = names[len(some):]
		var users, rights []any
		for _, name := range some {
			users = append(users, name, hash)
			rights = append(rights, name, name+"/#")
		}
		s.exec(t, "INSERT INTO mqtt_user (username, password_hash) VALUES "+repeat("(?, ?)", len(some)), users...)
		s.exec(t, "INSERT INTO mqtt_acl (username, topic, rw) VALUES "+repeat("(?, ?, 7)", len(some)), rights...)
	}
}

func repeat(values string, n int) string { return strings.Repeat(values+", ", n-1) + values }

// grant gives a user another right, the sum of 1, 2 and 4.
func (s *store) grant(t *testing.T, name, topic string, rw int) {
	t.Helper()
	s.exec(t, "REPLACE INTO mqtt_acl (username, topic, rw) VALUES (?, ?, ?)", name, topic, rw)
}

// options returns the plugin's options for the tables.
func (s *store) options() string {
	config := s.server.Config()
	text := fmt.Sprintf("mysql_host %s\nmysql_port %d\nmysql_dbname %s\nmysql_user %s\n",
		s.server.Host(), s.server.Port(), s.name, config.User)
	if config.Passwd != "" {
		text += "mysql_password " + config.Passwd + "\n"
	}
	return text + "mysql_userquery SELECT password_hash FROM mqtt_user WHERE username = ?\n" +
		"mysql_superquery SELECT is_admin FROM mqtt_user WHERE username = ?\n" +
		"mysql_aclquery SELECT topic, rw FROM mqtt_acl WHERE username = ?\n"
}

// executed returns how many prepared statements the server has executed; a login or
// a verification takes the three of options.
func (s *store) executed(t *testing.T) (n int) {
	t.Helper()
	if err := s.QueryRow("SHOW GLOBAL STATUS LIKE 'Com_stmt_execute'").Scan(new(string), &n); err != nil {
		t.Fatal(err)
	}
	return n
}

// pause freezes the server, and waits until it is silent.
func (s *store) pause(t *testing.T) {
	t.Helper()
	s.server.Pause(t)
	brokertest.WaitFor(t, "the server to be silent", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		return s.PingContext(ctx) != nil
	})
}

// names returns n names that begin alike.
func names(prefix string, n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprint(prefix, i)
	}
	return all
}
