package main

import (
	"slices"
	"strings"

	"mosquitto-go-auth/backends/sqldb"
	"mosquitto-go-auth/conf"
)

// instanceMigration rewrites the options of one loading of the plugin.
type instanceMigration struct {
	*migration
	plugin *conf.Plugin
	set    *conf.Set                     // what the old lines set
	used   []string                      // the backends, which are the groups of the options that count
	faults map[conf.Position]conf.Remark // of the old lines
	lines  []conf.Line                   // the new ones, at the places of the old
}

// changed says what is another meaning now, of options that are still there.
var changed = map[string]string{
	"acl_cache_seconds": "it was how long an answer was kept; now it is how old the rights of a user may be " +
		"before they are fetched again, the old ones counting meanwhile",
}

// plugNames are names of options that only mosquitto-auth-plug had.
var plugNames = []string{"host", "user", "pass", "dbname", "userquery", "superquery", "aclquery", "superusers"}

func (m *instanceMigration) run() {
	if !slices.ContainsFunc(m.plugin.Options, func(l conf.Line) bool { return slices.Contains(plugNames, l.Key) }) &&
		!strings.Contains(m.plugin.Path, "auth-plug") {
		m.remark(m.plugin.At.Line, "in mosquitto-go-auth, + and # in a rule also matched topics that begin with $, such as $SYS; here they do not; "+
			"plugin_opt_wildcards_match_dollar true has it as it was")
	}
	old := m.withoutMissing(m.plugin.Options)
	m.set = resolve(old)
	m.used = []string{"general"}
	if l, ok := m.set.Counts("backends"); ok {
		m.used = append(m.used, listed(l.Value)...)
	} else {
		m.used = append(m.used, "files")
	}
	m.faults = map[conf.Position]conf.Remark{}
	_, faults := m.set.Result()
	for _, f := range faults {
		m.faults[f.At] = f
	}
	for _, l := range old {
		m.option(l)
	}
	m.report()
}

// option rewrites one line.
func (m *instanceMigration) option(l conf.Line) {
	found := m.set.Named(l.Key)
	if len(found) == 0 {
		m.gone(l)
		return
	}
	if fault, ok := m.faults[l.At]; ok && !found[0].IsSecret() { // whose file or variable may be elsewhere
		m.drop(l, fault.Text)
		return
	}
	targets := slices.DeleteFunc(slices.Clone(found), func(o *conf.Option) bool {
		counting, _ := m.set.Counts(o.Name)
		return counting.At != l.At
	})
	if len(targets) == 0 {
		m.drop(l, "another line sets the same, and counts")
		return
	}
	used := slices.DeleteFunc(slices.Clone(targets), func(o *conf.Option) bool { return !slices.Contains(m.used, o.Group) })
	if len(used) == 0 {
		used = targets[:1]
	}
	m.instead[l.At.Line] = nil
	for _, o := range used {
		m.rewrite(l, o)
	}
}

// gone drops a line whose option is no more, or never was.
func (m *instanceMigration) gone(l conf.Line) {
	for _, g := range m.set.Gone() {
		if !g.Is(l.Key) {
			continue
		}
		switch backend := backendOf(l.Key); {
		case !g.Refused:
			m.drop(l, g.Why)
		case backend != "":
			m.drop(l, "it is of the backend "+backend+", which is not here yet")
		default:
			m.drop(l, g.Why)
			m.unfinished = true
		}
		return
	}
	fault := m.faults[l.At]
	m.drop(conf.Line{Key: fault.Key, At: l.At}, fault.Text+"; the predecessors ignored it")
}

// drop leaves a line out. What was its value is not shown: it may be a secret.
func (m *instanceMigration) drop(l conf.Line, why string) {
	m.instead[l.At.Line] = nil
	m.remark(l.At.Line, l.Key+" is dropped: "+why)
}

// rewrite writes a line that sets an option.
func (m *instanceMigration) rewrite(l conf.Line, o *conf.Option) {
	name, value := o.Name, strings.TrimSpace(l.Value)
	switch {
	case !o.Is(l.Key): // the file of a secret
		name += "_file"
	case o.IsSecret():
		if !strings.HasPrefix(value, "${") {
			m.remark(l.At.Line, "better in a file that only the broker's user can read, and here plugin_opt_"+name+"_file with its name")
		}
	case strings.HasSuffix(name, "query") && (o.Group == "mysql" || o.Group == "postgres"):
		m.query(l, o)
		return
	case name == "mysql_sslmode" && l.Key == "ssl_enabled":
		name, value = m.sslEnabled(o)
	case o.Type != "text":
		value = o.Value()
	}
	if text := changed[name]; text != "" {
		m.remark(l.At.Line, name+": "+text)
	}
	m.write(l, name, value)
}

func (m *instanceMigration) write(l conf.Line, name, value string) {
	line := "plugin_opt_" + name + " " + value
	if slices.Contains(m.instead[l.At.Line], line) {
		return
	}
	m.instead[l.At.Line] = append(m.instead[l.At.Line], line)
	m.lines = append(m.lines, conf.Line{Key: name, Value: value, At: l.At})
}

// sslEnabled translates mosquitto-auth-plug's switch for TLS to MySQL.
func (m *instanceMigration) sslEnabled(o *conf.Option) (name, value string) {
	given := func(name string) bool { _, ok := m.set.Counts(name); return ok }
	switch {
	case o.Value() == "false":
		return "mysql_sslmode", "false"
	case given("mysql_sslrootcert"):
		return "mysql_sslmode", "custom"
	case given("mysql_sslcert"), o.Value() != "true":
		return "ssl_enabled", o.Value() // no mode of ours verifies nothing and has a certificate
	}
	return "mysql_sslmode", "skip-verify"
}

// query writes a query as the server understands it, under the present name,
// unless it would mean something else then.
func (m *instanceMigration) query(l conf.Line, o *conf.Option) {
	value := strings.TrimSpace(l.Value)
	if l.Key == o.Name {
		m.write(l, o.Name, value)
		return
	}
	_, role, _ := strings.Cut(o.Name, "_")
	dialect := map[string]sqldb.Dialect{"mysql": sqldb.MySQL, "postgres": sqldb.Postgres}[o.Group]
	old, err := sqldb.Parse(dialect, sqldb.Role(role), sqldb.Query{Option: l.Key, Text: value, AuthPlug: true})
	if err != nil {
		m.write(l, l.Key, value)
		return // report has it
	}
	if role == "userquery" && m.plugOnly(o) {
		m.remark(l.At.Line, "the old name stays: with it, and without an aclquery, nothing is allowed; "+
			"with plugin_opt_"+o.Name+", everything is")
		m.write(l, l.Key, value)
		return
	}
	for _, text := range []string{old.Text, value} {
		if s, err := sqldb.Parse(dialect, sqldb.Role(role), sqldb.Query{Option: o.Name, Text: text}); err == nil &&
			s.Text == old.Text && slices.Equal(s.Params, old.Params) {
			m.write(l, o.Name, text)
			m.defaultTLS(l, o)
			return
		}
	}
	m.write(l, l.Key, value)
}

// plugOnly tells whether the names of mosquitto-auth-plug mean something that
// ours do not: no database, or no rights without an aclquery.
func (m *instanceMigration) plugOnly(o *conf.Option) bool {
	prefix := strings.TrimSuffix(o.Name, "userquery")
	_, acl := m.set.Counts(prefix + "aclquery")
	_, database := m.set.Counts(prefix + "dbname")
	return !acl || !database
}

// defaultTLS writes the mode of TLS that mosquitto-auth-plug's client library had.
func (m *instanceMigration) defaultTLS(l conf.Line, o *conf.Option) {
	if _, given := m.set.Counts("pg_sslmode"); o.Name != "pg_userquery" || given {
		return
	}
	m.remark(l.At.Line, "pg_sslmode prefer, which does not verify the server, was the default; verify-full is better")
	m.write(l, "pg_sslmode", "prefer")
}

// report puts what the plugin has to say of the new lines to their places, but for
// files that are not there: this may be another machine than the broker's.
func (m *instanceMigration) report() {
	r := judged(m.lines)
	for _, f := range r.Faults {
		if f.Key == "" || m.about(f.Key, func(o *conf.Option) bool { return namesFile[o.Name] || o.IsSecret() }) {
			continue
		}
		at := f.At.Line
		if at == 0 {
			at = m.plugin.At.Line
		}
		m.mend(at, f.Key+": "+f.Text)
	}
	for _, b := range r.Backends {
		for _, note := range b.Notes {
			m.note(note)
		}
	}
}

// about tells whether a name means an option of some kind.
func (m *instanceMigration) about(name string, kind func(*conf.Option) bool) bool {
	return slices.ContainsFunc(m.set.Named(name), kind)
}

// note puts a note above the option that it begins with, and a query that it
// recommends on a line of its own, to be uncommented.
func (m *instanceMigration) note(text string) {
	first, _, _ := strings.Cut(text, " ")
	at := m.plugin.At.Line
	for _, l := range m.lines {
		if l.Key == first {
			at = l.At.Line
		}
	}
	const read = "let the plugin read it: "
	text, query, recommended := strings.Cut(text, read)
	if !recommended {
		m.remark(at, text)
		return
	}
	m.remark(at, text+"let the plugin read it, as the line below does that is a comment")
	m.instead[at] = append(m.instead[at], "#plugin_opt_"+first+" "+query)
}
