package seed

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mosquitto-go-auth/test/brokertest"
)

// address returns where the database's server is.
func (s *store) address() (host, port string) {
	host, port, _ = net.SplitHostPort(s.config.Addr)
	return host, port
}

// change is a line of an example that a test writes differently.
type change struct{ from, to string }

// example returns a file of conf/examples with some lines changed, each of which
// it must have once.
func example(t *testing.T, name string, changes ...change) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../conf/examples", name))
	if err != nil {
		t.Fatal(err)
	}
	changed := "\n" + string(text)
	for _, c := range changes {
		if strings.Count(changed, "\n"+c.from+"\n") != 1 {
			t.Fatalf("%s does not have one line %q", name, c.from)
		}
		changed = strings.Replace(changed, "\n"+c.from+"\n", "\n"+c.to+"\n", 1)
	}
	return changed
}

// include starts a broker that has the plugin's configuration in a file of
// conf.d, and its own log in dir.
func include(t *testing.T, b brokertest.Broker, dir, file, text string) *brokertest.Running {
	t.Helper()
	confD := filepath.Join(dir, "conf.d")
	if err := os.MkdirAll(confD, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(confD, file), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	r := brokertest.Start(t, b, `
allow_anonymous false
log_dest file {{.Vars.dir}}/mosquitto.log
include_dir {{.Vars.dir}}/conf.d
`, brokertest.Var("dir", dir))
	watch(t, r)
	return r
}
