package conf

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write what the tests got into the files of testdata")

// golden runs one archive of testdata after the other, each in a directory of
// its own that holds the archive's files. run returns sections, which are
// compared with the archive's files of those names; one that is empty must be
// missing there.
func golden(t *testing.T, pattern string, run func(t *testing.T, files map[string]string) (got []file)) {
	paths, err := filepath.Glob(pattern)
	if err != nil || len(paths) == 0 {
		t.Fatalf("no files match %s (%v)", pattern, err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			a := parseArchive(string(text))
			root, err := os.Getwd()
			if err != nil {
				t.Fatal(err)
			}
			t.Chdir(t.TempDir())
			files := a.unpack(t)
			for _, got := range run(t, files) {
				if want := files[got.name]; got.text != want {
					t.Errorf("%s:\n%s\nwant:\n%s", got.name, got.text, want)
				}
				a.replace(got)
			}
			if *update {
				if err := os.WriteFile(filepath.Join(root, path), []byte(a.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// archive is several files in one text: a comment, then each file behind a line
// "-- NAME --".
type archive struct {
	comment string
	files   []file
}

type file struct{ name, text string }

func parseArchive(text string) *archive {
	a := &archive{}
	into := &a.comment
	for line := range strings.Lines(text) {
		name, begins := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "-- ")
		if name, ends := strings.CutSuffix(name, " --"); begins && ends {
			a.files = append(a.files, file{name: name})
			into = &a.files[len(a.files)-1].text
			continue
		}
		*into += line
	}
	return a
}

func (a *archive) String() string {
	text := a.comment
	for _, f := range a.files {
		text += "-- " + f.name + " --\n" + f.text
	}
	return text
}

// unpack writes the files to the present directory.
func (a *archive) unpack(t *testing.T) map[string]string {
	files := map[string]string{}
	for _, f := range a.files {
		files[f.name] = f.text
		if err := os.MkdirAll(filepath.Dir(f.name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(f.name, []byte(f.text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// replace puts a file in the place of the one of that name, or at the end; an
// empty one is left out.
func (a *archive) replace(f file) {
	at := slices.IndexFunc(a.files, func(old file) bool { return old.name == f.name })
	switch {
	case at < 0 && f.text != "":
		a.files = append(a.files, f)
	case at >= 0 && f.text == "":
		a.files = slices.Delete(a.files, at, at+1)
	case at >= 0:
		a.files[at] = f
	}
}

// remarks writes remarks a line each.
func remarks(list []Remark) string {
	var b strings.Builder
	for _, r := range list {
		b.WriteString(r.String() + "\n")
	}
	return b.String()
}
