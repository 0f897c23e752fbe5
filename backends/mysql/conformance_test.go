package mysql_test

import (
	"database/sql"
	"fmt"
	"net"
	"os"
	"strconv"
	"testing"
	"unicode/utf8"

	client "github.com/go-sql-driver/mysql"

	"mosquitto-go-auth/backends"
	"mosquitto-go-auth/backends/backendtest"
	"mosquitto-go-auth/backends/mysql"
	"mosquitto-go-auth/test/mariadbtest"
)

func TestMain(m *testing.M) { os.Exit(mariadbtest.Main(m)) }

// tables are two sets of tables with the same names and columns: those of
// schema.sql, with the statements that its head shows, and those that the
// predecessors' users have, with statements of mosquitto-auth-plug.
var tables = []struct {
	name    string
	schema  func(testing.TB) string
	queries string
	holds   func(string) bool
}{
	{"schema", shipped, `
mysql_userquery SELECT password_hash FROM mqtt_user WHERE username = ?
mysql_superquery SELECT is_admin FROM mqtt_user WHERE username = ?
mysql_aclquery SELECT topic, rw FROM mqtt_acl WHERE username = ?`,
		func(name string) bool { return utf8.ValidString(name) && len(name) <= 255 }},
	{"predecessor", func(testing.TB) string { return predecessor }, `
userquery SELECT password_hash FROM mqtt_user WHERE BINARY username = '%s'
superquery SELECT COUNT(*) FROM mqtt_user WHERE BINARY username = '%s' AND is_admin = 1
aclquery SELECT topic FROM mqtt_acl WHERE BINARY username = '%s' AND rw & %d`,
		func(name string) bool { return utf8.ValidString(name) && utf8.RuneCountInString(name) <= 255 }},
}

const predecessor = `
CREATE TABLE mqtt_user (username VARCHAR(255) NOT NULL, password_hash VARCHAR(512), is_admin INT NOT NULL) CHARACTER SET utf8mb4;
CREATE TABLE mqtt_acl (username VARCHAR(255) NOT NULL, topic VARCHAR(1024) NOT NULL, rw INT NOT NULL) CHARACTER SET utf8mb4`

func shipped(t testing.TB) string {
	text, err := os.ReadFile("schema.sql")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// shapes are answers that are no account. Each takes the place of a statement.
var shapes = []backendtest.Shape{
	{Name: "three columns for the password", Options: "mysql_userquery SELECT password_hash, username, 1 FROM mqtt_user WHERE username = ?"},
	{Name: "two columns for the superuser", Options: "mysql_superquery SELECT 0, password_hash FROM mqtt_user WHERE username = ?"},
	{Name: "a text for the superuser", Options: "mysql_superquery SELECT password_hash FROM mqtt_user WHERE username = ?"},
	{Name: "three columns for the rights", Options: "mysql_aclquery SELECT topic, rw, 1 FROM mqtt_acl WHERE username = ?"},
	{Name: "a text for the rights", Options: "mysql_aclquery SELECT topic, (SELECT MAX(password_hash) FROM mqtt_user) FROM mqtt_acl WHERE username = ?"},
	{Name: "a number beyond 7", Options: "mysql_aclquery SELECT topic, 8 FROM mqtt_acl WHERE username = ?"},
	{Name: "more than an account can have", Options: "mysql_aclquery SELECT REPEAT('a', 9000000), 7 WHERE ? <> '' UNION ALL SELECT REPEAT('b', 9000000), 7"},
	{Name: "a negative number", Options: "mysql_aclquery SELECT topic, -1 FROM mqtt_acl WHERE username = ?",
		Lookup: backends.Lookup{RulesOnly: true}},
}

func TestConformance(t *testing.T) {
	server := mariadbtest.Shared(t)
	for _, tt := range tables {
		t.Run(tt.name, func(t *testing.T) {
			name := server.Database(t)
			db := openDatabase(t, server, name)
			execute(t, db, tt.schema(t))
			s := backendtest.Store{
				Driver:  mysql.Driver,
				Options: fmt.Sprintf("mysql_host %s\nmysql_port %d\nmysql_user root\nmysql_dbname %s", server.Host(), server.Port(), name) + tt.queries,
				Set:     func(t testing.TB, accounts []backendtest.Account) { fill(t, db, accounts) },
				Holds:   tt.holds,
			}
			if tt.name == "schema" {
				s.Shapes = shapes
				s.Server = net.JoinHostPort(server.Host(), strconv.Itoa(server.Port()))
				s.Through = func(address string) string {
					host, port, _ := net.SplitHostPort(address)
					return "mysql_host " + host + "\nmysql_port " + port
				}
			}
			backendtest.Run(t, s)
		})
	}
}

func openDatabase(t *testing.T, server *mariadbtest.Server, name string) *sql.DB {
	config := server.Config()
	config.DBName, config.MultiStatements = name, true
	connector, err := client.NewConnector(config)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	t.Cleanup(func() { db.Close() })
	return db
}

func execute(t testing.TB, db interface {
	Exec(string, ...any) (sql.Result, error)
}, statement string, args ...any) {
	t.Helper()
	if _, err := db.Exec(statement, args...); err != nil {
		t.Fatalf("%.200s: %v", statement, err)
	}
}

// fill makes the tables hold the accounts and nothing else.
func fill(t testing.TB, db *sql.DB, accounts []backendtest.Account) {
	t.Helper()
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	execute(t, tx, "DELETE FROM mqtt_acl")
	execute(t, tx, "DELETE FROM mqtt_user")
	for _, a := range accounts {
		hash := sql.NullString{String: a.Hash, Valid: !a.NoHash}
		execute(t, tx, "INSERT INTO mqtt_user (username, password_hash, is_admin) VALUES (?, ?, ?)", a.Name, hash, a.Super)
		for _, r := range a.Rules {
			execute(t, tx, "INSERT INTO mqtt_acl (username, topic, rw) VALUES (?, ?, ?)", a.Name, r.Pattern, r.Access)
		}
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
}
