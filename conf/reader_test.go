package conf

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"testing"
)

// The files of testdata/mosquitto: trees with a mosquitto.conf. Out come
// "holds", "warnings" and "faults".
func TestReadFile(t *testing.T) {
	golden(t, "testdata/mosquitto/*.txt", func(t *testing.T, _ map[string]string) []file {
		f, err := ReadFile("mosquitto.conf")
		var faults Faults
		if err != nil && !errors.As(err, &faults) {
			t.Fatal(err)
		}
		return []file{
			{"holds", describe(f)},
			{"warnings", remarks(f.Warnings)},
			{"faults", remarks(faults)},
		}
	})
}

func describe(f *File) string {
	var b strings.Builder
	show := func(name string, s Setting) {
		if s.Given() {
			fmt.Fprintf(&b, "%s %s (%s)\n", name, s.Value, s.At)
		}
	}
	scope := func(indent string, s Scope) {
		show(indent+"allow_anonymous", s.AllowAnonymous)
		show(indent+"password_file", s.PasswordFile)
		show(indent+"acl_file", s.ACLFile)
	}
	if f.LocalOnly {
		fmt.Fprintf(&b, "this host only, anonymous %v\n", f.Anonymous(nil))
	}
	show("user", f.User)
	show("per_listener_settings", f.PerListener)
	scope("", f.Scope)
	for _, l := range f.Listeners {
		fmt.Fprintf(&b, "listener %s (%s), anonymous %v", l, l.At, f.Anonymous(l))
		for _, how := range []struct {
			so   bool
			text string
		}{{l.Protocol != "", l.Protocol}, {l.TLS, "TLS"}, {l.Keyed, "keyed"}, {l.Proxy, "proxy"}, {l.Interface != "", "at " + l.Interface}} {
			if how.so {
				b.WriteString(", " + how.text)
			}
		}
		b.WriteString("\n")
		scope("  ", f.For(l))
	}
	for _, p := range f.Plugins {
		describePlugin(&b, p)
	}
	return b.String()
}

func describePlugin(b *strings.Builder, p *Plugin) {
	fmt.Fprintf(b, "plugin %s (%s)", p.Path, p.At)
	if p.Name != "" {
		fmt.Fprintf(b, " as %s", p.Name)
	}
	if p.Ours() {
		b.WriteString(", ours")
	}
	if p.Global {
		b.WriteString(", for all")
	}
	for _, l := range p.Listeners {
		fmt.Fprintf(b, ", for %s", l)
	}
	b.WriteString("\n")
	for _, o := range p.Options {
		fmt.Fprintf(b, "  %s %q (%s)\n", o.Key, o.Value, o.At)
	}
}

func TestReadFileMissing(t *testing.T) {
	f, err := ReadFile(t.TempDir() + "/none.conf")
	if f != nil || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v, %v", f, err)
	}
}

func TestOurs(t *testing.T) {
	for path, want := range map[string]bool{
		"/usr/lib/go-auth.so":                 true,
		"auth-plug.so":                        true,
		"/x/go-auth2.so":                      true,
		"/x/mosquitto-go-auth.so":             true,
		"/go-auth.so/dynamic_security.so":     false,
		"/x/mosquitto_dynamic_security.so":    false,
		"/etc/mosquitto/go-auth.conf":         false,
		"":                                    false,
		"/usr/lib/mosquitto_password_file.so": false,
	} {
		if got := (&Plugin{Path: path}).Ours(); got != want {
			t.Errorf("%q: %v", path, got)
		}
	}
}

// forest is a tree in memory.
func forest(files map[string]string) tree {
	return tree{
		read: func(name string) ([]byte, error) {
			text, ok := files[path.Clean(name)]
			if !ok {
				return nil, fs.ErrNotExist
			}
			return []byte(text), nil
		},
		list: func(dir string) ([]string, error) {
			var names []string
			for name := range files {
				if path.Dir(name) == path.Clean(dir) {
					names = append(names, path.Base(name))
				}
			}
			if names == nil {
				return nil, fs.ErrNotExist
			}
			return names, nil
		},
	}
}

// Includes are no way to read for ever, and every remark is a line with its place.
func FuzzRead(f *testing.F) {
	f.Add("include_dir d\nlistener 1883 # x\nplugin go-auth.so\n", "auth_opt_backends files\nplugin  x.so\nplugin_opt_a")
	f.Add("per_listener_settings true\nallow_anonymous 1\nlistener 0 /s\nplugin_use x", "plugin_load x y.so\nport 1\nbind_address ::1")
	f.Add("auth_opt_mysql_password\thunter2\n  # x\n\xef\xbb\xbfuser\x00\nuser \xff", "include_dir d\nauth_plugin_deny_special_chars true")
	f.Fuzz(func(t *testing.T, main, included string) {
		file, err := read(forest(map[string]string{"m.conf": main, "d/i.conf": included}), "m.conf")
		var faults Faults
		if file == nil || (err != nil && !errors.As(err, &faults)) {
			t.Fatalf("%v, %v", file, err)
		}
		for _, r := range append(faults, file.Warnings...) {
			if r.At.Line == 0 || r.Text == "" || strings.ContainsAny(r.String(), "\n\x00\x1b") {
				t.Errorf("remark %q", r)
			}
		}
		for _, l := range file.Listeners {
			file.Anonymous(l)
			if l.Port < 0 || l.Port > 65535 {
				t.Errorf("port %d", l.Port)
			}
		}
		for _, p := range file.Plugins {
			for _, o := range p.Options {
				if len(o.Key) < minOptionName || strings.ContainsAny(o.Key, " \t\n") {
					t.Errorf("option %q", o.Key)
				}
			}
		}
	})
}
