package soak

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"mosquitto-go-auth/test/brokertest"
	"mosquitto-go-auth/test/mariadbtest"
	"mosquitto-go-auth/test/mqtt"
)

// wakeUpsMost is how many more wake-ups a second an idle broker may have with the
// plugin than without.
const wakeUpsMost = 5

const filesConf = `
plugin {{.Plugin}}
plugin_opt_backends files
plugin_opt_password_file {{.Dir}}/pw
plugin_opt_acl_file {{.Dir}}/acl
`

var confFiles = []brokertest.Option{
	brokertest.File("pw", passwords(1, 2)),
	brokertest.File("acl", "pattern read site/%u/#\n"),
}

// idler is a broker that had a login and now has no client.
type idler struct {
	*brokertest.Running
	conf   string
	before int
}

// TestIdle counts the wake-ups of all threads of such brokers.
func TestIdle(t *testing.T) {
	observed := 2 * time.Second
	if full() {
		observed = 10 * time.Second
	}
	idlers := startIdlers(t)
	time.Sleep(time.Second) // what the login leaves behind ends
	for _, r := range idlers {
		r.before = switches(t, r.PID)
	}
	time.Sleep(observed)
	var rows table
	rows.add("broker", "plugin", "wake-ups a second", "above the bare broker", "may be", "threads")
	bare := 0.0
	for _, r := range idlers {
		n := float64(switches(t, r.PID)-r.before) / observed.Seconds()
		if r.conf == "without" {
			bare = n
		}
		rows.add(r.Version, r.conf, fmt.Sprintf("%.1f", n), fmt.Sprintf("%+.1f", n-bare), fmt.Sprint(wakeUpsMost),
			fmt.Sprint(len(tasks(t, r.PID))))
		if n-bare > wakeUpsMost {
			t.Errorf("mosquitto %s, %s: %.1f wake-ups a second above the bare broker", r.Version, r.conf, n-bare)
		}
	}
	rows.print(t)
}

func startIdlers(t *testing.T) (idlers []*idler) {
	t.Helper()
	confs := []struct{ name, text string }{
		{"without", "allow_anonymous false\npassword_file {{.Dir}}/empty\n"},
		{"files", filesConf},
		{"mysql", mysqlConf(t)},
	}
	for _, b := range brokertest.All(t) {
		for _, c := range confs {
			r := &idler{brokertest.Start(t, b, c.text, append(confFiles, brokertest.File("empty", ""))...), c.name, 0}
			client, _ := mqtt.TryLogin(t, r.Addr, mqtt.As("u0-0", "right"))
			client.Drop()
			idlers = append(idlers, r)
		}
	}
	return idlers
}

func mysqlConf(t *testing.T) string {
	s := mariadbtest.Shared(t)
	name := s.Database(t)
	s.Exec(t, "CREATE TABLE "+name+".users (name VARCHAR(50) PRIMARY KEY, hash VARCHAR(200), topic VARCHAR(50))",
		"INSERT INTO "+name+".users VALUES ('u0-0', '"+hashOf(0, 0)+"', 'a')")
	c := s.Config()
	host, port, err := net.SplitHostPort(c.Addr)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("plugin {{.Plugin}}\nplugin_opt_backends mysql\nplugin_opt_mysql_host %s\nplugin_opt_mysql_port %s\n"+
		"plugin_opt_mysql_user %s\nplugin_opt_mysql_dbname %s\n"+
		"plugin_opt_mysql_userquery SELECT hash FROM users WHERE name = ?\n"+
		"plugin_opt_mysql_aclquery SELECT topic, 1 FROM users WHERE name = ?\n", host, port, c.User, name)
}

var voluntary = regexp.MustCompile(`(?m)^voluntary_ctxt_switches:\s+(\d+)$`)

// tasks are the status files of a process's threads.
func tasks(t *testing.T, pid int) []string {
	t.Helper()
	paths, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no threads of process %d (%v)", pid, err)
	}
	return paths
}

// switches is how often the threads of a process have gone to sleep.
func switches(t *testing.T, pid int) int {
	t.Helper()
	sum := 0
	for _, path := range tasks(t, pid) {
		text, _ := os.ReadFile(path) // a thread may have ended
		if m := voluntary.FindSubmatch(text); m != nil {
			n, _ := strconv.Atoi(string(m[1])) // digits only
			sum += n
		}
	}
	return sum
}
