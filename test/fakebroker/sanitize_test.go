package fakebroker

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"mosquitto-go-auth/test/brokertest"
)

// sanitizeEnv is the environment variable that has the scripts run once more
// with the address sanitizer, for which the plugin is built anew.
const sanitizeEnv = "GOAUTH_SANITIZE"

// TestPluginSanitized runs the scripts with a plugin and brokers that are built
// with the sanitizers for addresses and, in C, undefined behaviour. The race
// detector's Go runtime cannot be loaded into a C program; the tests of the
// packages run with it.
func TestPluginSanitized(t *testing.T) {
	if os.Getenv(sanitizeEnv) == "" {
		t.Skip(sanitizeEnv + " is not set")
	}
	flags := []string{"-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"}
	probe := filepath.Join(t.TempDir(), "probe")
	if out, err := exec.Command("gcc", append(flags, "-o", probe, "testdata/probe.c")...).CombinedOutput(); err != nil {
		if os.Getenv(brokertest.NoSkipEnv) != "" {
			t.Fatalf("gcc has no sanitizers: %v\n%s", err, out)
		}
		t.Skipf("gcc has no sanitizers: %v", err)
	}
	t.Setenv("ASAN_OPTIONS", "detect_leaks=0") // a plugin's instances stay, and so does much in the fake broker
	const patience = "60000"                   // all is slow
	playScripts(t, brokers(t, flags...), sanitized(t), "testdata/*.txt", patience)
}

func sanitized(t testing.TB) string {
	t.Helper()
	so := filepath.Join(t.TempDir(), "go-auth.so")
	cmd := exec.Command("go", "build", "-asan", "-buildmode=c-shared", "-buildvcs=false", "-tags", "netgo,osusergo", "-o", so, "../../cgo")
	cmd.Env = append(os.Environ(), "CGO_CFLAGS=-g -O1 -fsanitize=undefined -fno-sanitize-recover=undefined", "CGO_LDFLAGS=-fsanitize=undefined")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building the plugin: %v\n%s", err, out)
	}
	return so
}
