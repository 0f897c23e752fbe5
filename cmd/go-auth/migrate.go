package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"mosquitto-go-auth/backends/all"
	"mosquitto-go-auth/conf"
	"mosquitto-go-auth/plugin"
)

func migrateCommand() command {
	return command{
		name: "migrate", args: "[FILE]", max: 1,
		doc: "rewrite a predecessor's configuration with the options of today",
		more: `FILE, or - for standard input, is a mosquitto.conf, a file of its include_dir, or a
piece of one, with the options of mosquitto-go-auth or mosquitto-auth-plug. It is
printed with our options in the place of theirs, all else as it was. Where a line
has another meaning now, or none, a comment above its place says so; each begins
with "# go-auth: ". FILE is not changed, and no store is asked. Secrets are printed
as they are: send the output to a file that only you can read. Files of an
include_dir are migrated one by one.
`,
		status: [3]string{"the new configuration does what the old one did, but for what the comments say",
			"so, but a backend is missing or a line is to be mended by hand; the comments say which",
			"FILE could not be read, or has no options of a predecessor"},
		declare: func(f *flag.FlagSet) action {
			path := configFlag(f)
			return func(s streams, args []string) int {
				if len(args) == 1 {
					*path = args[0]
				}
				return migrate(s, *path)
			}
		},
	}
}

func migrate(s streams, path string) int {
	read := os.ReadFile
	if path == "-" {
		read = func(string) ([]byte, error) { return io.ReadAll(s.in) }
	}
	text, err := read(path)
	if err != nil {
		s.complain(fmt.Errorf("reading the configuration: %w", err))
		return exitUsage
	}
	m, err := newMigration(path, string(text))
	if err != nil {
		s.complain(err)
		return exitUsage
	}
	fmt.Fprint(s.out, m)
	if m.unfinished {
		return exitBad
	}
	return exitGood
}

// migration is a configuration on its way from a predecessor's options to ours.
type migration struct {
	lines      []string
	instead    map[int][]string // what takes the place of a line, by its number from 1
	remarks    map[int][]string // what is said above a line
	unfinished bool
}

func newMigration(path, text string) (*migration, error) {
	file, err := conf.Read(path, []byte(text))
	if file == nil {
		return nil, err
	}
	if len(file.Plugins) == 0 && hasOptions(text) { // a piece without the line that loads the plugin
		text = "plugin go-auth.so\n" + text
		file, err = conf.Read(path, []byte(text))
	}
	m := &migration{lines: strings.Split(strings.TrimSuffix(text, "\n"), "\n"), instead: map[int][]string{}, remarks: map[int][]string{}}
	ours := slices.DeleteFunc(slices.Clone(file.Plugins), func(p *conf.Plugin) bool { return !p.Ours() })
	if len(ours) == 0 {
		return nil, fmt.Errorf("%s: no line loads mosquitto-go-auth (go-auth.so) or mosquitto-auth-plug (auth-plug.so); "+
			"give the file that has that line, which may be one of an include_dir", path)
	}
	if faults, ok := err.(conf.Faults); ok {
		for _, f := range faults {
			m.mend(f.At.Line, f.Key+": "+f.Text)
		}
	}
	m.includes()
	for _, p := range ours {
		m.loading(p)
		(&instanceMigration{migration: m, plugin: p}).run()
	}
	return m, nil
}

// hasOptions tells whether there are options of a plugin in a text.
func hasOptions(text string) bool {
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "auth_opt_") || strings.HasPrefix(line, "plugin_opt_") {
			return true
		}
	}
	return false
}

// includes says that other files are not looked into.
func (m *migration) includes() {
	for i, line := range m.lines {
		if strings.HasPrefix(line, "include_dir ") {
			m.remark(i+1, "the files in it are not migrated with this one; where one has options of a predecessor, migrate it by itself")
		}
	}
}

// loading rewrites the line that loads the plugin.
func (m *migration) loading(p *conf.Plugin) {
	line := strings.TrimRight(m.lines[p.At.Line-1], "\r")
	line = strings.Replace(line, "auth_plugin ", "plugin ", 1)
	dir, base := filepath.Split(p.Path)
	if strings.Contains(base, "auth-plug") {
		line = strings.TrimSuffix(strings.TrimRight(line, " \t"), base) + "go-auth.so"
	}
	m.instead[p.At.Line] = []string{line}
	where := "the path of this project's go-auth.so belongs here"
	if dir != "" {
		where = "this project's go-auth.so belongs there, or another path here"
	}
	m.remark(p.At.Line, where)
}

func (m *migration) remark(line int, text string) {
	line = max(line, 1)
	if !slices.Contains(m.remarks[line], text) {
		m.remarks[line] = append(m.remarks[line], text)
	}
}

// mend says what cannot be migrated.
func (m *migration) mend(line int, text string) {
	m.remark(line, "to be mended: "+text)
	m.unfinished = true
}

// String is the new configuration.
func (m *migration) String() string {
	var b strings.Builder
	for i, line := range m.lines {
		for _, r := range m.remarks[i+1] {
			b.WriteString("# go-auth: " + r + "\n")
		}
		lines, ok := m.instead[i+1]
		if !ok {
			lines = []string{line}
		}
		for _, l := range lines {
			b.WriteString(l + "\n")
		}
	}
	return b.String()
}

// resolve has the options that lines set.
func resolve(lines []conf.Line) *conf.Set {
	set := declared()
	set.Parse(lines)
	return set
}

// judged is what the plugin would say of lines.
func judged(lines []conf.Line) plugin.Report {
	return plugin.CheckConfig(context.Background(), all.Drivers(), lines, true)
}
