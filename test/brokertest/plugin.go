package brokertest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// PluginEnv is the environment variable with the plugin to test instead of one
// built from this module.
const PluginEnv = "GOAUTH_PLUGIN"

// built remembers how the build went, once per test process.
var built struct {
	sync.Once
	err error
}

// Plugin returns the path of go-auth.so, built as `make` builds it, by the first
// caller; a build for each test process costs little where nothing changed.
func Plugin(t testing.TB) string {
	t.Helper()
	if path := os.Getenv(PluginEnv); path != "" {
		return path
	}
	top := root(t)
	path := filepath.Join(top, "build/go-auth.so")
	built.Do(func() {
		out, err := exec.Command(filepath.Join(top, "scripts/build"), "plugin", path).CombinedOutput()
		if err != nil {
			built.err = fmt.Errorf("building the plugin: %w\n%s", err, out)
		}
	})
	if built.err != nil {
		t.Fatal(built.err)
	}
	return path
}
