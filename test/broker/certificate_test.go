package broker_test

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
	"path/filepath"
	"slices"
	"testing"
	"time"

	"mosquitto-go-auth/test/brokertest"
	"mosquitto-go-auth/test/mqtt"
)

// authority is a certificate authority for one test.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  string
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"},
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	a := &authority{cert: template}
	a.pem, _, a.key = a.sign(t, template)
	return a
}

// issue returns a certificate and its key for a common name, in PEM.
func (a *authority) issue(t *testing.T, name string) (cert, key string) {
	t.Helper()
	cert, key, _ = a.sign(t, &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}})
	return cert, key
}

func (a *authority) sign(t *testing.T, template *x509.Certificate) (cert, keyPEM string, key *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer := a.key
	if signer == nil { // the authority itself
		signer = key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	block := func(kind string, b []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b}))
	}
	return block("CERTIFICATE", der), block("EC PRIVATE KEY", private), key
}

// relay returns an address at which a client without TLS is connected to one with,
// as the holder of a certificate.
func (a *authority) relay(t *testing.T, addr, name string) string {
	t.Helper()
	pair, err := tls.X509KeyPair(func() ([]byte, []byte) { c, k := a.issue(t, name); return []byte(c), []byte(k) }())
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(a.pem))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				s, err := tls.Dial("tcp", addr, &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}})
				if err != nil {
					return
				}
				defer s.Close()
				go func() {
					io.Copy(s, c)
					s.Close()
				}()
				io.Copy(c, s)
			}()
		}
	}()
	return l.Addr().String()
}

// On a listener that takes the name from the client's certificate, the broker asks
// for no password; the rights are those of that name, and a name that the client
// gives besides counts for nothing.
func TestNameFromCertificate(t *testing.T) {
	ca := newAuthority(t)
	cert, key := ca.issue(t, "broker")
	brokertest.Each(t, func(t *testing.T, b brokertest.Broker) {
		r := brokertest.Start(t, b, `
plugin {{.Plugin}}
plugin_opt_password_file {{.Dir}}/passwd
plugin_opt_acl_file {{.Dir}}/acl
listener {{.Port}} 127.0.0.1
listener {{.Port2}} 127.0.0.1
cafile {{.Dir}}/ca.pem
certfile {{.Dir}}/cert.pem
keyfile {{.Dir}}/key.pem
require_certificate true
use_identity_as_username true
`, brokertest.File("passwd", accounts("bob")), brokertest.File("acl", "user ann\ntopic a/#\nuser bob\ntopic b/#\n"),
			brokertest.File("ca.pem", ca.pem), brokertest.File("cert.pem", cert), brokertest.File("key.pem", key))
		ann := ca.relay(t, r.Addr2, "ann")
		var clients []*mqtt.Client
		for _, o := range []mqtt.Options{
			{ID: "named by the certificate"},
			{ID: "version 5", Version: 5},
			as("bob", "bob by name"),
			with(mqtt.As("bob", "guess"), func(o *mqtt.Options) { o.ID, o.Persistent = "persistent", true }),
		} {
			c := mqtt.Login(t, ann, o)
			clients = append(clients, c)
			rightsOfAnn(t, c)
		}
		write(t, filepath.Join(r.Dir, "acl"), "user ann\ntopic a/#\n")
		reload(t, r, 1)
		for _, c := range clients {
			rightsOfAnn(t, c)
		}
		eve := mqtt.Login(t, ca.relay(t, r.Addr2, "eve"), mqtt.Options{ID: "eve"})
		eve.Subscribe(0, "#")
		clients[0].Publish(mqtt.Message{Topic: "a/1", QoS: 1})
		if got := seen(t, eve); len(got) > 0 {
			t.Errorf("who has no rights receives %v", got)
		}
		expectLogin(t, r.Addr, "bob", secret, mqtt.Success)
		expectLogin(t, r.Addr, "ann", "", mqtt.NotAuthorized)
	})
}

func rightsOfAnn(t *testing.T, c *mqtt.Client) {
	t.Helper()
	c.Subscribe(0, "a/#", "b/#")
	c.Publish(mqtt.Message{Topic: "b/1"})
	c.Publish(mqtt.Message{Topic: "a/1"})
	if got := seen(t, c); !slices.Equal(got, []string{"a/1"}) {
		t.Errorf("%q receives %v, want what ann may", c.ID, got)
	}
	c.Unsubscribe("a/#", "b/#")
}
