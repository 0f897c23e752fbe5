package postgres

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"

	"mosquitto-go-auth/backends/tlsfiles"
	"mosquitto-go-auth/conf"
)

type tlsOptions struct {
	mode                string
	rootcert, cert, key string
}

var modes = []string{"disable", "allow", "prefer", "require", "verify-ca", "verify-full"}

func (t *tlsOptions) declare(s *conf.Set) {
	s.Choice(&t.mode, "pg_sslmode", "verify-full", modes,
		"TLS, as libpq has it: `verify-full` verifies the server's certificate and its name, `verify-ca` not the name; "+
			"`require` verifies as `verify-ca` does if `pg_sslrootcert` is given, else nothing; `prefer` and `allow` go without TLS where need be. "+
			"With mosquitto-auth-plug's names the default is `prefer`")
	s.String(&t.rootcert, "pg_sslrootcert", "", "a PEM file with the authorities that are trusted, or `system`, which is the default")
	s.Also(s.String(&t.cert, "pg_sslcert", "", "a PEM file with our own certificate"), "sslcert")
	s.Also(s.String(&t.key, "pg_sslkey", "", "a PEM file with its key"), "sslkey")
}

// loaded is what was read from the files: a template of a server's configuration.
type loaded struct {
	mode  string
	roots *x509.CertPool // nil for the system's
	certs []tls.Certificate
}

// load reads the files. After that the mode is what is really done.
func (o *options) load() (l loaded, notes []string, faults conf.Faults) {
	t := o.tls
	l.mode = t.mode
	given := o.set.Given("pg_sslmode") != ""
	authorities := tlsfiles.File{Option: "pg_sslrootcert"}
	if o.plug() && !given {
		l.mode = "prefer"
	}
	switch {
	case t.rootcert == "system":
		if given && l.mode != "verify-full" {
			faults = conf.Faults{{Key: o.set.Written("pg_sslrootcert"),
				Text: "system needs pg_sslmode verify-full, as in libpq: anybody can get a certificate of one of those authorities for some name"}}
		}
		l.mode = "verify-full"
	case t.rootcert != "":
		authorities.Path = t.rootcert
		if l.mode == "require" {
			l.mode = "verify-ca"
		}
	}
	var more conf.Faults
	l.roots, l.certs, more = tlsfiles.Load(o.set, authorities,
		tlsfiles.File{Option: "pg_sslcert", Path: t.cert}, tlsfiles.File{Option: "pg_sslkey", Path: t.key})
	return l, o.tlsNotes(l.mode, given), append(faults, more...)
}

// tlsNotes says what the mode leaves open.
func (o *options) tlsNotes(mode string, given bool) (notes []string) {
	tcp, sockets := false, false
	for _, s := range o.servers() {
		tcp, sockets = tcp || !s.socket(), sockets || s.socket()
	}
	said := "pg_sslmode " + mode
	if !given && mode == "prefer" {
		said = "pg_sslmode is not set and is prefer, as in mosquitto-auth-plug, which"
	}
	const danger = "who can redirect the connection can read and change what is asked. Write pg_sslmode verify-full."
	switch {
	case !tcp:
	case mode == "require":
		notes = append(notes, said+" without pg_sslrootcert encrypts but does not verify the server's certificate: "+danger)
	case mode == "prefer":
		notes = append(notes, said+" does not verify the server's certificate, and goes without TLS if the server offers none: "+danger)
	case mode == "allow":
		notes = append(notes, said+" goes without TLS unless the server insists, and does not verify its certificate: "+danger)
	}
	if files := o.set.GivenOf("pg_sslrootcert", "pg_sslcert", "pg_sslkey"); len(files) > 0 && (mode == "disable" || !tcp) {
		notes = append(notes, fmt.Sprintf("%s has no effect without TLS.", strings.Join(files, ", ")))
	}
	if given && !tcp && sockets && mode != "disable" {
		notes = append(notes, "pg_sslmode has no effect: over a socket nothing is encrypted, as in libpq.")
	}
	return notes
}

// ways are the configurations to try with a server, in order; nil is without
// TLS.
func (l loaded) ways(s server) []*tls.Config {
	if l.mode == "disable" || s.socket() {
		return []*tls.Config{nil}
	}
	c := &tls.Config{RootCAs: l.roots, ServerName: s.host, Certificates: l.certs, MinVersion: tls.VersionTLS12}
	switch l.mode {
	case "verify-full":
		return []*tls.Config{c}
	case "verify-ca":
		c.InsecureSkipVerify = true // of the name too: the rest is verified here
		c.VerifyConnection = l.verifyChain
		return []*tls.Config{c}
	}
	c.InsecureSkipVerify = true
	switch l.mode {
	case "allow":
		return []*tls.Config{nil, c}
	case "prefer":
		return []*tls.Config{c, nil}
	}
	return []*tls.Config{c}
}

// verifyChain verifies a server's certificate but not its name. It is called
// for resumed connections, too.
func (l loaded) verifyChain(state tls.ConnectionState) error {
	if len(state.PeerCertificates) == 0 {
		return errors.New("the server has shown no certificate")
	}
	others := x509.NewCertPool()
	for _, c := range state.PeerCertificates[1:] {
		others.AddCert(c)
	}
	_, err := state.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: l.roots, Intermediates: others})
	return err
}
