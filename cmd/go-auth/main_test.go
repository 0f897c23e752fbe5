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
	testscript.Main(withServers(m), map[string]func(){"go-auth": main, "pw": main})
}

// gorace spares each command that a test runs the second for which the race detector
// has a process stay when it ends.
const gorace = "atexit_sleep_ms=0"

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
