// Package tlsfiles reads the PEM files that a backend's options for TLS name.
package tlsfiles

import (
	"crypto/tls"
	"crypto/x509"
	"os"

	"mosquitto-go-auth/conf"
)

// File is an option and the path that it has, which may be "".
type File struct{ Option, Path string }

// Load reads the authorities to trust instead of the system's, nil if no file is
// named, and our own certificate with its key. What is missing or cannot be used is
// a fault of the option, by the name under which it was given.
func Load(s *conf.Set, authorities, cert, key File) (roots *x509.CertPool, own []tls.Certificate, faults conf.Faults) {
	fault := func(f File, text string) {
		faults = append(faults, conf.Remark{Key: s.Written(f.Option), Text: text})
	}
	if authorities.Path != "" {
		roots = x509.NewCertPool()
		if pem, err := os.ReadFile(authorities.Path); err != nil {
			fault(authorities, "cannot be read: "+err.Error())
		} else if !roots.AppendCertsFromPEM(pem) {
			fault(authorities, authorities.Path+" has no certificate in PEM form")
		}
	}
	switch {
	case cert.Path == "" && key.Path == "":
	case key.Path == "":
		fault(key, "is missing, the key of the certificate "+cert.Path)
	case cert.Path == "":
		fault(cert, "is missing, the certificate of the key "+key.Path)
	default:
		pair, err := tls.LoadX509KeyPair(cert.Path, key.Path)
		if err != nil {
			fault(cert, "the certificate or its key cannot be used: "+err.Error())
			break
		}
		own = []tls.Certificate{pair}
	}
	return roots, own, faults
}
