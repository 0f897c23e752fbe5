package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
)

// command is one word behind go-auth. All that is said of it stands here, and in
// the flags that it declares: the help, the completions of the shells and the
// manual page are made of these.
type command struct {
	name   string
	args   string // what it takes besides flags, as the usage shows it: "USER [TOPIC]"
	max    int    // how many of these, at most
	extra  error  // what is said of one more; nil for errTooMany
	doc    string // one line, without a full stop
	more   string // paragraphs; indented lines are kept as they are
	status [3]string
	words  func() []string // what the argument behind it can be, to complete it; nil if that is not known

	// declare adds the flags to the set and returns what runs when they have
	// been read. The usage of a flag begins with what its value is called, between
	// back quotes; one that is called FILE is completed to the name of a file.
	declare func(*flag.FlagSet) action
}

// action runs a command with its arguments that are no flags.
type action func(s streams, args []string) (status int)

// noFlags declares an action that has none.
func noFlags(a action) func(*flag.FlagSet) action {
	return func(*flag.FlagSet) action { return a }
}

// configFlag declares -c, which is the same for all commands that have it.
func configFlag(f *flag.FlagSet) *string {
	return f.String("c", "/etc/mosquitto/mosquitto.conf", "`FILE` the broker's configuration")
}

// run reads the flags, which may stand before, between and behind the other
// arguments, and runs the command.
func (c command) run(s streams, args []string) (status int) {
	set := c.flagSet()
	act := c.declare(set)
	rest, err := parse(set, args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(s.out, c.help())
		return exitGood
	case err != nil:
		return s.misused(c.name, err)
	case len(rest) > c.max:
		return s.misused(c.name, cmp.Or(c.extra, errTooMany))
	}
	return act(s, rest)
}

// flagSet is the empty set of the command's flags.
func (c command) flagSet() *flag.FlagSet {
	set := flag.NewFlagSet(c.name, flag.ContinueOnError)
	set.SetOutput(io.Discard) // misused says it in the way of the other faults
	return set
}

// parse returns the arguments that are no flags. All behind -- are none.
func parse(set *flag.FlagSet, args []string) (rest []string, err error) {
	for {
		if err := set.Parse(args); err != nil {
			return nil, asTyped(err)
		}
		n := set.NArg()
		if n == 0 {
			return rest, nil
		}
		if read := len(args) - n; read > 0 && args[read-1] == "--" {
			return append(rest, set.Args()...), nil
		}
		rest, args = append(rest, set.Arg(0)), set.Args()[1:]
	}
}

// asTyped is an error of the package flag in the words of the help.
func asTyped(err error) error {
	if name, ok := strings.CutPrefix(err.Error(), "flag provided but not defined: -"); ok {
		return errors.New("there is no flag " + dashed(name))
	}
	return err
}

// dashed is the name of a flag as the help has it.
func dashed(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}

// misused says how a command is to be used.
func (s streams) misused(name string, err error) int {
	s.complain(err)
	c, _ := find(name)
	fmt.Fprintln(s.err, c.usage())
	return exitUsage
}

// described is a flag as it is documented.
type described struct {
	name  string // with its dashes
	value string // what its value is called; "" if it has none
	doc   string
}

// flags returns the flags that the command declares, in the order of the
// alphabet.
func (c command) flags() (list []described) {
	set := c.flagSet()
	c.declare(set)
	set.VisitAll(func(f *flag.Flag) {
		value, doc := flag.UnquoteUsage(f)
		doc = strings.TrimPrefix(doc, value+" ")
		if b, ok := f.Value.(interface{ IsBoolFlag() bool }); ok && b.IsBoolFlag() {
			value = ""
		} else if !slices.Contains([]string{"", "0", "false"}, f.DefValue) {
			doc += " (" + f.DefValue + ")"
		}
		list = append(list, described{dashed(f.Name), value, doc})
	})
	return list
}

// spelled is the flag with its value.
func (d described) spelled() string { return strings.TrimSpace(d.name + " " + d.value) }

// manyFlags is how many flags make the usage too long.
const manyFlags = 5

// usage is the line that shows how the command is written.
func (c command) usage() string {
	line := "usage: go-auth " + c.name
	flags := c.flags()
	if len(flags) > manyFlags {
		line, flags = line+" [FLAGS]", nil
	}
	for _, f := range flags {
		line += " [" + f.spelled() + "]"
	}
	return strings.TrimSpace(line + " " + c.args)
}

// help is what help says of a command.
func (c command) help() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n%s.\n", c.usage(), strings.ToUpper(c.doc[:1])+c.doc[1:])
	if c.more != "" {
		b.WriteString("\n" + c.more)
	}
	flags := c.flags()
	if len(flags) > 0 {
		b.WriteString("\n")
	}
	width := 0
	for _, f := range flags {
		width = max(width, len(f.spelled()))
	}
	for _, f := range flags {
		fmt.Fprintf(&b, "  %-*s  %s\n", width, f.spelled(), f.doc)
	}
	if c.status[exitGood] != "" {
		b.WriteString("\nExit status:\n")
	}
	for i, meaning := range c.status {
		if meaning != "" {
			fmt.Fprintf(&b, "  %d  %s\n", i, meaning)
		}
	}
	return b.String()
}
