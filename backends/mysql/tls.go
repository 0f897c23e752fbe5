package mysql

import (
	"crypto/tls"
	"errors"
	"fmt"
	"strings"

	"mosquitto-go-auth/backends/tlsfiles"
	"mosquitto-go-auth/conf"
)

type tlsOptions struct {
	mode                mode
	rootcert, cert, key string
}

func (t *tlsOptions) declare(s *conf.Set) {
	t.mode = "false"
	s.Also(s.Var(&t.mode, "mysql_sslmode", "one of "+strings.Join(modes, ", "),
		"TLS: `true` verifies the server's certificate against the system's authorities, `custom` against `mysql_sslrootcert`; "+
			"`skip-verify` and `preferred` do not verify it; `false` and `disable` are without TLS"), "ssl_enabled")
	s.Also(s.String(&t.rootcert, "mysql_sslrootcert", "", "a PEM file with the authorities that `custom` trusts"), "ssl_ca")
	s.Also(s.String(&t.cert, "mysql_sslcert", "", "a PEM file with our own certificate, for `custom`"), "ssl_cert")
	s.Also(s.String(&t.key, "mysql_sslkey", "", "a PEM file with its key"), "ssl_key")
	s.Retire("TLS agrees on a safe cipher by itself", "ssl_cipher")
	s.Refuse("a directory of authorities is not understood; put them into one PEM file and name it as ssl_ca", "ssl_capath")
}

var modes = []string{"false", "disable", "true", "skip-verify", "preferred", "custom"}

// mode is the value of mysql_sslmode, or of ssl_enabled, which is a switch.
type mode string

func (m *mode) String() string { return string(*m) }

func (m *mode) Set(s string) error {
	s = strings.ToLower(s)
	switch s {
	case "yes", "on", "1":
		s = "true"
	case "no", "off", "0", "disable":
		s = "false"
	}
	for _, w := range modes {
		if s == w {
			*m = mode(s)
			return nil
		}
	}
	return errors.New("write one of " + strings.Join(modes, ", "))
}

// config returns nil for a connection without TLS.
func (t *tlsOptions) config(s *conf.Set) (*tls.Config, []string, conf.Faults) {
	plug := s.Given("mysql_sslmode") == "ssl_enabled"
	c := &tls.Config{}
	if t.mode == "false" {
		return nil, t.unused(s, false), nil
	}
	if t.mode == "custom" || plug {
		c.InsecureSkipVerify = plug && t.rootcert == ""
		return c, t.unverified(plug), t.load(s, c)
	}
	c.InsecureSkipVerify = t.mode != "true"
	notes := t.unused(s, true)
	switch t.mode {
	case "skip-verify":
		notes = append(notes, "mysql_sslmode skip-verify encrypts but does not verify the server's certificate: "+
			"who can redirect the connection can read and change what is asked.")
	case "preferred":
		notes = append(notes, "mysql_sslmode preferred does not verify the server's certificate, and goes without TLS if the server offers none.")
	}
	return c, notes, nil
}

// unverified returns the note of what no authority was named for.
func (t *tlsOptions) unverified(plug bool) []string {
	switch {
	case t.rootcert != "":
		return nil
	case plug:
		return []string{"ssl_enabled true without ssl_ca encrypts, but the server's certificate is not verified, as in mosquitto-auth-plug: " +
			"who can redirect the connection can read and change what is asked. Name the authority's PEM file as ssl_ca."}
	}
	return []string{"mysql_sslmode custom without mysql_sslrootcert verifies the server's certificate against the system's authorities."}
}

// unused returns a note of files that the mode makes no use of.
func (t *tlsOptions) unused(s *conf.Set, encrypted bool) []string {
	names := s.GivenOf("mysql_sslrootcert", "mysql_sslcert", "mysql_sslkey")
	switch {
	case len(names) == 0:
		return nil
	case encrypted:
		return []string{fmt.Sprintf("%s has no effect with mysql_sslmode %s; write mysql_sslmode custom.", strings.Join(names, ", "), t.mode)}
	}
	return []string{fmt.Sprintf("%s has no effect without TLS; write mysql_sslmode custom (or, with auth-plug's names, ssl_enabled true).", strings.Join(names, ", "))}
}

// load reads the files.
func (t *tlsOptions) load(s *conf.Set, c *tls.Config) (faults conf.Faults) {
	c.RootCAs, c.Certificates, faults = tlsfiles.Load(s, tlsfiles.File{Option: "mysql_sslrootcert", Path: t.rootcert},
		tlsfiles.File{Option: "mysql_sslcert", Path: t.cert}, tlsfiles.File{Option: "mysql_sslkey", Path: t.key})
	return faults
}
