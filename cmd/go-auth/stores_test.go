package main

import (
	"context"
	"crypto/rand"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"mosquitto-go-auth/hashing"
	"mosquitto-go-auth/test/brokertest"
	"mosquitto-go-auth/test/mariadbtest"
	"mosquitto-go-auth/test/postgrestest"
	"mosquitto-go-auth/test/redistest"
)

// A suite is a package's tests.
type suite func() int

func (s suite) Run() int { return s() }

// withServers ends the servers that the tests share.
func withServers(m *testing.M) suite {
	return func() int {
		return mariadbtest.Main(suite(func() int { return postgrestest.Main(m) }))
	}
}

// runWith runs the scripts of a directory beside a store, with variables for it.
func runWith(t *testing.T, dir string, variables map[string]string) {
	t.Helper()
	testscript.Run(t, testscript.Params{
		Dir:  dir,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits, "expand": expand},
		Setup: func(e *testscript.Env) error {
			e.Setenv("GORACE", gorace)
			for name, value := range variables {
				e.Setenv(name, value)
			}
			return nil
		},
	})
}

var variable = regexp.MustCompile(`\$(\{[A-Z]+\}|[A-Z]+)`)

// expand is `expand FILE...`: what stands there as $NAME or ${NAME} is put in.
func expand(ts *testscript.TestScript, neg bool, args []string) {
	for _, name := range args {
		text := variable.ReplaceAllStringFunc(ts.ReadFile(name), func(v string) string { return ts.Getenv(strings.Trim(v, "${}")) })
		ts.Check(os.WriteFile(ts.MkAbs(name), []byte(text), 0o600))
	}
}

// storedHash is of the password "correct horse", as cheap as there is.
func storedHash(t *testing.T) string {
	t.Helper()
	maker, err := hashing.New("bcrypt", hashing.Params{Cost: 4})
	if err != nil {
		t.Fatal(err)
	}
	hash, err := maker.Make("correct horse")
	if err != nil {
		t.Fatal(err)
	}
	return hash
}

// TestMySQLScripts runs testdata/mysql/*.txt with a database of their own, which
// has the tables of the backend's README.
func TestMySQLScripts(t *testing.T) {
	server := mariadbtest.Shared(t)
	database := server.Database(t)
	for statement := range strings.SplitSeq(brokertest.Read(t, "../../backends/mysql/schema.sql"), ";\n") {
		if statement = strings.TrimSpace(statement); statement != "" {
			statement = strings.NewReplacer("TABLE mqtt", "TABLE "+database+".mqtt",
				"REFERENCES mqtt", "REFERENCES "+database+".mqtt").Replace(statement)
			server.Exec(t, statement)
		}
	}
	server.Exec(t, "CREATE TABLE "+database+".lax (username VARCHAR(50), password_hash VARCHAR(200))",
		"INSERT INTO "+database+".lax VALUES ('sam', 'x')")
	c := server.Config()
	runWith(t, "testdata/mysql", map[string]string{"HOST": server.Host(), "PORT": strconv.Itoa(server.Port()),
		"DATABASE": database, "DBUSER": c.User, "DBPASSWORD": c.Passwd})
}

// TestPostgresScripts does the same with testdata/postgres/*.txt, and two users.
func TestPostgresScripts(t *testing.T) {
	server := postgrestest.Shared(t)
	database := server.Database(t)
	hash := storedHash(t)
	server.Exec(t, database, brokertest.Read(t, "../../backends/postgres/schema.sql"),
		"INSERT INTO mqtt_user VALUES ('kitchen', '"+hash+"', false), ('admin', '"+hash+"', true)",
		"INSERT INTO mqtt_acl VALUES ('kitchen', 'home/kitchen/#', 2)")
	runWith(t, "testdata/postgres", map[string]string{"HOST": server.Host(), "PORT": strconv.Itoa(server.Port()),
		"DATABASE": database, "DBUSER": server.User()})
}

// TestRedisScripts does the same with testdata/redis/*.txt and keys of their own.
func TestRedisScripts(t *testing.T) {
	server := redistest.Shared(t)
	prefix := "scripts" + rand.Text() + ":"
	hash := storedHash(t)
	for _, command := range [][]any{
		{"SET", prefix + "kitchen", hash}, {"SADD", prefix + "kitchen:wacls", "home/kitchen/#"},
		{"SET", prefix + "admin", hash}, {"SET", prefix + "admin:su", "true"},
	} {
		server.Do(t, command...)
		t.Cleanup(func() {
			if err := server.Client().Del(context.Background(), command[1].(string)).Err(); err != nil {
				t.Error(err)
			}
		})
	}
	runWith(t, "testdata/redis", map[string]string{"HOST": server.Host(), "PORT": strconv.Itoa(server.Port()), "PREFIX": prefix})
}
