package house

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"mosquitto-go-auth/backends/all"
	"mosquitto-go-auth/conf"
	"mosquitto-go-auth/plugin"
)

var update = flag.Bool("update", false, "rewrite the tables of options in the documents")

// options returns the set that the plugin has.
func options() *conf.Set {
	s := conf.NewSet()
	plugin.Declare(s, all.Drivers())
	return s
}

// The tables of options are those of the declarations, and each group has one and
// no more.
// After a change: go test ./test/house -update
func TestTablesOfOptions(t *testing.T) {
	s := options()
	tables := map[string]string{}
	for _, group := range s.Groups() {
		tables[group] = s.Markdown(group)
	}
	found := map[string]int{}
	for _, path := range files(t, func(path string) bool { return filepath.Ext(path) == ".md" }) {
		old := read(t, path)
		for group := range tables {
			found[group] += bytes.Count(old, []byte("<!-- options "+group+" -->"))
		}
		fresh, err := conf.Regenerate(old, tables)
		switch {
		case err != nil:
			t.Errorf("%s: %v", path, err)
		case bytes.Equal(old, fresh):
		case *update:
			if err := os.WriteFile(path, fresh, 0o644); err != nil {
				t.Error(err)
			}
		default:
			t.Errorf("%s does not show the options as they are declared: go test ./test/house -update", path)
		}
	}
	for group := range tables {
		if found[group] != 1 {
			t.Errorf("there are %d tables of the options %s in the documents", found[group], group)
		}
	}
}

// The examples are accepted as they stand; what they name need not be there.
func TestExamples(t *testing.T) {
	for _, path := range files(t, func(path string) bool {
		return filepath.Dir(path) == filepath.Join(top, "conf/examples") && filepath.Ext(path) == ".conf"
	}) {
		t.Run(filepath.Base(path), func(t *testing.T) { checkExample(t, path) })
	}
}

func checkExample(t *testing.T, path string) {
	t.Helper()
	f, err := conf.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range f.Warnings {
		t.Errorf("%v", w)
	}
	n := 0
	for _, p := range f.Plugins {
		if !p.Ours() {
			continue
		}
		s := options()
		s.Parse(p.Options)
		_, faults := s.Result()
		for _, fault := range faults {
			t.Errorf("%v", fault)
		}
		n += len(p.Options)
	}
	if n == 0 {
		t.Error("it gives the plugin no options")
	}
}

// Every script is one that its shell can read.
func TestScripts(t *testing.T) {
	shell, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("no bash")
	}
	for _, path := range files(t, isScript) {
		var exit *exec.ExitError
		out, err := exec.Command(shell, "-n", path).CombinedOutput()
		if errors.As(err, &exit) || len(out) > 0 {
			t.Errorf("%s: %v\n%s", path, err, out)
		} else if err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(path); err != nil || info.Mode()&0o111 == 0 {
			t.Errorf("%s cannot be run: %v, %v", path, info.Mode(), err)
		}
	}
}

func isScript(path string) bool {
	if ext := filepath.Ext(path); ext != "" && ext != ".sh" {
		return false
	}
	text, err := os.ReadFile(path)
	first, _, _ := strings.Cut(string(text), "\n")
	return err == nil && strings.HasPrefix(first, "#!") && strings.HasSuffix(first, "sh")
}
