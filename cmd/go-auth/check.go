package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"

	"mosquitto-go-auth/backends"
	"mosquitto-go-auth/backends/all"
	"mosquitto-go-auth/conf"
	"mosquitto-go-auth/plugin"
)

func checkCommand() command {
	return command{
		name: "check",
		doc:  "check the broker's configuration, and ask the stores that it names",
		more: `It reads FILE and what that includes, as the broker does, looks at the options of
each go-auth.so (or auth-plug.so) in it, opens the files that they name and asks
the databases. First come all faults, each with its place and what to write
instead, then the warnings, those of the backends too, then whether each backend
answers. Nothing is changed. It sees what you may see: to see what the broker
may, run it as the broker's user.
`,
		status: [3]string{"the broker would work with this configuration", "it has faults",
			"a database did not answer, or FILE could not be read"},
		declare: func(f *flag.FlagSet) action {
			path := configFlag(f)
			asJSON := f.Bool("json", false, "print the same for a program to read")
			return func(s streams, _ []string) int { return check(s, *path, *asJSON) }
		},
	}
}

// checkup is what check found out.
type checkup struct {
	Config    string     `json:"config"`
	Result    string     `json:"result"` // good, faults, or cannot tell
	Faults    []remark   `json:"faults"`
	Warnings  []remark   `json:"warnings"`
	Instances []instance `json:"instances"`
}

// remark is a fault or a warning, and its place.
type remark struct {
	place
	Option  string `json:"option,omitempty"`
	Backend string `json:"backend,omitempty"` // whose it is
	Text    string `json:"text"`
}

type place struct {
	File string `json:"file,omitempty"`
	Line int    `json:"line,omitempty"`
}

// instance is one loading of the plugin.
type instance struct {
	place
	Plugin    string    `json:"plugin"`
	Listeners []string  `json:"listeners,omitempty"` // empty: all
	Backends  []finding `json:"backends"`
}

// finding is what there is to say of a backend.
type finding struct {
	Name   string   `json:"name"`
	Checks []string `json:"checks"` // what it answers: user, superuser, acl
	Asked  bool     `json:"asked"`  // its store was asked
	Error  string   `json:"error,omitempty"`
}

func check(s streams, path string, asJSON bool) int {
	c, err := examine(context.Background(), path)
	if err != nil {
		s.complain(err)
		return exitUsage
	}
	if asJSON {
		err = c.printJSON(s.out)
	} else {
		c.print(s.out)
	}
	if err != nil {
		s.complain(err)
		return exitUsage
	}
	return c.status()
}

const (
	resultGood    = "good"
	resultFaults  = "faults"
	resultUnknown = "cannot tell"
)

func (c *checkup) status() int {
	return map[string]int{resultGood: exitGood, resultFaults: exitBad, resultUnknown: exitUsage}[c.Result]
}

// examine checks the configuration. An error says that it could not be read.
func examine(ctx context.Context, path string) (*checkup, error) {
	file, err := conf.ReadFile(path)
	var faults conf.Faults
	if err != nil && !errors.As(err, &faults) {
		return nil, err
	}
	c := &checkup{Config: path, Faults: remarks(faults), Warnings: remarks(file.Warnings), Instances: []instance{}}
	for _, p := range file.Plugins {
		if p.Ours() {
			c.instance(ctx, file, p)
		}
	}
	if len(c.Instances) == 0 {
		c.Faults = append(c.Faults, remark{place: place{File: path},
			Text: "no line loads go-auth.so; write: plugin /path/of/go-auth.so, and its options below"})
	}
	c.Warnings = append(c.Warnings, remarks(advice(file))...)
	c.conclude()
	return c, nil
}

// instance checks one loading of the plugin.
func (c *checkup) instance(ctx context.Context, file *conf.File, p *conf.Plugin) {
	r := plugin.CheckConfig(ctx, all.Drivers(), p.Options)
	for _, f := range r.Faults {
		if f.At == (conf.Position{}) { // an option is missing
			f.At = p.At
		}
		c.Faults = append(c.Faults, remarks([]conf.Remark{f})...)
	}
	c.Faults = append(c.Faults, remarks(absent(p))...)
	c.Warnings = append(c.Warnings, remarks(append(r.Warnings, besides(file, p, r)...))...)
	in := instance{place: place(p.At), Plugin: p.Path, Backends: []finding{}}
	for _, l := range p.Listeners {
		in.Listeners = append(in.Listeners, l.String())
	}
	for _, b := range r.Backends {
		f := finding{Name: b.Name, Checks: words(b.Checks), Asked: b.Asked}
		if b.Err != nil {
			f.Error = b.Err.Error()
		}
		for _, fault := range b.Faults {
			c.Faults = append(c.Faults, remark{place: in.place, Backend: b.Name, Text: fault.Error()})
		}
		for _, n := range b.Notes {
			c.Warnings = append(c.Warnings, remark{place: in.place, Backend: b.Name, Text: n})
		}
		in.Backends = append(in.Backends, f)
	}
	c.Instances = append(c.Instances, in)
}

func (c *checkup) conclude() {
	c.Result = resultGood
	for _, in := range c.Instances {
		for _, b := range in.Backends {
			if b.Error != "" {
				c.Result = resultUnknown
			}
		}
	}
	if len(c.Faults) > 0 {
		c.Result = resultFaults
	}
}

func remarks(from []conf.Remark) []remark {
	to := []remark{} // not nil: [] in JSON
	for _, r := range from {
		to = append(to, remark{place: place(r.At), Option: r.Key, Text: r.Text})
	}
	return to
}

func words(c backends.Checks) []string {
	list := []string{}
	for _, w := range []struct {
		check backends.Checks
		word  string
	}{{backends.CheckUser, "user"}, {backends.CheckSuperuser, "superuser"}, {backends.CheckACL, "acl"}} {
		if c&w.check != 0 {
			list = append(list, w.word)
		}
	}
	return list
}

func (c *checkup) printJSON(to io.Writer) error {
	e := json.NewEncoder(to)
	e.SetEscapeHTML(false) // queries have < and >
	e.SetIndent("", "  ")
	return e.Encode(c)
}

func (c *checkup) print(to io.Writer) {
	for _, r := range c.Faults {
		fmt.Fprintln(to, r.line("fault"))
	}
	for _, r := range c.Warnings {
		fmt.Fprintln(to, r.line("warning"))
	}
	for _, in := range c.Instances {
		in.print(to, len(c.Faults) > 0)
	}
	fmt.Fprintf(to, "%s: %s (%s, %s)\n", c.Config, c.Result,
		count(len(c.Faults), "fault"), count(len(c.Warnings), "warning"))
}

func (r remark) line(kind string) string {
	text := kind + ": "
	if r.Option != "" {
		text += "option " + r.Option + ": "
	}
	if r.Backend != "" {
		text += "backend " + r.Backend + ": "
	}
	if at := conf.Position(r.place).String(); at != "" {
		text = at + ": " + text
	}
	return text + r.Text
}

func (in *instance) print(to io.Writer, faults bool) {
	serves := "all listeners"
	if len(in.Listeners) > 0 {
		serves = strings.Join(in.Listeners, ", ")
	}
	fmt.Fprintf(to, "%s: %s, for %s\n", conf.Position(in.place), in.Plugin, serves)
	for _, b := range in.Backends {
		fmt.Fprintf(to, "    %s (%s): %s\n", b.Name, strings.Join(b.Checks, ", "), b.state(faults))
	}
}

// state says in a line how a backend is.
func (f *finding) state(faults bool) string {
	switch {
	case f.Error != "":
		return "does not answer: " + f.Error
	case f.Asked:
		return "answers"
	case faults:
		return "not tried, for the faults"
	default:
		return "ready"
	}
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
