// Package tlstest makes certificates for tests, and connects clients without TLS
// to listeners that want one.
package tlstest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"testing"
	"time"
)

// Certificate is one with its key, valid for an hour, and for 127.0.0.1.
type Certificate struct {
	*x509.Certificate
	key       *ecdsa.PrivateKey
	authority *Certificate
}

// New makes a certificate for a common name. Without an authority it is one
// itself.
func New(t testing.TB, name string, authority *Certificate) *Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	parent, signer := c, key
	if authority == nil {
		c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign
	} else {
		parent, signer = authority.Certificate, authority.key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	if err == nil {
		c, err = x509.ParseCertificate(der)
	}
	if err != nil {
		t.Fatal(err)
	}
	return &Certificate{c, key, authority}
}

// PEM returns the certificate as text.
func (c *Certificate) PEM() string { return block("CERTIFICATE", c.Raw) }

// KeyPEM returns the key as text.
func (c *Certificate) KeyPEM(t testing.TB) string {
	t.Helper()
	der, err := x509.MarshalECPrivateKey(c.key)
	if err != nil {
		t.Fatal(err)
	}
	return block("EC PRIVATE KEY", der)
}

func block(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// Relay returns an address at which clients without TLS are connected to addr
// with TLS, as the holder of the certificate, until the test ends.
func (c *Certificate) Relay(t testing.TB, addr string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	roots := x509.NewCertPool()
	roots.AddCert(c.authority.Certificate)
	config := &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{{Certificate: [][]byte{c.Raw}, PrivateKey: c.key}}}
	go func() {
		for {
			inside, err := l.Accept()
			if err != nil {
				return
			}
			go join(inside, addr, config)
		}
	}()
	return l.Addr().String()
}

// join copies both ways until either side ends.
func join(inside net.Conn, addr string, config *tls.Config) {
	defer inside.Close()
	outside, err := tls.Dial("tcp", addr, config)
	if err != nil {
		return
	}
	defer outside.Close()
	go func() {
		io.Copy(outside, inside)
		outside.Close()
	}()
	io.Copy(inside, outside)
}
