package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"mosquitto-go-auth/backends"
	"mosquitto-go-auth/conf"
	"mosquitto-go-auth/plugin"
)

// anonymous warns of listeners that let clients in without asking the plugin.
func anonymous(file *conf.File, known reports) (found []conf.Remark) {
	const anonymous = "clients that give no user name are let in without a password"
	if len(file.Listeners) == 0 && file.Anonymous(nil) {
		at, text := file.AllowAnonymous.At, "no listener is named: the broker serves this host only, and "
		if !file.AllowAnonymous.Given() {
			at = conf.Position{File: file.Path}
			text = "no listener is named: the broker serves this host only, where allow_anonymous is true unless it is given, and "
		}
		return []conf.Remark{{At: at, Text: text + anonymous + known.judge(file, nil).ofAnonymous() + "; write allow_anonymous false, and a listener"}}
	}
	for _, l := range file.Listeners {
		setting := file.For(l).AllowAnonymous
		switch {
		case file.Anonymous(l) && len(serving(file, l)) > 0:
			found = append(found, conf.Remark{At: setting.At, Key: "allow_anonymous", Text: l.String() + ": " + anonymous + known.judge(file, l).ofAnonymous()})
		case file.Anonymous(l):
			found = append(found, conf.Remark{At: setting.At, Key: "allow_anonymous",
				Text: l.String() + ": no plugin serves it, and every client is let in, whatever name and password it gives"})
		case len(serving(file, l)) == 0 && !file.For(l).PasswordFile.Given():
			found = append(found, conf.Remark{At: l.At, Key: "listener",
				Text: l.String() + ": no plugin serves it, and it has no password_file: nobody is let in"})
		}
	}
	return found
}

// between warns of several loadings of the plugin that do not go together.
func between(file *conf.File) (found []conf.Remark) {
	var first *conf.Plugin
	for _, p := range file.Plugins {
		switch {
		case !p.Ours():
		case first == nil:
			first = p
		case filepath.Base(p.Path) != filepath.Base(first.Path) && !sameFile(p.Path, first.Path):
			found = append(found, conf.Remark{At: p.At, Text: "a second copy of the plugin under another name, besides " + first.Path +
				": it would bring a second Go runtime into the broker, which does not work; load the same file several times"})
		case p.Global && first.Global:
			found = append(found, conf.Remark{At: p.At, Text: "the plugin already serves all listeners (" + first.At.String() +
				"): the first one's answer counts; write the backends into one list, " +
				"or per_listener_settings true and a plugin below each listener"})
		}
	}
	return found
}

// sameFile tells whether two names are of one file, as auth-plug.so may be a link
// to go-auth.so.
func sameFile(a, b string) bool {
	one, err := os.Stat(a)
	if err != nil {
		return false
	}
	other, err := os.Stat(b)
	return err == nil && os.SameFile(one, other)
}

// overruled warns of Mosquitto's own files, which are asked only when no plugin
// has answered.
func overruled(file *conf.File, p *conf.Plugin, r plugin.Report) (found []conf.Remark) {
	var checks backends.Checks
	for _, b := range r.Backends {
		checks |= b.Checks
	}
	warn := func(own conf.Setting, name string, by backends.Checks) {
		r := conf.Remark{At: own.At, Key: name, Text: "has no effect: the plugin answers before Mosquitto looks there; " +
			"to use the file, write plugin_opt_" + name + " below the plugin, and files among its backends"}
		if own.Given() && checks&by != 0 && !slices.Contains(found, r) {
			found = append(found, r)
		}
	}
	scopes := []conf.Scope{file.Scope}
	for _, l := range p.Listeners {
		scopes = append(scopes, file.For(l))
	}
	for _, s := range scopes {
		warn(s.PasswordFile, "password_file", backends.CheckUser)
		warn(s.ACLFile, "acl_file", backends.CheckACL|backends.CheckSuperuser)
	}
	return found
}

// unasked warns of options of backends that are not among those of the instance.
func unasked(p *conf.Plugin, r plugin.Report) (found []conf.Remark) {
	if len(r.Faults) > 0 {
		return nil // perhaps of the list of backends
	}
	asked := []string{"general"}
	for _, b := range r.Backends {
		asked = append(asked, b.Name)
	}
	set := declared()
	first := map[string]int{} // where the first option is found, by the backends
	more := map[string]int{}
	for _, l := range p.Options {
		var of []string
		for _, o := range set.Named(l.Key) {
			of = append(of, o.Group)
		}
		if of == nil || slices.ContainsFunc(of, func(g string) bool { return slices.Contains(asked, g) }) {
			continue
		}
		name := strings.Join(of, " or ")
		if _, ok := first[name]; ok {
			more[name]++
			continue
		}
		first[name] = len(found)
		found = append(found, conf.Remark{At: l.At, Key: l.Key, Text: "has no effect: the option backends does not name " + name})
	}
	for name, n := range more {
		found[first[name]].Text += "; the same holds for " + count(n, "more option") + " of it"
	}
	return found
}
