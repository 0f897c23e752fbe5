package main

import (
	"errors"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"mosquitto-go-auth/test/mariadbtest"
)

// TestMain makes the test binary the command go-auth of the scripts.
func TestMain(m *testing.M) {
	os.Setenv("GORACE", gorace)
	testscript.Main(withMariaDB{m}, map[string]func(){"go-auth": main, "pw": main})
}

// gorace spares each command that a test runs the second for which the race detector
// has a process stay when it ends.
const gorace = "atexit_sleep_ms=0"

// withMariaDB ends the server that the tests share.
type withMariaDB struct{ *testing.M }

func (m withMariaDB) Run() int { return mariadbtest.Main(m.M) }

// TestScripts runs testdata/*.txt, which show each command.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:           "testdata",
		Condition:     condition,
		UpdateScripts: *update,
		Setup: func(e *testscript.Env) error {
			e.Setenv("GORACE", gorace)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits, "sh": sh},
	})
}

// condition is [root] for scripts, and [installed:PROGRAM], which holds for all
// programs where no test may be skipped.
func condition(name string) (bool, error) {
	if program, ok := strings.CutPrefix(name, "installed:"); ok {
		_, err := exec.LookPath(program)
		return err == nil || os.Getenv(mariadbtest.NoSkipEnv) != "", nil
	}
	if name != "root" {
		return false, errors.New("no such condition")
	}
	return os.Geteuid() == 0, nil
}

// TestMySQLScripts runs testdata/mysql/*.txt with a database of their own, which
// has the tables of the backend's README.
func TestMySQLScripts(t *testing.T) {
	server := mariadbtest.Shared(t)
	schema, err := os.ReadFile("../../backends/mysql/schema.sql")
	if err != nil {
		t.Fatal(err)
	}
	database := server.Database(t)
	for statement := range strings.SplitSeq(string(schema), ";\n") {
		if statement = strings.TrimSpace(statement); statement != "" {
			statement = strings.NewReplacer("TABLE mqtt", "TABLE "+database+".mqtt",
				"REFERENCES mqtt", "REFERENCES "+database+".mqtt").Replace(statement)
			server.Exec(t, statement)
		}
	}
	server.Exec(t, "CREATE TABLE "+database+".lax (username VARCHAR(50), password_hash VARCHAR(200))",
		"INSERT INTO "+database+".lax VALUES ('sam', 'x')")
	testscript.Run(t, testscript.Params{
		Dir:  "testdata/mysql",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits, "expand": expand},
		Setup: func(e *testscript.Env) error {
			c := server.Config()
			e.Setenv("GORACE", gorace)
			e.Setenv("HOST", server.Host())
			e.Setenv("PORT", strconv.Itoa(server.Port()))
			e.Setenv("DATABASE", database)
			e.Setenv("DBUSER", c.User)
			e.Setenv("DBPASSWORD", c.Passwd)
			return nil
		},
	})
}

// exits is `exits STATUS COMMAND...`: the command has to end with this status.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits STATUS COMMAND...")
	}
	err := ts.Exec(args[1], args[2:]...)
	status := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		status = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if strconv.Itoa(status) != args[0] {
		ts.Fatalf("exit status %d, want %s", status, args[0])
	}
}

// sh is `sh LINE`: a line for the shell, as a reader would type it.
func sh(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: sh 'LINE'")
	}
	ts.Check(ts.Exec("sh", "-ec", args[0]))
}

// expand is `expand FILE...`: variables of the environment are put in.
func expand(ts *testscript.TestScript, neg bool, args []string) {
	for _, name := range args {
		text := os.Expand(ts.ReadFile(name), ts.Getenv)
		ts.Check(os.WriteFile(ts.MkAbs(name), []byte(text), 0o600))
	}
}
