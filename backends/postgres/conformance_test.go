package postgres_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"mosquitto-go-auth/backends"
	"mosquitto-go-auth/backends/backendtest"
	"mosquitto-go-auth/backends/postgres"
	"mosquitto-go-auth/test/postgrestest"
)

// tables are those of schema.sql, with the statements that its head shows, and
// such as the predecessors' users have, with theirs.
var tables = []struct {
	name    string
	schema  func(testing.TB) string
	queries string
	longest int // bytes of a name; an index holds no more
}{
	{"schema", shipped, `
pg_userquery SELECT password_hash FROM mqtt_user WHERE username = $1
pg_superquery SELECT is_admin FROM mqtt_user WHERE username = $1
pg_aclquery SELECT topic, rw FROM mqtt_acl WHERE username = $1`, 2000},
	{"mosquitto-go-auth", func(testing.TB) string { return predecessor }, `
pg_userquery SELECT password_hash FROM mqtt_user WHERE username = $1 limit 1
pg_superquery SELECT COUNT(*) FROM mqtt_user WHERE username = $1 AND is_admin
pg_aclquery SELECT topic FROM mqtt_acl WHERE username = $1 AND rw & $2 > 0`, 1 << 20},
	{"mosquitto-auth-plug", func(testing.TB) string { return predecessor }, `
userquery SELECT password_hash FROM mqtt_user WHERE username = $1
superquery SELECT is_admin::int FROM mqtt_user WHERE username = $1
aclquery SELECT topic FROM mqtt_acl WHERE (username = $1) AND (rw & $2) > 0`, 1 << 20},
}

const predecessor = `
CREATE TABLE mqtt_user (username varchar NOT NULL, password_hash varchar, is_admin boolean NOT NULL);
CREATE TABLE mqtt_acl (username varchar NOT NULL, topic varchar NOT NULL, rw int NOT NULL)`

func shipped(t testing.TB) string {
	text, err := os.ReadFile("schema.sql")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// shapes are answers that are no account. Each takes the place of a statement.
var shapes = []backendtest.Shape{
	{Name: "three columns for the password", Options: "pg_userquery SELECT password_hash, username, 1 FROM mqtt_user WHERE username = $1"},
	{Name: "no column for the password", Options: "pg_userquery SELECT FROM mqtt_user WHERE username = $1"},
	{Name: "two columns for the superuser", Options: "pg_superquery SELECT 0, password_hash FROM mqtt_user WHERE username = $1"},
	{Name: "more than an account can have", Options: "pg_aclquery SELECT repeat('a', 9000000), 7 WHERE $1 <> '' UNION ALL SELECT repeat('b', 9000000), 7"},
	{Name: "a text for the superuser", Options: "pg_superquery SELECT password_hash FROM mqtt_user WHERE username = $1"},
	{Name: "three columns for the rights", Options: "pg_aclquery SELECT topic, rw, 1 FROM mqtt_acl WHERE username = $1"},
	{Name: "a text for the rights", Options: "pg_aclquery SELECT topic, (SELECT MAX(password_hash) FROM mqtt_user) FROM mqtt_acl WHERE username = $1"},
	{Name: "a number beyond 7", Options: "pg_aclquery SELECT topic, 8 FROM mqtt_acl WHERE username = $1"},
	{Name: "a negative number", Options: "pg_aclquery SELECT topic, -1 FROM mqtt_acl WHERE username = $1",
		Lookup: backends.Lookup{RulesOnly: true}},
	{Name: "a table that is not there", Options: "pg_userquery SELECT password_hash FROM nowhere WHERE username = $1"},
}

func TestConformance(t *testing.T) {
	server := postgrestest.Shared(t)
	for _, tt := range tables {
		t.Run(tt.name, func(t *testing.T) {
			name := server.Database(t)
			server.Exec(t, name, tt.schema(t))
			s := backendtest.Store{
				Driver: postgres.Driver,
				Options: fmt.Sprintf("pg_host %s\npg_port %d\npg_user %s\npg_dbname %s\npg_sslmode disable", server.Host(), server.Port(), server.User(), name) +
					tt.queries,
				Set: func(t testing.TB, accounts []backendtest.Account) { fill(t, server, name, accounts) },
				Holds: func(name string) bool {
					return utf8.ValidString(name) && !strings.Contains(name, "\x00") && len(name) <= tt.longest
				},
			}
			if server.Password() != "" {
				s.Options += "\npg_password " + server.Password()
			}
			if tt.name == "schema" {
				s.Shapes = shapes
				s.Options += "\npg_notify_channel go_auth"
				s.Watches = true
				s.Server = net.JoinHostPort(server.Host(), strconv.Itoa(server.Port()))
				s.Through = func(address string) string {
					host, port, _ := net.SplitHostPort(address)
					return "pg_host " + host + "\npg_port " + port
				}
			}
			backendtest.Run(t, s)
		})
	}
}

// fill makes the tables hold the accounts and nothing else.
func fill(t testing.TB, server *postgrestest.Server, name string, accounts []backendtest.Account) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	conn, err := server.Connect(ctx, name)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	b := &pgx.Batch{}
	b.Queue("DELETE FROM mqtt_acl")
	b.Queue("DELETE FROM mqtt_user")
	for _, a := range accounts {
		var hash *string
		if !a.NoHash {
			hash = &a.Hash
		}
		b.Queue("INSERT INTO mqtt_user (username, password_hash, is_admin) VALUES ($1, $2, $3)", a.Name, hash, a.Super)
		for _, r := range a.Rules {
			b.Queue("INSERT INTO mqtt_acl (username, topic, rw) VALUES ($1, $2, $3)", a.Name, r.Pattern, r.Access)
		}
	}
	if err := conn.SendBatch(ctx, b).Close(); err != nil {
		t.Fatal(err)
	}
}
