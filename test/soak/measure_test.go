package soak

import (
	"crypto/pbkdf2"
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"

	"mosquitto-go-auth/test/fakebroker"
	"mosquitto-go-auth/test/mariadbtest"
)

// fullEnv is the environment variable that has the tests run at full length.
const fullEnv = "GOAUTH_SOAK"

func full() bool { return os.Getenv(fullEnv) != "" }

// usage is what the process of a broker and its plugin uses, after a collection.
type usage [5]int

const (
	rss = iota // kB
	heap
	goroutines
	threads
	openFiles
)

// resources are the places of usage, and how much more may be in use later. The
// Go runtime makes a thread when it finds all others at work, and keeps it.
var resources = [...]struct {
	name      string
	tolerance int
}{
	rss:        {"RSS, kB", 2048},
	heap:       {"Go heap, kB", 512},
	goroutines: {"goroutines", 1},
	threads:    {"threads", 3},
	openFiles:  {"open files", 0},
}

var measured = regexp.MustCompile(`(?m)^measure (\S+): rss (\d+) kB, heap (\d+) kB, goroutines (\d+), threads (\d+), files (\d+)$`)

// play runs a script in the fake broker of a version, and returns what it
// measured by name.
func play(t *testing.T, version, script string, files map[string]string) map[string]usage {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(fakebroker.Build(t, version), plugin(t))
	cmd.Stdin = strings.NewReader(strings.ReplaceAll(script, "${DIR}", dir))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	all := map[string]usage{}
	for _, m := range measured.FindAllStringSubmatch(string(out), -1) {
		var u usage
		for i := range u {
			u[i], _ = strconv.Atoi(m[i+2]) // digits only
		}
		all[m[1]] = u
	}
	return all
}

// built is the plugin with the tag measure, built once by whoever needs it first.
var built struct {
	sync.Once
	path string
	err  error
}

func plugin(t *testing.T) string {
	t.Helper()
	built.Do(func() {
		built.path, built.err = build("-tags", "netgo,osusergo,measure")
	})
	if built.err != nil {
		t.Fatal(built.err)
	}
	return built.path
}

// build builds the plugin in the directory of TestMain.
func build(flags ...string) (string, error) {
	path := filepath.Join(scratch, fmt.Sprintf("go-auth-%d.so", len(flags)))
	args := append([]string{"build", "-buildmode=c-shared", "-buildvcs=false", "-o", path}, flags...)
	out, err := exec.Command("go", append(args, "../../cgo")...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("building the plugin: %w\n%s", err, out)
	}
	return path, nil
}

var scratch string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "soak")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	scratch = dir
	return mariadbtest.Main(m)
}

// passwords are lines of a password file: users ub-k with the password right.
func passwords(blocks, users int) string {
	var lines strings.Builder
	for b := range blocks {
		for k := range users {
			fmt.Fprintf(&lines, "u%d-%d:%s\n", b, k, hashOf(b, k))
		}
	}
	return lines.String()
}

// hashOf is the stored hash of a user, made at a low cost.
func hashOf(b, k int) string {
	salt := fmt.Appendf(nil, "%06d%06d", b, k)
	key, err := pbkdf2.Key(sha512.New, "right", salt, 101, 64)
	if err != nil {
		panic(err) // never with these lengths
	}
	return fmt.Sprintf("$7$101$%s$%s", base64.StdEncoding.EncodeToString(salt), base64.StdEncoding.EncodeToString(key))
}

// table is printed in columns.
type table struct{ rows [][]string }

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

func (t *table) print(test *testing.T) {
	test.Helper()
	var out strings.Builder
	w := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	for _, cells := range t.rows {
		fmt.Fprintln(w, strings.Join(cells, "\t"))
	}
	w.Flush()
	test.Log("\n" + out.String())
}
