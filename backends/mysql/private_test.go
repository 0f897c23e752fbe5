package mysql

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"

	"mosquitto-go-auth/backends"
)

// private is a MariaDB server of the test's own, on a socket only, with TLS.
type private struct {
	dir string
	cmd *exec.Cmd
}

func newPrivate(t *testing.T) *private {
	if os.Getenv("GOAUTH_TEST_MYSQL") == "" {
		t.Skip("GOAUTH_TEST_MYSQL is not set, so no server is started")
	}
	install, err := exec.LookPath("mariadb-install-db")
	if err != nil {
		t.Skip("mariadb-install-db is not installed")
	}
	p := &private{dir: t.TempDir()}
	writeCertificate(t, p.dir)
	args := append([]string{"--no-defaults", "--auth-root-authentication-method=normal", "--datadir=" + p.dir + "/data"}, asUser()...)
	if out, err := exec.Command(install, args...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Cleanup(func() { p.kill() })
	p.start(t)
	return p
}

// asUser lets the server run as root, which it does only if told so.
func asUser() []string {
	if os.Getuid() == 0 {
		return []string{"--user=root"}
	}
	return nil
}

// start starts the server and returns when it accepts connections.
func (p *private) start(t *testing.T) {
	mariadbd, err := exec.LookPath("mariadbd")
	if err != nil {
		mariadbd = "/usr/sbin/mariadbd"
	}
	p.cmd = exec.Command(mariadbd, append([]string{"--no-defaults", "--datadir=" + p.dir + "/data", "--socket=" + p.socket(),
		"--skip-networking", "--innodb-buffer-pool-size=8M", "--ssl-ca=" + p.dir + "/cert.pem", "--ssl-cert=" + p.dir + "/cert.pem",
		"--ssl-key=" + p.dir + "/key.pem"}, asUser()...)...)
	log, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var said []string
	lines := bufio.NewScanner(log)
	for lines.Scan() {
		if said = append(said, lines.Text()); strings.Contains(lines.Text(), "ready for connections") {
			go func() {
				for lines.Scan() {
				}
			}()
			return
		}
	}
	t.Fatalf("the server did not start:\n%s", strings.Join(said, "\n"))
}

func (p *private) kill() {
	p.cmd.Process.Kill()
	p.cmd.Wait()
}

func (p *private) socket() string { return filepath.Join(p.dir, "data", "s") }

func (p *private) options(user string, more ...string) string {
	return "mysql_protocol unix\nmysql_socket " + p.socket() + "\nmysql_dbname d\nmysql_user " + user +
		"\nmysql_userquery SELECT h FROM u WHERE n = ?\n" + strings.Join(more, "\n")
}

func (p *private) fill(t *testing.T) {
	c := mysql.NewConfig()
	c.Net, c.Addr, c.User = "unix", p.socket(), "root"
	mustExec(t, openDB(t, c), "CREATE DATABASE d", "CREATE TABLE d.u (n VARBINARY(50), h TEXT)", "INSERT INTO d.u VALUES ('sam', 'h')",
		"CREATE USER plain@localhost", "CREATE USER secure@localhost REQUIRE SSL", "CREATE USER known@localhost REQUIRE X509",
		"GRANT SELECT ON d.* TO plain@localhost", "GRANT SELECT ON d.* TO secure@localhost", "GRANT SELECT ON d.* TO known@localhost")
}

func TestPrivateServer(t *testing.T) {
	p := newPrivate(t)
	p.fill(t)
	t.Run("TLS", func(t *testing.T) { checkTLS(t, p) })
	t.Run("restart", func(t *testing.T) { checkRestart(t, p) })
}

func checkTLS(t *testing.T, p *private) {
	ca := p.dir + "/cert.pem"
	tests := []struct{ name, user, options, err string }{
		{"none", "plain", "", ""},
		{"none where it is required", "secure", "", "does not accept our own user name"},
		{"skip-verify", "secure", "mysql_sslmode skip-verify", ""},
		{"preferred", "secure", "mysql_sslmode preferred", ""},
		{"system authorities", "secure", "mysql_sslmode true", "certificate is of no trusted authority"},
		{"custom", "secure", "mysql_sslmode custom\nmysql_sslrootcert " + ca, ""},
		{"custom without authority", "secure", "mysql_sslmode custom", "certificate is of no trusted authority"},
		{"custom, other name", "secure", "mysql_host db.example.org\nmysql_sslmode custom\nmysql_sslrootcert " + ca, "is for another name than mysql_host"},
		{"own certificate", "known", "mysql_sslmode custom\nmysql_sslrootcert " + ca + "\nmysql_sslcert " + ca + "\nmysql_sslkey " + p.dir + "/key.pem", ""},
		{"no own certificate", "known", "mysql_sslmode custom\nmysql_sslrootcert " + ca, "does not accept our own user name"},
		{"auth-plug", "secure", "ssl_enabled true", ""},
		{"auth-plug, verified", "secure", "ssl_enabled true\nssl_ca " + ca, ""},
		{"auth-plug, other name", "secure", "host db.example.org\nssl_enabled true\nssl_ca " + ca, "is for another name"},
		{"auth-plug, own certificate", "known", "ssl_enabled true\nssl_cert " + ca + "\nssl_key " + p.dir + "/key.pem", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := open(t, p.options(tt.user, tt.options))
			a, err := b.User(ctxOf(t), backends.Lookup{Name: "sam"})
			switch {
			case tt.err == "" && (err != nil || a.Hash != "h"):
				t.Errorf("%+v, %v", a, err)
			case tt.err != "" && (err == nil || errors.Is(err, backends.ErrNoUser) || !strings.Contains(err.Error(), tt.err)):
				t.Errorf("error %v, want %s", err, tt.err)
			}
		})
	}
}

func checkRestart(t *testing.T, p *private) {
	b := open(t, p.options("plain"))
	user(t, b, "sam")
	p.kill()
	if _, err := b.User(ctxOf(t), backends.Lookup{Name: "sam"}); err == nil || errors.Is(err, backends.ErrNoUser) {
		t.Errorf("the server is dead: error %v", err)
	}
	p.start(t)
	user(t, b, "sam")
	p.kill()
	p.start(t)
	user(t, b, "sam")
}
