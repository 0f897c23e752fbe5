// Package house holds the rules of this repository as tests over its sources, its
// documents and the library that is built from it.
package house

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const (
	module = "mosquitto-go-auth"
	top    = "../.."
)

// pkg is what `go list` says of a package.
type pkg struct {
	ImportPath string
	Dir        string
	Standard   bool
	GoFiles    []string
	CgoFiles   []string
	Imports    []string
	Module     struct{ Path string }
}

// name is the import path inside the module.
func (p pkg) name() string { return strings.TrimPrefix(p.ImportPath, module+"/") }

// packages lists the module's packages that match patterns, and with deps those
// that they need.
func packages(t *testing.T, deps bool, patterns ...string) (own []pkg) {
	t.Helper()
	args := []string{"list", "-json"}
	if deps {
		args = append(args, "-deps")
	}
	cmd := exec.Command("go", append(args, patterns...)...)
	cmd.Dir = top
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v", cmd, err)
	}
	for d := json.NewDecoder(bytes.NewReader(out)); d.More(); {
		var p pkg
		if err := d.Decode(&p); err != nil {
			t.Fatal(err)
		}
		if p.Module.Path == module {
			own = append(own, p)
		}
	}
	if len(own) == 0 {
		t.Fatalf("%v lists no package of the module", cmd)
	}
	return own
}

// files returns the files of the repository whose paths match, without what is
// built.
func files(t *testing.T, match func(path string) bool) (paths []string) {
	t.Helper()
	err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == ".git" || path == filepath.Join(top, "build")) {
			return filepath.SkipDir
		}
		if d.Type().IsRegular() && match(path) {
			paths = append(paths, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(paths) == 0 {
		t.Fatal("no files found")
	}
	return paths
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
