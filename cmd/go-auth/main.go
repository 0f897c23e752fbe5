// Command go-auth helps those who run a Mosquitto with the plugin go-auth.so:
// it checks the broker's configuration, makes password hashes and prints the
// options. See `go-auth help`.
package main

import (
	"fmt"
	"io"
	"os"
	"strings"
)

// version is set by the linker.
var version = "unknown"

// Exit statuses.
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

// command is one word behind go-auth.
type command struct {
	name, args string
	doc        string // one line
	more       string // for help NAME
	run        func(s streams, args []string) (status int)
}

// commands are listed in the order in which they are documented.
func commands() []command {
	return []command{
		{"check", "[-c FILE] [--json]", "check the broker's configuration, and ask the stores that it names", checkMore, check},
		{"hash", "[SCHEME] [FLAGS]", "make a password hash", hashMore, hash},
		{"options", "[FLAGS] [GROUP|NAME]", "print the options of the plugin", optionsMore, options},
		{"version", "", "print the version", "", printVersion},
		{"help", "[COMMAND]", "print this, or more about a command", "", help},
	}
}

func main() {
	os.Exit(run(streams{os.Stdin, os.Stdout, os.Stderr}, os.Args[1:]))
}

// run runs the command that args name.
func run(s streams, args []string) (status int) {
	if len(args) == 0 {
		fmt.Fprint(s.err, usage())
		return exitUsage
	}
	name := args[0]
	if name == "-h" || name == "--help" {
		name = "help"
	}
	c, ok := find(name)
	if !ok {
		s.complain(fmt.Errorf("there is no command %q", name))
		fmt.Fprint(s.err, usage())
		return exitUsage
	}
	return c.run(s, args[1:])
}

func find(name string) (command, bool) {
	for _, c := range commands() {
		if c.name == name {
			return c, true
		}
	}
	return command{}, false
}

func usage() string {
	var b strings.Builder
	b.WriteString("usage: go-auth COMMAND, where COMMAND is one of\n\n")
	for _, c := range commands() {
		fmt.Fprintf(&b, "  %-8s %-21s %s\n", c.name, c.args, c.doc)
	}
	b.WriteString("\n`go-auth help COMMAND` says more.\n")
	return b.String()
}

func help(s streams, args []string) int {
	if len(args) == 0 {
		fmt.Fprint(s.out, usage())
		return exitGood
	}
	c, ok := find(args[0])
	if !ok {
		s.complain(fmt.Errorf("there is no command %q", args[0]))
		return exitUsage
	}
	fmt.Fprint(s.out, c.usage())
	return exitGood
}

// usage is what help says of a command.
func (c command) usage() string {
	first := strings.TrimSpace("usage: go-auth " + c.name + " " + c.args)
	text := first + "\n\n" + strings.ToUpper(c.doc[:1]) + c.doc[1:] + ".\n"
	if c.more != "" {
		text += "\n" + c.more
	}
	return text
}

func printVersion(s streams, args []string) int {
	if len(args) > 0 {
		return s.misused("version", fmt.Errorf("unexpected %q", args[0]))
	}
	fmt.Fprintln(s.out, "go-auth", version)
	return exitGood
}

// misused says how a command is to be used.
func (s streams) misused(name string, err error) int {
	s.complain(err)
	c, _ := find(name)
	fmt.Fprintf(s.err, "%s\n", strings.TrimSpace("usage: go-auth "+c.name+" "+c.args))
	return exitUsage
}
