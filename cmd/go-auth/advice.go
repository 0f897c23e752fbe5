package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"mosquitto-go-auth/backends"
	"mosquitto-go-auth/conf"
	"mosquitto-go-auth/plugin"
)

// advice warns of settings of the broker that make the plugin's answers count
// less than one may think.
func advice(file *conf.File) (found []conf.Remark) {
	const anonymous = "clients that give no user name are let in without a password"
	if len(file.Listeners) == 0 && file.Anonymous(nil) {
		at := file.AllowAnonymous.At
		if !file.AllowAnonymous.Given() {
			at = conf.Position{File: file.Path}
		}
		return []conf.Remark{{At: at, Text: "no listener is named: the broker serves this host only, and " + anonymous +
			"; write allow_anonymous false, and a listener"}}
	}
	for _, l := range file.Listeners {
		if file.Anonymous(l) {
			found = append(found, conf.Remark{At: file.For(l).AllowAnonymous.At, Key: "allow_anonymous",
				Text: l.String() + ": " + anonymous})
		}
	}
	return found
}

// absent finds the fault of a plugin that is not where the line says. Where the
// broker looks for a relative path depends on where it is started.
func absent(p *conf.Plugin) (found []conf.Remark) {
	if !filepath.IsAbs(p.Path) {
		return nil
	}
	if _, err := os.Stat(p.Path); err != nil {
		found = append(found, conf.Remark{At: p.At, Text: "the broker does not start without the plugin: " + err.Error()})
	}
	return found
}

// besides warns of what is wrong around an instance of the plugin.
func besides(file *conf.File, p *conf.Plugin, r plugin.Report) (found []conf.Remark) {
	found = append(found, overruled(file, p, r)...)
	return append(found, exposed(p.Options, secrets(declared()))...)
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

// secrets returns the names of the options that are secret: those to which
// another belongs that names a file.
func secrets(set *conf.Set) map[string]bool {
	own := map[string]*conf.Option{}
	for _, o := range set.Options() {
		own[o.Name] = o
	}
	names := map[string]bool{}
	for _, o := range set.Options() {
		if own[o.Name+"_file"] == nil {
			continue
		}
		for _, n := range append([]string{o.Name}, o.Former...) {
			names[n] = true
		}
	}
	return names
}

// exposed warns of secrets in files that everyone on the machine can read.
func exposed(lines []conf.Line, secret map[string]bool) (found []conf.Remark) {
	for _, l := range lines {
		if !secret[l.Key] || strings.HasPrefix(l.Value, "${") {
			continue
		}
		info, err := os.Stat(l.At.File)
		if err == nil && info.Mode()&0o004 != 0 {
			found = append(found, conf.Remark{At: l.At, Key: l.Key, Text: fmt.Sprintf(
				"a secret in a file that everyone on this machine can read; chmod o-r %s, or give it as %s_file", l.At.File, l.Key)})
		}
	}
	return found
}
