package brokertest

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"text/template"

	"mosquitto-go-auth/test/port"
)

// An Option changes how Start and StartFailing run a broker.
type Option func(*setup)

// setup is what the options and the configuration make of a start.
type setup struct {
	values conf
	files  map[string]string
	env    []string
	args   []string
	daemon bool
}

// File writes a file to the broker's directory before the start. Its text is
// expanded as the configuration's is.
func File(name, text string) Option {
	return func(s *setup) { s.files[name] = text }
}

// Env adds NAME=value to the broker's environment.
func Env(variable string) Option { return func(s *setup) { s.env = append(s.env, variable) } }

// Args adds arguments to the broker's command line.
func Args(args ...string) Option { return func(s *setup) { s.args = append(s.args, args...) } }

// Var makes {{.Vars.NAME}} stand for value.
func Var(name string, value any) Option {
	return func(s *setup) { s.values.Vars[name] = value }
}

// Daemon starts the broker as a daemon, which logs only to what log_dest names.
func Daemon() Option { return func(s *setup) { s.daemon = true } }

// conf is what a configuration can refer to:
//
//	{{.Port}} {{.Port2}}  free loopback ports
//	{{.Dir}}              the broker's own directory
//	{{.Plugin}}           the plugin, see Plugin
//	{{.Vars.NAME}}        a value given with Var
type conf struct {
	Dir         string
	Port, Port2 int
	Vars        map[string]any
	t           testing.TB
}

// Plugin is called by a template that names it, so that others build nothing.
func (c conf) Plugin() string { return Plugin(c.t) }

func newSetup(t testing.TB, options []Option) *setup {
	s := &setup{files: map[string]string{}}
	s.values = conf{Dir: t.TempDir(), Vars: map[string]any{}, t: t}
	s.values.Port, s.values.Port2 = port.Free(t), port.Free(t)
	for _, set := range options {
		set(s)
	}
	return s
}

// write writes the files and the configuration, and returns the latter's path
// and its text as the broker reads it.
func (s *setup) write(t testing.TB, text string) (path, expanded string) {
	t.Helper()
	for name, content := range s.files {
		s.writeFile(t, name, s.expand(t, name, content))
	}
	expanded = s.expand(t, "mosquitto.conf", s.defaults(text)+text)
	return s.writeFile(t, "mosquitto.conf", expanded), expanded
}

var (
	hasUser     = regexp.MustCompile(`(?m)^user `)
	hasListener = regexp.MustCompile(`(?m)^(listener|port) `)
)

// defaults returns the lines that most configurations would have to repeat. The
// user stays root where the tests are, or the broker could not read their files.
func (s *setup) defaults(text string) string {
	var lines strings.Builder
	if !hasUser.MatchString(text) {
		lines.WriteString("user root\n")
	}
	if !hasListener.MatchString(text) {
		lines.WriteString("listener {{.Port}} 127.0.0.1\n")
	}
	if s.daemon {
		lines.WriteString("pid_file {{.Dir}}/pid\n")
	}
	return lines.String()
}

func (s *setup) expand(t testing.TB, name, text string) string {
	t.Helper()
	parsed, err := template.New(name).Option("missingkey=error").Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := parsed.Execute(&out, s.values); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func (s *setup) writeFile(t testing.TB, name, text string) string {
	t.Helper()
	path := filepath.Join(s.values.Dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(fmt.Errorf("writing the broker's files: %w", err))
	}
	return path
}
