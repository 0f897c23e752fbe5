package main

import (
	"slices"
	"strings"

	"mosquitto-go-auth/conf"
)

// meanwhile says what users of a predecessor's backend can do that is not here.
var meanwhile = map[string]string{
	"http":      "if the service keeps its users in MySQL, Postgres or Redis, ask there; else have it write them to a password file and an ACL file, which are read again when they change",
	"jwt":       "tokens cannot be checked; give these clients names and passwords in one of the backends",
	"sqlite":    "write the table to a password file (sqlite3 DATABASE \"SELECT username || ':' || password_hash FROM users\"), which is read again when it changes, or move it to MySQL or Postgres",
	"mongo":     "export the users to a password file and an ACL file, which are read again when they change, or to a table in MySQL or Postgres",
	"ldap":      "a directory cannot be asked; make names and hashes (go-auth hash) for these clients in one of the backends",
	"grpc":      "if the service keeps its users in MySQL, Postgres or Redis, ask there; else have it write them to a password file and an ACL file, which are read again when they change",
	"js":        "scripts are not run; write the users and rules to files or into a database",
	"plugin":    "plugins of the predecessor are not loaded; write the users and rules to files or into a database",
	"cdb":       "write the entries to a password file, which is read again when it changes",
	"memcached": "move the users to Redis",
	"psk":       "pre-shared keys are the broker's own: psk_file",
}

// backendOf tells which backend that is not here a name belongs to, "" for none.
func backendOf(name string) string {
	for prefix, backend := range map[string]string{"sqlite": "sqlite", "dbpath": "sqlite", "cdb": "cdb", "binddn": "ldap", "bindpw": "ldap"} {
		if strings.HasPrefix(name, prefix) {
			return backend
		}
	}
	first, _, _ := strings.Cut(name, "_")
	if meanwhile[first] == "" {
		return ""
	}
	return first
}

// withoutMissing takes backends that are not here out of the lines, and their
// prefixes.
func (m *instanceMigration) withoutMissing(lines []conf.Line) []conf.Line {
	set := resolve(lines)
	backends, ok := set.Counts("backends")
	if !ok {
		return lines
	}
	names := listed(backends.Value)
	gone := func(name string) bool { return meanwhile[name] != "" }
	if !slices.ContainsFunc(names, gone) {
		return lines
	}
	m.unfinished = true
	for _, name := range names {
		if gone(name) {
			m.remark(backends.At.Line, "there is no backend "+name+" yet, so none of its users can log in: "+meanwhile[name])
		}
	}
	prefixes, prefixed := set.Counts("prefixes")
	keep := func(list []string) string {
		var kept []string
		for i, word := range list {
			if i >= len(names) || !gone(names[i]) {
				kept = append(kept, word)
			}
		}
		return strings.Join(kept, ", ")
	}
	var rest []conf.Line
	for _, l := range lines {
		switch {
		case l.At == backends.At:
			l.Value = keep(names)
		case prefixed && l.At == prefixes.At:
			l.Value = keep(listed(l.Value))
		}
		if l.Value == "" {
			m.drop(l, "none of them is here")
			continue
		}
		rest = append(rest, l)
	}
	return rest
}

// listed splits a list as the option backends does.
func listed(value string) (list []string) {
	for word := range strings.SplitSeq(value, ",") {
		if word = strings.TrimSpace(word); word != "" {
			list = append(list, word)
		}
	}
	return list
}
