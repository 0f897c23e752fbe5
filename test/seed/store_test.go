package seed

import (
	"database/sql"
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/go-sql-driver/mysql"

	"mosquitto-go-auth/test/mariadbtest"
)

// store is a database of a test's own.
type store struct {
	*sql.DB
	config *mysql.Config
	server *mariadbtest.Server
}

// connected makes the first use of the shared server, which tests then use at
// the same time.
var connected sync.Once

func shared(t *testing.T) *mariadbtest.Server {
	t.Helper()
	server := mariadbtest.Shared(t)
	connected.Do(func() { server.Exec(t, "DO 0") })
	return server
}

// newStore makes a database on the shared server with the tables of the mysql
// backend's schema.sql.
func newStore(t *testing.T) *store {
	t.Helper()
	server := shared(t)
	s := open(t, server, server.Database(t))
	s.makeTables(t)
	return s
}

// open connects to a database as the account that may do everything.
func open(t *testing.T, server *mariadbtest.Server, name string) *store {
	t.Helper()
	config := server.Config()
	config.DBName, config.MultiStatements, config.TLSConfig = name, true, "preferred"
	config.Logger = &mysql.NopLogger{}
	db, err := sql.Open("mysql", config.FormatDSN())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return &store{db, config, server}
}

func (s *store) makeTables(t *testing.T) {
	t.Helper()
	schema, err := os.ReadFile("../../backends/mysql/schema.sql")
	if err != nil {
		t.Fatal(err)
	}
	s.exec(t, string(schema))
}

func (s *store) exec(t *testing.T, statement string, args ...any) {
	t.Helper()
	if _, err := s.Exec(statement, args...); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// addUser makes a user of the tables of schema.sql, whose password is password.
func (s *store) addUser(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		s.exec(t, "INSERT INTO mqtt_user (username, password_hash) VALUES (?, ?)", name, cheap())
	}
}

// grant gives a user of these tables a right, the sum of 1, 2 and 4.
func (s *store) grant(t *testing.T, name, topic string, rw int) {
	t.Helper()
	s.exec(t, "INSERT INTO mqtt_acl (username, topic, rw) VALUES (?, ?, ?)", name, topic, rw)
}

// revoke takes away all the rights of a user.
func (s *store) revoke(t *testing.T, name string) {
	t.Helper()
	s.exec(t, "DELETE FROM mqtt_acl WHERE username = ?", name)
}

// connection returns the plugin's options for the database.
func (s *store) connection() string {
	host, port := s.address()
	text := fmt.Sprintf("mysql_host %s\nmysql_port %s\nmysql_dbname %s\nmysql_user %s\n",
		host, port, s.config.DBName, s.config.User)
	if s.config.Passwd != "" {
		text += "mysql_password " + s.config.Passwd + "\n"
	}
	return text
}

// options returns connection and the queries for the tables of schema.sql.
func (s *store) options() string { return s.connection() + userquery + superquery + aclquery }

const (
	userquery  = "mysql_userquery SELECT password_hash FROM mqtt_user WHERE username = ?\n"
	superquery = "mysql_superquery SELECT is_admin FROM mqtt_user WHERE username = ?\n"
	aclquery   = "mysql_aclquery SELECT topic, rw FROM mqtt_acl WHERE username = ?\n"
)
