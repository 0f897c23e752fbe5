package postgres

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"mosquitto-go-auth/backends"
	"mosquitto-go-auth/conf"
	"mosquitto-go-auth/test/port"
	"mosquitto-go-auth/test/tlstest"
)

func write(t testing.TB, name, text string) string {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestOptions(t *testing.T) {
	dir := t.TempDir()
	c := tlstest.New(t, "us", nil)
	write(t, filepath.Join(dir, "cert.pem"), c.PEM())
	write(t, filepath.Join(dir, "key.pem"), c.KeyPEM(t))
	write(t, filepath.Join(dir, "text.pem"), "not a certificate")
	text, err := os.ReadFile("testdata/options.txt")
	if err != nil {
		t.Fatal(err)
	}
	text = bytes.ReplaceAll(text, []byte("DIR/"), []byte(dir+"/"))
	for i, c := range strings.Split(string(text), "\n\n") {
		t.Run(fmt.Sprint(i), func(t *testing.T) { checkOptions(t, c) })
	}
}

func checkOptions(t *testing.T, text string) {
	var options, want []string
	for line := range strings.SplitSeq(strings.TrimSpace(text), "\n") {
		word, _, _ := strings.Cut(line, " ")
		switch {
		case strings.HasPrefix(line, "#"):
		case strings.HasSuffix(word, ":"):
			want = append(want, line)
		default:
			options = append(options, line)
		}
	}
	if len(options) == 0 {
		return
	}
	opened, warnings, faults := load(strings.Join(options, "\n"), backends.AllChecks)
	if opened.Backend != nil {
		defer opened.Close()
	}
	var got []string
	for _, w := range warnings {
		got = append(got, "warning: "+w.String())
	}
	for _, f := range faults {
		got = append(got, "fault: "+f.String())
	}
	for _, n := range opened.Notes {
		got = append(got, "note: "+n)
	}
	said := strings.Join(got, "\n")
	if strings.Contains(said, "s3cret") {
		t.Errorf("shows the password:\n%s", said)
	}
	if len(got) != len(want) {
		t.Fatalf("%s\ngot:\n%s\nwant:\n%s", text, said, strings.Join(want, "\n"))
	}
	for i := range want {
		if !strings.HasPrefix(got[i], want[i]) {
			t.Errorf("got  %s\nwant %s", got[i], want[i])
		}
	}
}

// configure reads options as far as what the client library is told of the
// servers.
func configure(t *testing.T, text string) (list []*pgconn.Config) {
	t.Helper()
	s := conf.NewSet()
	o := declareOptions(s)
	var lines []conf.Line
	for line := range strings.SplitSeq(text, "\n") {
		key, value, _ := strings.Cut(line, " ")
		lines = append(lines, conf.Line{Key: key, Value: value})
	}
	s.Parse(lines)
	candidates, _, faults := o.candidates()
	if faults != nil {
		t.Fatal(faults)
	}
	for _, c := range candidates {
		list = append(list, c.config)
	}
	return list
}

// Where the broker connects is told by its options, and by nothing in its
// environment or home.
func TestEnvironment(t *testing.T) {
	const options = "pg_host db\npg_user u\npg_dbname d\npg_userquery SELECT $1"
	plain := configure(t, options)[0]
	home := t.TempDir()
	write(t, filepath.Join(home, ".pgpass"), "*:*:*:*:stolen\n")
	os.Mkdir(filepath.Join(home, ".postgresql"), 0o700)
	write(t, filepath.Join(home, ".postgresql/root.crt"), "no certificate")
	write(t, filepath.Join(home, ".postgresql/postgresql.crt"), "no certificate")
	write(t, filepath.Join(home, ".postgresql/postgresql.key"), "no key")
	write(t, filepath.Join(home, ".pg_service.conf"), "[x]\nhost=other\n")
	t.Setenv("HOME", home)
	for name, value := range map[string]string{
		"PGHOST": "other", "PGPORT": "not a port", "PGDATABASE": "other", "PGUSER": "other", "PGPASSWORD": "other", "PGPASSFILE": "/dev/null",
		"PGAPPNAME": "other", "PGCONNECT_TIMEOUT": "soon", "PGSSLMODE": "nonsense", "PGSSLKEY": "/none", "PGSSLCERT": "/none", "PGSSLCERTMODE": "nonsense",
		"PGSSLSNI": "0", "PGSSLROOTCERT": "/none", "PGSSLPASSWORD": "x", "PGSSLNEGOTIATION": "direct", "PGTARGETSESSIONATTRS": "nonsense",
		"PGSERVICEFILE": "/none", "PGTZ": "UTC", "PGOPTIONS": "-c search_path=evil", "PGMINPROTOCOLVERSION": "9", "PGMAXPROTOCOLVERSION": "9",
		"PGCHANNELBINDING": "nonsense", "PGREQUIREAUTH": "nonsense",
	} {
		t.Setenv(name, value)
	}
	got := configure(t, options)[0]
	for _, c := range []*pgconn.Config{plain, got} { // what cannot be compared
		c.DialFunc, c.LookupFunc, c.BuildFrontend, c.BuildContextWatcherHandler, c.OnPgError, c.OnNotification = nil, nil, nil, nil, nil, nil
	}
	if !reflect.DeepEqual(got, plain) {
		t.Errorf("the environment changes\n%+v to\n%+v", plain, got)
	}
	if got.Password != "" || got.Host != "db" || got.Port != 5432 || len(got.RuntimeParams) != 2 {
		t.Errorf("%+v", got)
	}
	t.Setenv("PGSERVICE", "x")
	if _, _, faults := load(options, backends.AllChecks); len(faults) != 1 || !strings.Contains(faults.Error(), "PGSERVICE") {
		t.Errorf("with PGSERVICE: %v", faults)
	}
}

func TestPasswordOfASecret(t *testing.T) {
	t.Setenv("OUR_PASSWORD", `p w'd\`)
	const options = "pg_user u\npg_dbname d\npg_userquery SELECT $1\n"
	if got := configure(t, options+"pg_password ${OUR_PASSWORD}")[0].Password; got != `p w'd\` {
		t.Errorf("password %q", got)
	}
	if got := configure(t, options+"pg_password_file "+write(t, filepath.Join(t.TempDir(), "p"), "a b\n"))[0].Password; got != "a b" {
		t.Errorf("password %q", got)
	}
}

// Which ways are tried with each server, in libpq's order.
func TestWays(t *testing.T) {
	tests := []struct{ options, want string }{
		{"pg_sslmode disable", "localhost:5432 plain"},
		{"pg_sslmode allow", "localhost:5432 plain, localhost:5432 TLS"},
		{"pg_sslmode prefer", "localhost:5432 TLS, localhost:5432 plain"},
		{"pg_sslmode require", "localhost:5432 TLS"},
		{"pg_sslmode verify-ca", "localhost:5432 chain"},
		{"pg_sslmode verify-full", "localhost:5432 verified"},
		{"pg_host a,b", "a:5432 verified, b:5432 verified"},
		{"pg_host a,/run/b\npg_port 1,2\npg_sslmode prefer", "a:1 TLS, a:1 plain, /run/b:2 plain"},
	}
	for _, tt := range tests {
		var ways []*pgconn.FallbackConfig
		for _, c := range configure(t, "pg_user u\npg_dbname d\npg_userquery SELECT $1\n"+tt.options) {
			ways = append(append(ways, &pgconn.FallbackConfig{Host: c.Host, Port: c.Port, TLSConfig: c.TLSConfig}), c.Fallbacks...)
		}
		var got []string
		for _, f := range ways {
			way := "plain"
			switch {
			case f.TLSConfig == nil:
			case !f.TLSConfig.InsecureSkipVerify && f.TLSConfig.ServerName == f.Host:
				way = "verified"
			case f.TLSConfig.VerifyConnection != nil:
				way = "chain"
			default:
				way = "TLS"
			}
			got = append(got, fmt.Sprintf("%s:%d %s", f.Host, f.Port, way))
		}
		if got := strings.Join(got, ", "); got != tt.want {
			t.Errorf("%q: %s, want %s", tt.options, got, tt.want)
		}
	}
}

func TestUnreachable(t *testing.T) {
	port := port.Free(t)
	b := open(t, fmt.Sprintf("pg_host 127.0.0.1\npg_port %d\npg_user u\npg_dbname d\npg_password s3cret\npg_sslmode prefer\npg_userquery SELECT h FROM u WHERE n = $1", port))
	_, err := b.User(ctxOf(t), backends.Lookup{Name: "sam"})
	want := fmt.Sprintf("asking Postgres at 127.0.0.1:%d/d (pg_userquery): failed to connect", port)
	if err == nil || err == backends.ErrNoUser || !strings.HasPrefix(err.Error(), want) || strings.ContainsAny(err.Error(), "\n\t") || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("error %v, want %s", err, want)
	}
	if notes, err := b.Backend.(backends.Prober).Probe(ctxOf(t), ""); err == nil {
		t.Errorf("the probe of a dead server has no error, notes %q", notes)
	}
}

// A server that accepts and says nothing must not keep its place in the pool.
func TestSilentServer(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	for _, mode := range []string{"disable", "verify-full"} {
		b := open(t, fmt.Sprintf("pg_host 127.0.0.1\npg_port %d\npg_user u\npg_dbname d\npg_sslmode %s\npg_connect_timeout 50ms\npg_max_open_conns 1\n"+
			"pg_userquery SELECT h FROM u WHERE n = $1", listener.Addr().(*net.TCPAddr).Port, mode))
		for range 3 {
			down(t, b, "sam", "timeout")
		}
	}
}
