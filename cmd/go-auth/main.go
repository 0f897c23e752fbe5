// Command go-auth helps those who run a Mosquitto with the plugin go-auth.so:
// it checks the broker's configuration, makes password hashes and prints the
// options. See `go-auth help`.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// version is set by the linker.
var version = "unknown"

// Exit statuses. What they mean for a command is told by its status.
const (
	exitGood  = 0
	exitBad   = 1 // the answer is no: faults in a configuration, no hash
	exitUsage = 2 // the command was not understood, or the answer could not be found out
)

// streams are a command's connections to the outside.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// complain prints an error, and what the command is called before it.
func (s streams) complain(err error) { fmt.Fprintf(s.err, "go-auth: %v\n", err) }

// commands are listed in the order in which they are documented. They are made by
// functions since some look into this table.
func commands() []command {
	return []command{
		checkCommand(),
		loginCommand(),
		aclCommand(),
		userCommand(),
		healthCommand(),
		migrateCommand(),
		hashCommand(),
		verifyCommand(),
		identifyCommand(),
		optionsCommand(),
		pwCommand(),
		completionCommand(),
		manCommand(),
		versionCommand(),
		helpCommand(),
	}
}

func main() {
	args := os.Args[1:]
	if filepath.Base(os.Args[0]) == "pw" { // the name of a predecessor's tool
		args = append([]string{"pw"}, args...)
	}
	os.Exit(run(streams{os.Stdin, os.Stdout, os.Stderr}, args))
}

// run runs the command that args name.
func run(s streams, args []string) (status int) {
	args = configLast(args)
	if len(args) == 0 {
		fmt.Fprint(s.err, overview())
		return exitUsage
	}
	name := args[0]
	switch name {
	case "-h", "--help":
		name = "help"
	case "--version":
		name = "version"
	}
	c, ok := find(name)
	if !ok {
		err := fmt.Errorf("there is no command %.40q", name)
		if strings.HasPrefix(name, "-c") || strings.HasPrefix(name, "--c") {
			err = errors.New("-c FILE is not enough; name a command, too")
		}
		s.complain(err)
		fmt.Fprint(s.err, overview())
		return exitUsage
	}
	return c.run(s, args[1:])
}

// configLast puts a -c that stands in front of the command behind it.
func configLast(args []string) []string {
	n := 0
	if len(args) > 0 {
		switch first := args[0]; {
		case first == "-c" || first == "--c":
			n = 2
		case strings.HasPrefix(first, "-c=") || strings.HasPrefix(first, "--c="):
			n = 1
		}
	}
	if n == 0 || len(args) <= n {
		return args
	}
	return append(append([]string{args[n]}, args[:n]...), args[n+1:]...)
}

func find(name string) (command, bool) {
	for _, c := range commands() {
		if c.name == name {
			return c, true
		}
	}
	return command{}, false
}

// overview lists the commands.
func overview() string {
	var b strings.Builder
	b.WriteString("usage: go-auth COMMAND, where COMMAND is one of\n\n")
	for _, c := range commands() {
		fmt.Fprintf(&b, "  %-11s %s\n", c.name, c.doc)
	}
	b.WriteString("\n`go-auth help COMMAND` says more.\n")
	return b.String()
}

// names are those of the commands.
func names() (list []string) {
	for _, c := range commands() {
		list = append(list, c.name)
	}
	return list
}

func helpCommand() command {
	return command{
		name: "help", args: "[COMMAND]", max: 1, words: names,
		doc:     "print the commands, or more about one",
		declare: noFlags(help),
	}
}

func help(s streams, args []string) int {
	if len(args) == 0 {
		fmt.Fprint(s.out, overview())
		return exitGood
	}
	c, ok := find(args[0])
	if !ok {
		s.complain(fmt.Errorf("there is no command %.40q", args[0]))
		return exitUsage
	}
	fmt.Fprint(s.out, c.help())
	return exitGood
}

func versionCommand() command {
	return command{
		name: "version", doc: "print the version",
		declare: noFlags(func(s streams, _ []string) int {
			fmt.Fprintln(s.out, "go-auth", version)
			return exitGood
		}),
	}
}

// The errors for one argument more than there may be do not show it: it could be a
// password.
var (
	errTooMany    = errors.New("there is one argument too many")
	errNoFile     = fmt.Errorf("%w; the file is named by -c FILE", errTooMany)
	errNoPassword = fmt.Errorf("%w; the password is no argument, it is asked for, or read from standard input", errTooMany)
)
