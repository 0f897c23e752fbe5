package picture

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"mosquitto-go-auth/test/brokertest"
)

var update = flag.Bool("update", false, "draw the pictures anew")

// The picture is the one that is drawn.
func TestRights(t *testing.T) { keep(t, "rights.svg", Rights()) }

// The terminals show what the command prints now. Each of testdata has a title, lines
// "$ COMMAND", and the files that these need; NAME.txt is drawn as NAME.svg.
func TestTerminals(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(paths) == 0 {
		t.Fatalf("nothing to draw (%v)", err)
	}
	bin := t.TempDir()
	if out, err := exec.Command("../../scripts/build", "command", filepath.Join(bin, "go-auth")).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	for _, path := range paths {
		archive, err := txtar.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		title, commands, _ := strings.Cut(string(archive.Comment), "\n")
		dir := room(t, archive.Files)
		var session strings.Builder
		for line := range strings.Lines(commands) {
			session.WriteString(line)
			session.WriteString(shell(t, dir, strings.TrimPrefix(line, "$ ")))
		}
		keep(t, strings.TrimSuffix(filepath.Base(path), ".txt")+".svg", Terminal(title, session.String()))
	}
}

// room is a directory with the files and the plugin.
func room(t *testing.T, files []txtar.File) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for _, f := range files {
		if err := os.WriteFile(filepath.Join(dir, f.Name), f.Data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	plugin, err := filepath.Abs(brokertest.Plugin(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(plugin, filepath.Join(dir, "go-auth.so")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// shell returns what a command prints, whatever its status.
func shell(t *testing.T, dir, command string) string {
	t.Helper()
	cmd := exec.Command("bash", "-c", command)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return string(out)
}

// keep compares a picture with the one that is kept.
func keep(t *testing.T, name string, picture []byte) {
	t.Helper()
	for d := xml.NewDecoder(bytes.NewReader(picture)); ; {
		if _, err := d.Token(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	if *update {
		if err := os.WriteFile(name, picture, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if kept, err := os.ReadFile(name); err != nil || !bytes.Equal(kept, picture) {
		t.Errorf("%s is not what is drawn (%v): go test ./test/picture -update\n%s", name, err, picture)
	}
}
