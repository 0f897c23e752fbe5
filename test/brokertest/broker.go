// Package brokertest runs real Mosquitto brokers in tests: every version that
// scripts/brokers has unpacked, and the one installed.
package brokertest

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// BrokersEnv is the environment variable with the brokers to test instead of those
// found: paths of executables, separated by colons.
const BrokersEnv = "GOAUTH_BROKERS"

// NoSkipEnv is the environment variable that, if set, makes a missing server a
// failure instead of a reason to skip: `make test` leaves nothing out silently.
const NoSkipEnv = "GOAUTH_NO_SKIP"

const installed = "/usr/sbin/mosquitto"

// A Broker is a Mosquitto that can be started.
type Broker struct {
	Path    string // the executable, or a script that becomes it
	Version string // such as 2.0.11
}

// Delays reports whether a plugin may answer a login later: 2.1 and above.
func (b Broker) Delays() bool { return b.atLeast(2, 1) }

// HasGlobalPlugin reports whether the broker knows the option global_plugin.
func (b Broker) HasGlobalPlugin() bool { return b.atLeast(2, 1) }

func (b Broker) atLeast(version ...int) bool {
	return slices.Compare(b.numbers(), version) >= 0
}

func (b Broker) numbers() []int {
	var all []int
	for part := range strings.SplitSeq(b.Version, ".") {
		n, err := strconv.Atoi(part)
		if err != nil {
			break
		}
		all = append(all, n)
	}
	return all
}

// Passwd returns the broker's own mosquitto_passwd, or "" if it has none.
func (b Broker) Passwd() string {
	for _, file := range []string{"mosquitto_passwd", "../bin/mosquitto_passwd"} {
		path := filepath.Join(filepath.Dir(b.Path), file)
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	return ""
}

// Each runs test as a subtest for every broker, named by its version. It skips
// the test if there is no broker.
func Each(t *testing.T, test func(t *testing.T, b Broker)) {
	t.Helper()
	for _, b := range All(t) {
		t.Run(b.Version, func(t *testing.T) { test(t, b) })
	}
}

// All returns the brokers to test, one of each version, the oldest first. It
// skips the test if there is none.
func All(t testing.TB) []Broker {
	t.Helper()
	var all []Broker
	for _, path := range paths(t) {
		version, err := versionOf(path)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(all, func(b Broker) bool { return b.Version == version }) {
			all = append(all, Broker{Path: path, Version: version})
		}
	}
	if len(all) == 0 {
		const reason = "no broker in build/brokers and no " + installed + "; scripts/setup and scripts/brokers bring them"
		if os.Getenv(NoSkipEnv) != "" {
			t.Fatal(reason)
		}
		t.Skip(reason)
	}
	slices.SortFunc(all, func(a, b Broker) int {
		return cmp.Or(slices.Compare(a.numbers(), b.numbers()), strings.Compare(a.Version, b.Version))
	})
	return all
}

func paths(t testing.TB) []string {
	if list := os.Getenv(BrokersEnv); list != "" {
		return filepath.SplitList(list)
	}
	found, err := filepath.Glob(filepath.Join(root(t), "build/brokers/*/mosquitto"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(installed); err == nil {
		found = append(found, installed)
	}
	return found
}

var versionLine = regexp.MustCompile(`(?m)^mosquitto version (\S+)$`)

// versionOf asks the broker itself; its help has the version in the first line,
// whatever the exit status.
func versionOf(path string) (string, error) {
	out, err := exec.Command(path, "-h").CombinedOutput()
	match := versionLine.FindSubmatch(out)
	if match == nil {
		return "", fmt.Errorf("%s -h tells no version (%v): %s", path, err, out)
	}
	return string(match[1]), nil
}

// root returns the top directory of the module, found from a test's directory.
func root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; dir != "/"; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
	}
	t.Fatal("the test does not run inside the module")
	return ""
}
