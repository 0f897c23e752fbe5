package mysql

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mosquitto-go-auth/backends"
	"mosquitto-go-auth/test/mariadbtest"
	"mosquitto-go-auth/test/tlstest"
)

// files writes PEM texts to files by their names, and returns the directory.
func files(t *testing.T, texts map[string]string) string {
	dir := t.TempDir()
	for name, text := range texts {
		writeFile(t, filepath.Join(dir, name), []byte(text))
	}
	return dir
}

// TestLogin has one server for all the ways to log in.
func TestLogin(t *testing.T) {
	authority, stranger := tlstest.New(t, "authority", nil), tlstest.New(t, "stranger", nil)
	ours, cert, foreign := tlstest.New(t, "server", authority), tlstest.New(t, "broker", authority), tlstest.New(t, "broker", stranger)
	s := newMortal(t, mariadbtest.Options{Certificate: ours.PEM(), Key: ours.KeyPEM(t), Authority: authority.PEM(),
		Args: []string{"--plugin-load-add=auth_ed25519"}})
	dir := files(t, map[string]string{"ca": authority.PEM(), "other-ca": stranger.PEM(), "cert": cert.PEM(), "key": cert.KeyPEM(t),
		"foreign-cert": foreign.PEM(), "foreign-key": foreign.KeyPEM(t)})
	mustExec(t, s.db, "CREATE TABLE u (n VARBINARY(50), h TEXT)", "INSERT INTO u VALUES ('sam', 'h')",
		"CREATE USER plain@'%'", "CREATE USER secure@'%' REQUIRE SSL", "CREATE USER known@'%' REQUIRE SUBJECT '/CN=broker'",
		"GRANT SELECT ON * TO plain@'%', secure@'%', known@'%'")
	t.Run("methods", func(t *testing.T) { testMethods(t, s) })
	t.Run("TLS", func(t *testing.T) { testTLS(t, s, dir) })
}

func testTLS(t *testing.T, s *server, dir string) {
	const denied, untrusted = "does not accept our own user name", "certificate is of no trusted authority"
	custom := "mysql_sslmode custom\nmysql_sslrootcert DIR/ca"
	tests := []struct{ name, user, options, err string }{
		{"none", "plain", "", ""},
		{"none where it is required", "secure", "", denied},
		{"skip-verify", "secure", "mysql_sslmode skip-verify", ""},
		{"preferred", "secure", "mysql_sslmode preferred", ""},
		{"system authorities", "secure", "mysql_sslmode true", untrusted},
		{"custom", "secure", custom, ""},
		{"custom without authority", "secure", "mysql_sslmode custom", untrusted},
		{"custom, other authority", "secure", "mysql_sslmode custom\nmysql_sslrootcert DIR/other-ca", untrusted},
		{"custom, other name", "secure", "mysql_host localhost\n" + custom, "is for another name than mysql_host"},
		{"own certificate", "known", custom + "\nmysql_sslcert DIR/cert\nmysql_sslkey DIR/key", ""},
		{"no own certificate", "known", custom, denied},
		{"own certificate of another authority", "known", custom + "\nmysql_sslcert DIR/foreign-cert\nmysql_sslkey DIR/foreign-key", "asking MySQL at"},
		{"auth-plug", "secure", "ssl_enabled true", ""},
		{"auth-plug, verified", "secure", "ssl_enabled true\nssl_ca DIR/ca", ""},
		{"auth-plug, other authority", "secure", "ssl_enabled true\nssl_ca DIR/other-ca", untrusted},
		{"auth-plug, own certificate", "known", "ssl_enabled true\nssl_ca DIR/ca\nssl_cert DIR/cert\nssl_key DIR/key", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			options := strings.ReplaceAll(s.as(tt.user, "")+tt.options, "DIR/", dir+"/") + "\nmysql_userquery SELECT h FROM u WHERE n = ?"
			fetches(t, open(t, options), tt.err)
		})
	}
}

// fetches checks that sam is found, or that the error has a text.
func fetches(t *testing.T, b backends.Backend, want string) {
	t.Helper()
	a, err := b.User(ctxOf(t), backends.Lookup{Name: "sam"})
	switch {
	case want == "" && (err != nil || a.Hash != "h"):
		t.Errorf("%+v, %v", a, err)
	case want != "" && (err == nil || errors.Is(err, backends.ErrNoUser) || !strings.Contains(err.Error(), want)):
		t.Errorf("error %v, want %s", err, want)
	}
}

// A server without TLS is refused by who wants it, and taken by preferred.
func TestServerWithoutTLS(t *testing.T) {
	s := newServer(t)
	mustExec(t, s.db, "CREATE TABLE u (n VARBINARY(50), h TEXT)", "INSERT INTO u VALUES ('sam', 'h')")
	for mode, want := range map[string]string{"true": "the server has no TLS", "skip-verify": "the server has no TLS", "preferred": ""} {
		t.Run(mode, func(t *testing.T) {
			fetches(t, s.open(t, "mysql_sslmode "+mode, "mysql_userquery SELECT h FROM u WHERE n = ?"), want)
		})
	}
}

// The password comes from a file that only the broker can read.
func TestPasswordFile(t *testing.T) {
	s := newServer(t)
	mustExec(t, s.db, "CREATE TABLE u (n VARBINARY(50), h TEXT)", "INSERT INTO u VALUES ('sam', 'h')",
		"CREATE OR REPLACE USER filed@'%' IDENTIFIED BY 's3cret'", "GRANT SELECT ON * TO filed@'%'")
	t.Cleanup(func() { s.db.Exec("DROP USER filed@'%'") })
	name := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(name, []byte("s3cret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	fetches(t, open(t, s.as("filed", "")+"mysql_password_file "+name+"\nmysql_userquery SELECT h FROM u WHERE n = ?"), "")
}
