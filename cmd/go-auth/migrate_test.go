package main

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"mosquitto-go-auth/backends/sqldb"
	"mosquitto-go-auth/conf"
)

var update = flag.Bool("update", false, "write what the tests got into the files of testdata/migrate")

// TestMigrate migrates the file in.conf of each archive of testdata/migrate. What
// comes out has to be its out.conf, and to mean the same to the plugin. Where a
// thing is left to be mended, the archive's comment says so.
func TestMigrate(t *testing.T) {
	paths, err := filepath.Glob("testdata/migrate/*.txt")
	if err != nil || len(paths) == 0 {
		t.Fatalf("there are no archives (%v)", err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			a, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			in := string(a.Files[0].Data)
			m, err := newMigration("in.conf", in)
			if err != nil {
				t.Fatal(err)
			}
			out := m.String()
			if *update {
				a.Files = append(a.Files[:1], txtar.File{Name: "out.conf", Data: []byte(out)})
				if err := os.WriteFile(path, txtar.Format(a), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if want := string(a.Files[1].Data); out != want {
				t.Errorf("got:\n%s\nwant:\n%s", out, want)
			}
			if unfinished := strings.Contains(string(a.Comment), "to be mended"); m.unfinished != unfinished {
				t.Errorf("unfinished is %v", m.unfinished)
			}
			sameMeaning(t, in, out, m.unfinished)
		})
	}
}

// TestMigrateExamples migrates the two configurations that are known to be in
// use as they stand.
func TestMigrateExamples(t *testing.T) {
	for _, name := range []string{"mosquitto-go-auth-mysql.conf", "mosquitto-auth-plug-mysql.conf"} {
		text, err := os.ReadFile("../../conf/examples/" + name)
		if err != nil {
			t.Fatal(err)
		}
		m, err := newMigration(name, string(text))
		if err != nil {
			t.Fatal(err)
		}
		sameMeaning(t, string(text), m.String(), false)
		again, err := newMigration(name, m.String())
		if err != nil {
			t.Fatal(err)
		}
		if lines := settings(again.String()); !slices.Equal(lines, settings(m.String())) {
			t.Errorf("migrated once more, it becomes %q", lines)
		}
	}
}

// settings are the lines that are no comments.
func settings(text string) []string {
	return slices.DeleteFunc(strings.Split(text, "\n"), func(l string) bool { return strings.HasPrefix(l, "#") })
}

// ours returns the options of the first loading of the plugin.
func ours(t *testing.T, text string) []conf.Line {
	t.Helper()
	f, err := conf.Read("in.conf", []byte(text))
	if f == nil {
		t.Fatal(err)
	}
	if len(f.Plugins) == 0 {
		return ours(t, "plugin go-auth.so\n"+text)
	}
	return f.Plugins[0].Options
}

// sameMeaning compares what the plugin makes of two configurations, option by
// option. The second must be without a fault, but that files are not there.
func sameMeaning(t *testing.T, before, after string, unfinished bool) {
	t.Helper()
	was, is := resolve(ours(t, before)), resolve(ours(t, after))
	warnings, faults := is.Result()
	faults = slices.DeleteFunc(faults, func(f conf.Remark) bool { return is.Named(f.Key)[0].IsSecret() })
	if len(warnings)+len(faults) > 0 {
		t.Errorf("the new lines are not clean: %v %v", warnings, faults)
	}
	used := append([]string{"general"}, is.Named("backends")[0].Value())
	for i, o := range was.Options() {
		if !strings.Contains(strings.Join(used, " "), o.Group) || unfinished && slices.Contains([]string{"backends", "prefixes"}, o.Name) {
			continue
		}
		if a, b := meaning(was, o), meaning(is, is.Options()[i]); a != b {
			t.Errorf("%s was %q and is %q", o.Name, a, b)
		}
	}
}

// meaning is the value of an option, that of a secret too; of a query, what the
// server gets and what is bound.
func meaning(set *conf.Set, o *conf.Option) string {
	l, given := set.Counts(o.Name)
	switch {
	case strings.HasSuffix(o.Name, "query") && given && (o.Group == "mysql" || o.Group == "postgres"):
		_, role, _ := strings.Cut(o.Name, "_")
		dialect := map[string]sqldb.Dialect{"mysql": sqldb.MySQL, "postgres": sqldb.Postgres}[o.Group]
		s, err := sqldb.Parse(dialect, sqldb.Role(role), sqldb.Query{Option: l.Key, Text: o.Value(), AuthPlug: l.Key != o.Name})
		if err != nil {
			return err.Error()
		}
		return s.Text + " " + string(rune('0'+len(s.Params)))
	case l.Key == "ssl_enabled" && o.Value() == "true":
		if ca, _ := set.Counts("mysql_sslrootcert"); ca.Key != "" {
			return "custom"
		}
		return "skip-verify"
	case o.Name == "pg_sslmode" && !given && set.Given("pg_userquery") == "userquery":
		return "prefer"
	case o.IsSecret():
		return strings.TrimSpace(l.Value)
	}
	return o.Value()
}

// TestMeanwhile has the table know the backends that the plugin refuses by name.
func TestMeanwhile(t *testing.T) {
	for name := range meanwhile {
		r := judged([]conf.Line{{Key: "backends", Value: name}})
		if len(r.Faults) == 0 || !strings.Contains(r.Faults[0].Text, "not in this version") {
			t.Errorf("%s: %v", name, r.Faults)
		}
	}
	for _, g := range declared().Gone() {
		if strings.Contains(g.Why, "this backend is not in this version") && backendOf(g.Name) == "" {
			t.Errorf("%s belongs to no backend", g.Name)
		}
	}
}

// FuzzMigrate has nothing panic, and what comes out be migrated to itself.
func FuzzMigrate(f *testing.F) {
	f.Add("auth_plugin /x/auth-plug.so\nauth_opt_backends mysql\nauth_opt_userquery SELECT pw FROM u WHERE n = '%s'\n")
	f.Add("auth_opt_backends http, files\nauth_opt_prefixes h, f\nauth_opt_check_prefix true\nauth_opt_acl_file x\n")
	f.Fuzz(func(t *testing.T, text string) {
		m, err := newMigration("in.conf", text)
		if err != nil {
			return
		}
		again, err := newMigration("in.conf", m.String())
		if err != nil {
			t.Fatalf("%q: %v", m.String(), err)
		}
		if a, b := settings(m.String()), settings(again.String()); !m.unfinished && !slices.Equal(a, b) {
			t.Errorf("%q becomes %q", a, b)
		}
	})
}
