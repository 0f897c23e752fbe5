package fakebroker

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"mosquitto-go-auth/test/brokertest"
)

// brokers builds a fake broker for each version and returns their paths.
func brokers(t *testing.T, flags ...string) map[string]string {
	t.Helper()
	built := map[string]string{}
	for _, v := range Versions() {
		built[v] = Build(t, v, flags...)
	}
	return built
}

var fileHeader = regexp.MustCompile(`(?m)^-- (\S+) --\n`)

// archive splits a text into what is before the first "-- name --" line and
// the files behind such lines (the txtar format).
func archive(text string) (comment string, files map[string]string) {
	files = map[string]string{}
	marks := fileHeader.FindAllStringSubmatchIndex(text, -1)
	end := len(text)
	for _, m := range slices.Backward(marks) {
		files[text[m[2]:m[3]]] = text[m[1]:end]
		end = m[0]
	}
	return text[:end], files
}

// header returns the value of a line "# name: value" of a script, or "".
func header(script, name string) string {
	m := regexp.MustCompile(`(?m)^# ` + name + `: (.*)$`).FindStringSubmatch(script)
	if m == nil {
		return ""
	}
	return m[1]
}

// play runs a script, for every version that it is meant for.
func play(t *testing.T, brokers map[string]string, plugin, script string, files map[string]string, args ...string) {
	t.Helper()
	wanted := strings.Fields(header(script, "versions"))
	for _, v := range Versions() {
		if len(wanted) > 0 && !slices.Contains(wanted, v) {
			continue
		}
		t.Run(v, func(t *testing.T) {
			playOne(t, exec.Command(brokers[v], append([]string{plugin}, args...)...), script, files)
		})
	}
}

func playOne(t *testing.T, cmd *exec.Cmd, script string, files map[string]string) {
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd.Stdin = strings.NewReader(strings.ReplaceAll(script, "${DIR}", dir))
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	fails := header(script, "fails")
	switch {
	case fails == "" && err != nil:
		t.Errorf("%v\n%s", err, out.String())
	case fails != "" && err == nil:
		t.Errorf("the script passes; it must fail with %q", fails)
	case fails != "" && !strings.Contains(out.String(), fails):
		t.Errorf("the script fails, but not with %q:\n%s", fails, out.String())
	}
}

// playAll runs the scripts that a pattern names with the plugin that build makes.
func playAll(t *testing.T, build func(testing.TB) string, pattern string) {
	t.Helper()
	brokers := brokers(t) // first: without gcc there is no plugin either
	playScripts(t, brokers, build(t), pattern)
}

// playScripts hands the brokers more arguments.
func playScripts(t *testing.T, brokers map[string]string, plugin, pattern string, args ...string) {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil || len(paths) == 0 {
		t.Fatalf("no scripts at %s (%v)", pattern, err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			script, files := archive(brokertest.Read(t, path))
			play(t, brokers, plugin, script, files, args...)
		})
	}
}

func toy(t testing.TB) string {
	t.Helper()
	so := filepath.Join(t.TempDir(), "toy.so")
	compile(t, "-shared", "-fPIC", "-pthread", "-o", so, "testdata/toy/plugin.c", "-ldl")
	return so
}

// TestTool checks the fake broker itself, with a plugin whose answers are fixed.
func TestTool(t *testing.T) { playAll(t, toy, "testdata/toy/scripts/*.txt") }

// TestToolNotices checks that what a plugin must not do makes a script fail.
func TestToolNotices(t *testing.T) {
	_, scripts := archive(brokertest.Read(t, "testdata/toy/faults.txt"))
	if len(scripts) == 0 {
		t.Fatal("no scripts in testdata/toy/faults.txt")
	}
	brokers, plugin := brokers(t), toy(t)
	for name, script := range scripts {
		t.Run(name, func(t *testing.T) {
			if header(script, "fails") == "" {
				t.Fatal("the script does not say how it fails")
			}
			play(t, brokers, plugin, script, nil)
		})
	}
}
