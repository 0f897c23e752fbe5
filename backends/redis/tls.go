package redis

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"strings"

	"mosquitto-go-auth/conf"
)

type tlsOptions struct {
	mode                  string
	ca, cert, key, server string
}

func (t *tlsOptions) declare(s *conf.Set) {
	s.Choice(&t.mode, "redis_tls", "false", []string{"false", "true", "skip-verify"},
		"TLS, also to Sentinels and the nodes of a Cluster: `true` verifies the server's certificate, `skip-verify` does not")
	s.String(&t.ca, "redis_tls_ca", "", "a PEM file with the authorities to trust instead of the system's")
	s.String(&t.cert, "redis_tls_cert", "", "a PEM file with our own certificate")
	s.String(&t.key, "redis_tls_key", "", "a PEM file with its key")
	s.String(&t.server, "redis_tls_server_name", "", "the name that the certificates must be for, if not that of the address")
}

// config returns nil for a connection without TLS.
func (t *tlsOptions) config(s *conf.Set) (*tls.Config, []string, conf.Faults) {
	if t.mode == "false" {
		return nil, unused(s, "without TLS; write redis_tls true",
			"redis_tls_ca", "redis_tls_cert", "redis_tls_key", "redis_tls_server_name"), nil
	}
	c := &tls.Config{ServerName: t.server, MinVersion: tls.VersionTLS12, InsecureSkipVerify: t.mode == "skip-verify"}
	var notes []string
	if c.InsecureSkipVerify {
		notes = []string{"redis_tls skip-verify encrypts but does not verify the server's certificate: " +
			"who can redirect the connection can read and change what is asked."}
		notes = append(notes, unused(s, "beside redis_tls skip-verify; write redis_tls true", "redis_tls_ca")...)
	}
	return c, notes, t.load(c)
}

// unused returns a note of those options that are given.
func unused(s *conf.Set, why string, options ...string) []string {
	var names []string
	for _, n := range options {
		if given := s.Given(n); given != "" {
			names = append(names, given)
		}
	}
	if len(names) == 0 {
		return nil
	}
	return []string{strings.Join(names, ", ") + " has no effect " + why + "."}
}

// load reads the files.
func (t *tlsOptions) load(c *tls.Config) (faults conf.Faults) {
	fault := func(name, text string) { faults = append(faults, conf.Remark{Key: name, Text: text}) }
	if t.ca != "" {
		pem, err := os.ReadFile(t.ca)
		c.RootCAs = x509.NewCertPool()
		if err != nil {
			fault("redis_tls_ca", "cannot be read: "+err.Error())
		} else if !c.RootCAs.AppendCertsFromPEM(pem) {
			fault("redis_tls_ca", t.ca+" has no certificate in PEM form")
		}
	}
	switch {
	case t.cert == "" && t.key == "":
	case t.key == "":
		fault("redis_tls_key", "is missing, the key of the certificate "+t.cert)
	case t.cert == "":
		fault("redis_tls_cert", "is missing, the certificate of the key "+t.key)
	default:
		pair, err := tls.LoadX509KeyPair(t.cert, t.key)
		if err != nil {
			fault("redis_tls_cert", "the certificate or its key cannot be used: "+err.Error())
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return faults
}
