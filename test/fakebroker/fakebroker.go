// Package fakebroker plays a Mosquitto broker to a plugin, in C and without a
// network, as text scripts say. README.md describes the scripts.
package fakebroker

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Versions are the brokers that can be played, as the scripts name them.
func Versions() []string { return []string{"2.0", "2.1"} }

// Build builds the fake broker of a version with more flags for gcc, and returns
// its path. It is for tests in directories beside this one, and skips the test
// where there is no gcc.
func Build(t testing.TB, version string, flags ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fakebroker-"+version)
	args := append(flags, "-DBROKER="+strings.ReplaceAll(version, ".", ""), "-rdynamic", "-pthread",
		"-o", path, "../fakebroker/host/broker.c", "../fakebroker/host/script.c", "-ldl")
	compile(t, args...)
	return path
}

// compile runs gcc, and skips the test where there is none.
func compile(t testing.TB, args ...string) {
	t.Helper()
	gcc, err := exec.LookPath("gcc")
	if err != nil {
		t.Skip("no gcc: the fake broker is a C program")
	}
	args = append([]string{"-std=gnu11", "-O1", "-g", "-Wall", "-Wextra", "-Werror"}, args...)
	if out, err := exec.Command(gcc, args...).CombinedOutput(); err != nil {
		t.Fatalf("gcc %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}
