package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// maxPassword is the length in bytes of the longest password that MQTT carries.
const maxPassword = 65535

// newPassword asks for a password twice at a terminal, and reads a line of
// anything else.
func newPassword(s streams) (string, error) { return askPassword(s, "Password: ", "Again: ") }

// oldPassword asks for a password once.
func oldPassword(s streams) (string, error) { return askPassword(s, "Password: ") }

func askPassword(s streams, prompts ...string) (string, error) {
	terminal, ok := s.in.(*os.File)
	if !ok || !isTerminal(terminal) {
		return readLine(s.in)
	}
	var typed []string
	err := withoutEcho(terminal, func() error {
		for _, prompt := range prompts {
			fmt.Fprint(s.err, prompt)
			password, err := readLine(terminal)
			fmt.Fprintln(s.err)
			if err != nil {
				return err
			}
			typed = append(typed, password)
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	for _, again := range typed[1:] {
		if again != typed[0] {
			return "", errors.New("the two passwords differ")
		}
	}
	return typed[0], nil
}

// readLine reads a line, or what there is of it, as a password. It reads
// nothing beyond: another line may be another password.
func readLine(from io.Reader) (string, error) {
	line, err := bufio.NewReader(io.LimitReader(oneByOne{from}, maxPassword+2)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("reading the password: %w", err)
	}
	password := strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
	if password == "" {
		return "", errors.New("no password was given")
	}
	if len(password) > maxPassword {
		return "", errors.New("the password is longer than MQTT can carry")
	}
	return password, nil
}

// oneByOne reads a byte at a time.
type oneByOne struct{ io.Reader }

func (r oneByOne) Read(b []byte) (int, error) { return r.Reader.Read(b[:min(len(b), 1)]) }

func isTerminal(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// withoutEcho turns off the terminal's echo for the time of f, which may also
// end by a signal.
func withoutEcho(terminal *os.File, f func() error) error {
	fd := int(terminal.Fd())
	before, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return fmt.Errorf("reading the terminal's settings: %w", err)
	}
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer signal.Stop(interrupted)

	silent := *before
	silent.Lflag &^= unix.ECHO
	if err := unix.IoctlSetTermios(fd, unix.TCSETS, &silent); err != nil {
		return fmt.Errorf("turning off the terminal's echo: %w", err)
	}
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err = <-done:
	case <-interrupted:
		err = errors.New("interrupted")
	}
	return errors.Join(err, unix.IoctlSetTermios(fd, unix.TCSETS, before))
}
