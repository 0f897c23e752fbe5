package main

import (
	"slices"
	"strings"

	"mosquitto-go-auth/backends"
	"mosquitto-go-auth/conf"
	"mosquitto-go-auth/plugin"
)

// reports are what is known of each loading of our plugin.
type reports map[*conf.Plugin]plugin.Report

// serving returns the plugins that serve a listener, which is nil where the file
// names none.
func serving(file *conf.File, l *conf.Listener) (list []*conf.Plugin) {
	for _, p := range file.Plugins {
		if p.Global || l != nil && slices.Contains(p.Listeners, l) {
			list = append(list, p)
		}
	}
	return list
}

// judging says how the rights of a listener's clients are found.
type judging int

const (
	unknowable judging = iota // another plugin has a say, or there are faults
	byNobody                  // everything is allowed
	byACLFile                 // by Mosquitto's own file
	byStores                  // by backends, of which none has rules for clients without a user name
	byFiles                   // by backends, of which one has
)

// judge finds out who judges the rights on a listener.
func (known reports) judge(file *conf.File, l *conf.Listener) judging {
	scope, by := file.Scope, byNobody
	if l != nil {
		scope = file.For(l)
	}
	if scope.ACLFile.Given() {
		by = byACLFile
	}
	for _, p := range serving(file, l) {
		r, ours := known[p]
		if !ours || len(r.Faults) > 0 {
			return unknowable
		}
		if r.Judges {
			by = max(by, byStores)
		}
		if slices.ContainsFunc(r.Backends, func(b plugin.Finding) bool { return b.Name == "files" && b.Checks&backends.CheckACL != 0 }) {
			by = byFiles
		}
	}
	return by
}

// ofAnonymous says what clients without a user name may do.
func (j judging) ofAnonymous() string {
	return [...]string{
		unknowable: "",
		byNobody:   "; they may do everything, since no backend is asked for rights and there is no acl_file",
		byACLFile:  "; no backend is asked for rights, and Mosquitto's acl_file decides what they may do",
		byStores:   "; they have no rights",
		byFiles:    "; for them, only the rules count that stand in acl_file before the first user",
	}[j]
}

// unruled warns where nobody judges the rights of those who log in.
func (known reports) unruled(file *conf.File) (found []conf.Remark) {
	listeners := file.Listeners
	if len(listeners) == 0 {
		listeners = []*conf.Listener{nil}
	}
	names := map[*conf.Plugin][]string{} // of the listeners, by the first plugin that serves them
	for _, l := range listeners {
		plugins := serving(file, l)
		if len(plugins) == 0 || known.judge(file, l) != byNobody {
			continue
		}
		name := "this host"
		if l != nil {
			name = l.String()
		}
		names[plugins[0]] = append(names[plugins[0]], name)
	}
	for _, p := range file.Plugins {
		if names[p] != nil {
			found = append(found, conf.Remark{At: p.At, Text: strings.Join(names[p], ", ") + ": no backend is asked for rights, and there is no acl_file: " +
				"every user may do everything; write plugin_opt_acl_file, or another backend's rules"})
		}
	}
	return found
}
