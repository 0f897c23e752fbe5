package redis

import (
	"crypto/tls"
	"strings"

	"mosquitto-go-auth/backends/tlsfiles"
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
	var faults conf.Faults
	c.RootCAs, c.Certificates, faults = tlsfiles.Load(s, tlsfiles.File{Option: "redis_tls_ca", Path: t.ca},
		tlsfiles.File{Option: "redis_tls_cert", Path: t.cert}, tlsfiles.File{Option: "redis_tls_key", Path: t.key})
	return c, notes, faults
}

// unused returns a note of those options that are given.
func unused(s *conf.Set, why string, options ...string) []string {
	names := s.GivenOf(options...)
	if len(names) == 0 {
		return nil
	}
	return []string{strings.Join(names, ", ") + " has no effect " + why + "."}
}
