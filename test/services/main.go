// Command services runs a command with a MariaDB, a PostgreSQL and a Redis of its
// own, which it names in the environment, and leaves nothing behind. See scripts/services.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"

	"mosquitto-go-auth/test/mariadbtest"
	"mosquitto-go-auth/test/postgrestest"
	"mosquitto-go-auth/test/redistest"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: scripts/services COMMAND...")
		os.Exit(2)
	}
	// The servers end when the thread that started them does.
	runtime.LockOSThread()
	status, err := run(os.Args[1], os.Args[2:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "services:", err)
	}
	os.Exit(status)
}

// run returns the command's exit status, or 1 and an error of our own.
func run(name string, args []string) (status int, err error) {
	// Caught before there is a server, so that none is left by a signal. Signals
	// are passed on: the command ends, and then so do we.
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)

	mariadb, err := mariadbtest.New(mariadbtest.Options{})
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, mariadb.Close()) }()
	postgres, err := postgrestest.New(postgrestest.Options{})
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, postgres.Close()) }()
	redis, err := redistest.New()
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, redis.Close()) }()

	cmd := exec.Command(name, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), mariadbtest.Env+"="+mariadb.DSN(), postgrestest.Env+"="+postgres.URL(""),
		redistest.Env+"=redis://"+redis.Addr())
	if err := cmd.Start(); err != nil {
		return 1, err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for {
		select {
		case s := <-signals:
			cmd.Process.Signal(s)
		case err := <-ended:
			return exitStatus(cmd, err)
		}
	}
}

// exitStatus counts an end by signal as shells do.
func exitStatus(cmd *exec.Cmd, err error) (int, error) {
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return 1, err
	}
	if ws, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return 128 + int(ws.Signal()), nil
	}
	return cmd.ProcessState.ExitCode(), nil
}
