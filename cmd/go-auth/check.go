package main

import (
	"context"
	"errors"
	"flag"
	"slices"
	"strings"

	"mosquitto-go-auth/backends"
	"mosquitto-go-auth/backends/all"
	"mosquitto-go-auth/conf"
	"mosquitto-go-auth/plugin"
)

func checkCommand() command {
	return command{
		name: "check", extra: errNoFile,
		doc: "check the broker's configuration, and ask the stores that it names",
		more: `It reads FILE and what that includes, as the broker does, looks at the options of
each go-auth.so (or auth-plug.so) in it, reads the files that they name, the hashes
of a password file too, and asks the databases. First come all faults, each with its
place and what to write instead, then the warnings, those of the backends too, then
whether each backend answers. Nothing is changed.

It sees what you may see. Started as root, it also looks whether the user that
the broker becomes may read the files. It warns of files that others than root and
that user can change, or read where they hold secrets, and of a plugin that others
than root can change.

With --json it prints one object, to which members may be added but none
changed:

  config     FILE
  result     "good", "faults", or "cannot tell"
  remarks    a list of objects, the faults first:
      severity  "fault" or "warning"
      file      where; absent if it is about no place
      line      from 1; absent if it is about the whole file
      option    the option or setting, as it is written; absent if it is about none
      backend   absent if it is about none
      text      what is wrong, and what to do
  instances  a list of objects, one for each loading of the plugin:
      file, line, plugin   where it is loaded, and the file of the plugin
      listeners            those that it serves; absent if it serves all
      backends             a list of objects:
          name, checks     what it is asked for: "user", "superuser", "acl"
          asked            whether its store was asked
          error            why the store did not answer; absent if it did
`,
		status: [3]string{"the broker would work with this configuration", "it has faults",
			"a store does not answer, or FILE or one that it names cannot be read, or a variable is not set: that cannot be told"},
		declare: func(f *flag.FlagSet) action {
			path := configFlag(f)
			asJSON := f.Bool("json", false, "print the same for a program to read")
			offline := f.Bool("offline", false, "do not ask the stores")
			return func(s streams, _ []string) int { return check(s, *path, *asJSON, *offline) }
		},
	}
}

func check(s streams, path string, asJSON, offline bool) int {
	c, err := examine(context.Background(), path, offline)
	if err == nil {
		if asJSON {
			err = c.printJSON(s.out)
		} else {
			c.print(s.out)
		}
	}
	if err != nil {
		s.complain(err)
		return exitUsage
	}
	return c.status()
}

// examine checks the configuration. An error says that it could not be read.
func examine(ctx context.Context, path string, offline bool) (*checkup, error) {
	file, err := readConfig(path)
	var faults conf.Faults
	if err != nil && !errors.As(err, &faults) {
		return nil, err
	}
	c := &checkup{Config: path, Instances: []instance{}, offline: offline}
	c.faults(faults)
	c.warnings(file.Warnings)
	known := reports{}
	for _, p := range file.Plugins {
		if p.Ours() {
			known[p] = c.instance(ctx, file, p)
		}
	}
	if len(c.Instances) == 0 {
		c.faults([]conf.Remark{{At: conf.Position{File: path},
			Text: "no line loads go-auth.so; write: plugin /path/of/go-auth.so, and its options below"}})
	}
	c.warnings(anonymous(file, known))
	c.warnings(known.unruled(file))
	c.warnings(between(file))
	c.conclude()
	return c, nil
}

// instance checks one loading of the plugin.
func (c *checkup) instance(ctx context.Context, file *conf.File, p *conf.Plugin) plugin.Report {
	r := plugin.CheckConfig(ctx, all.Drivers(), p.Options, c.offline)
	for _, f := range r.Faults {
		if f.At == (conf.Position{}) { // an option is missing
			f.At = p.At
		}
		if f, only := onlyHere(file, f); only {
			c.untold = true
			c.warnings([]conf.Remark{f})
			continue
		}
		c.faults([]conf.Remark{f})
	}
	faults, warnings := library(p)
	c.faults(faults)
	c.faults(unreadable(file, p))
	c.warnings(r.Warnings)
	c.warnings(warnings)
	c.warnings(overruled(file, p, r))
	c.warnings(unasked(p, r))
	c.warnings(exposed(file, p))
	in := instance{place: place(p.At), Plugin: p.Path, Backends: []finding{}}
	for _, l := range p.Listeners {
		in.Listeners = append(in.Listeners, l.String())
	}
	for _, b := range r.Backends {
		in.Backends = append(in.Backends, c.finding(p, b))
		c.warnings(refused(p, b))
	}
	c.Instances = append(c.Instances, in)
	return r
}

// finding takes over what there is to say of a backend.
func (c *checkup) finding(p *conf.Plugin, b plugin.Finding) finding {
	f := finding{Name: b.Name, Checks: words(b.Checks), Asked: b.Asked}
	if b.Err != nil {
		f.Error = b.Err.Error()
	}
	add := func(s severity, text string) {
		l := about(p, text)
		c.Remarks = append(c.Remarks, remark{Severity: s, place: place(l.At), Option: l.Key, Backend: b.Name, Text: text})
	}
	for _, fault := range b.Faults {
		add(isFault, fault.Error())
	}
	for _, n := range b.Notes {
		add(isWarning, n)
	}
	return f
}

// about finds the option that a backend's text names first, or else the line that
// loads the plugin. Former names, such as user, are words too: they count at the
// beginning and in brackets.
func about(p *conf.Plugin, text string) conf.Line {
	for i, word := range strings.Fields(text) {
		word = strings.TrimRight(word, ",.:;")
		name := strings.Trim(word, "()")
		if i > 0 && word != "("+name+")" && !strings.Contains(name, "_") {
			continue
		}
		for _, l := range slices.Backward(p.Options) {
			if l.Key == name {
				return l
			}
		}
	}
	return conf.Line{At: p.At}
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
