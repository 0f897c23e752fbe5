package postgres

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"mosquitto-go-auth/backends"
	"mosquitto-go-auth/test/postgrestest"
	"mosquitto-go-auth/test/tlstest"
)

// hba lets each of these users in by one way only.
var hba = []string{
	"hostssl   all secure  127.0.0.1/32 trust", "hostnossl all secure  127.0.0.1/32 reject",
	"hostnossl all plain   127.0.0.1/32 trust", "hostssl   all plain   127.0.0.1/32 reject",
	"hostssl   all known   127.0.0.1/32 cert", "hostnossl all known 127.0.0.1/32 reject",
	"host      all scram   127.0.0.1/32 scram-sha-256",
	"host      all md5     127.0.0.1/32 md5",
	"host      all clear   127.0.0.1/32 password",
	"local     all scram                scram-sha-256",
}

const accounts = `
CREATE TABLE u (n TEXT, h TEXT); INSERT INTO u VALUES ('sam', 'h');
CREATE ROLE secure LOGIN; CREATE ROLE plain LOGIN; CREATE ROLE known LOGIN;
SET password_encryption = 'scram-sha-256'; CREATE ROLE scram LOGIN PASSWORD 's3c ret''\'; CREATE ROLE clear LOGIN PASSWORD 's3c ret''\';
SET password_encryption = 'md5'; CREATE ROLE md5 LOGIN PASSWORD 's3c ret''\';
GRANT SELECT ON u TO secure, plain, known, scram, md5, clear`

func TestLogin(t *testing.T) {
	ca, other := tlstest.New(t, "authority", nil), tlstest.New(t, "other", nil)
	cert := tlstest.New(t, "server", ca) // for 127.0.0.1 only
	s := store{postgrestest.Start(t, postgrestest.Options{HBA: hba, Certificate: cert.PEM(), Key: cert.KeyPEM(t), CA: ca.PEM()}), "postgres"}
	s.exec(t, accounts)
	without := store{postgrestest.Start(t, postgrestest.Options{}), "postgres"}
	without.exec(t, accounts)

	dir := t.TempDir()
	file := func(name, text string) string { return write(t, filepath.Join(dir, name), text) }
	us := tlstest.New(t, "known", ca)
	root := "\npg_sslrootcert " + file("ca.pem", ca.PEM())
	wrong := "\npg_sslrootcert " + file("other.pem", other.PEM())
	ours := "\npg_sslcert " + file("us.pem", us.PEM()) + "\npg_sslkey " + file("us.key", us.KeyPEM(t))
	foreign := tlstest.New(t, "known", other)
	theirs := "\npg_sslcert " + file("foreign.pem", foreign.PEM()) + "\npg_sslkey " + file("foreign.key", foreign.KeyPEM(t))

	const password = "\npg_password s3c ret'\\"
	const unknown, denied = "of no trusted authority", "does not accept our own user name"
	tests := []struct{ name, user, options, err string }{
		{"disable", "plain", "pg_sslmode disable", ""},
		{"disable where TLS is wanted", "secure", "pg_sslmode disable", denied},
		{"allow", "plain", "pg_sslmode allow", ""},
		{"allow where TLS is wanted", "secure", "pg_sslmode allow", ""},
		{"prefer", "secure", "pg_sslmode prefer", ""},
		{"prefer where TLS is not wanted", "plain", "pg_sslmode prefer", ""},
		{"require", "secure", "pg_sslmode require", ""},
		{"require where TLS is not wanted", "plain", "pg_sslmode require", denied},
		{"require with the authority", "secure", "pg_sslmode require" + root, ""},
		{"require with another authority", "secure", "pg_sslmode require" + wrong, unknown},
		{"require with the authority, other name", "secure", "pg_host localhost\npg_sslmode require" + root, ""},
		{"verify-ca", "secure", "pg_sslmode verify-ca" + root, ""},
		{"verify-ca, other name", "secure", "pg_host localhost\npg_sslmode verify-ca" + root, ""},
		{"verify-ca, other authority", "secure", "pg_sslmode verify-ca" + wrong, unknown},
		{"verify-ca, the system's authorities", "secure", "pg_sslmode verify-ca", unknown},
		{"verify-full", "secure", "pg_sslmode verify-full" + root, ""},
		{"verify-full, other name", "secure", "pg_host localhost\npg_sslmode verify-full" + root, "is for another name than pg_host"},
		{"verify-full, other authority", "secure", "pg_sslmode verify-full" + wrong, unknown},
		{"verify-full, the system's authorities", "secure", "pg_sslrootcert system", unknown},
		{"default", "secure", root[1:], ""},
		{"default, the system's authorities", "secure", "", unknown},
		{"own certificate", "known", "pg_sslmode verify-full" + root + ours, ""},
		{"no own certificate", "known", "pg_sslmode verify-full" + root, denied},
		{"foreign certificate", "known", "pg_sslmode verify-full" + root + theirs, denied},
		{"SCRAM bound to TLS", "scram", "pg_sslmode verify-full" + root + password, ""},
		{"SCRAM", "scram", "pg_sslmode disable" + password, ""},
		{"MD5", "md5", "pg_sslmode disable" + password, ""},
		{"in the clear", "clear", "pg_sslmode verify-full" + root + password, ""},
		{"wrong password", "scram", "pg_sslmode disable\npg_password s3c ret", denied},
		{"no password", "scram", "pg_sslmode disable", denied},
		{"socket", "scram", "pg_host " + s.Sockets() + password, ""},
		{"socket, wrong password", "scram", "pg_host " + s.Sockets() + "\npg_password s3c ret", denied},
		{"no such user", "nobody-there", "pg_sslmode prefer\npg_password s3c ret", denied},
		{"no such database", "plain", "pg_sslmode disable\npg_dbname nix", "no such database, see pg_dbname"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := open(t, lastOf(strings.Replace(s.options(), "pg_sslmode disable\n", "", 1)+
				"pg_user "+tt.user+"\npg_userquery SELECT h FROM u WHERE n = $1\n"+tt.options))
			a, err := b.User(ctxOf(t), backends.Lookup{Name: "sam"})
			switch {
			case tt.err == "" && (err != nil || a.Hash != "h"):
				t.Errorf("%+v, %v", a, err)
			case tt.err != "" && (err == nil || errors.Is(err, backends.ErrNoUser) || errors.Is(err, backends.ErrBadAnswer) || !strings.Contains(err.Error(), tt.err)):
				t.Errorf("error %v, want %s", err, tt.err)
			}
			if err != nil && strings.Contains(err.Error(), "s3c") {
				t.Errorf("the error shows the password: %v", err)
			}
		})
	}
	for mode, works := range map[string]bool{"disable": true, "allow": true, "prefer": true, "require": false, "verify-ca": false, "verify-full": false} {
		b := open(t, strings.Replace(without.options(), "disable", mode, 1)+"pg_userquery SELECT h FROM u WHERE n = $1")
		if _, err := b.User(ctxOf(t), backends.Lookup{Name: "sam"}); (err == nil) != works {
			t.Errorf("a server without TLS, %s: %v", mode, err)
		}
	}
}
