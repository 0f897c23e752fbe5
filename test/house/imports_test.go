package house

import (
	"slices"
	"strings"
	"testing"
)

// rooms tells who may import what, of the module and of others. The standard
// library is open to all, but for "C" and unsafe. Drivers know neither the engine,
// nor hashing, nor each other.
var rooms = map[string][]string{
	"conf": {},
	"hashing": {"golang.org/x/crypto/argon2", "golang.org/x/crypto/bcrypt", "golang.org/x/crypto/scrypt",
		"golang.org/x/text/unicode/norm"},
	"backends":          {"conf"},
	"backends/sqldb":    {"backends", "conf"},
	"backends/files":    {"backends", "conf", "github.com/fsnotify/fsnotify"},
	"backends/failover": {},
	"backends/tlsfiles": {"conf"},
	"backends/mysql":    {"backends", "backends/failover", "backends/sqldb", "backends/tlsfiles", "conf", "github.com/go-sql-driver/mysql"},
	"backends/postgres": {"backends", "backends/failover", "backends/sqldb", "backends/tlsfiles", "conf", "github.com/jackc/pgx/v5/pgconn", "github.com/jackc/pgx/v5/pgtype"},
	"backends/redis": {"backends", "backends/tlsfiles", "conf", "github.com/redis/go-redis/v9", "github.com/redis/go-redis/v9/logging",
		"github.com/redis/go-redis/v9/maintnotifications"},
	"backends/all": {"backends", "backends/files", "backends/mysql", "backends/postgres", "backends/redis"},
	"plugin/acl":   {"backends"},
	"plugin":       {"backends", "conf", "hashing", "plugin/acl"},
	"cgo":          {"C", "unsafe", "backends", "backends/all", "conf", "plugin", "plugin/acl"},
	"cmd/go-auth":  {"backends", "backends/all", "backends/files", "backends/sqldb", "conf", "hashing", "plugin", "plugin/acl", "golang.org/x/sys/unix"},
}

// forTests are packages that only tests import.
func forTests(name string) bool {
	return strings.HasPrefix(name, "test/") || name == "plugin/acl/acltest" || name == "backends/backendtest" || strings.HasPrefix(name, "backends/backendtest/")
}

func TestImports(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range packages(t, false, "./...") {
		name := p.name()
		if forTests(name) {
			continue
		}
		allowed, ok := rooms[name]
		if !ok {
			t.Errorf("%s is in no room: say above what it may import", name)
			continue
		}
		seen[name] = true
		for _, path := range p.Imports {
			inner, own := strings.CutPrefix(path, module+"/")
			standard := !strings.Contains(strings.SplitN(path, "/", 2)[0], ".") && path != "C" && path != "unsafe"
			if (own || !standard) && !slices.Contains(allowed, inner) {
				t.Errorf("%s must not import %s", name, inner)
			}
		}
	}
	for name := range rooms {
		if !seen[name] {
			t.Errorf("there is no package %s any more", name)
		}
	}
}

// Nothing that only tests need gets into what is installed.
func TestNoTestsInside(t *testing.T) {
	for _, p := range packages(t, true, "./cgo", "./cmd/...") {
		if forTests(p.name()) || slices.Contains(p.Imports, "testing") {
			t.Errorf("%s is for tests, or imports testing", p.name())
		}
	}
}
