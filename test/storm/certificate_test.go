package storm

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

	"mosquitto-go-auth/test/brokertest"
	"mosquitto-go-auth/test/mqtt"
)

// Who is known by a certificate never logs in through the plugin. The rights are
// fetched at the first question; the broker waits for them, out of its credit.
func TestFirstQuestionOfACertificate(t *testing.T) {
	const clients = 10
	s := newMortal(t)
	all := names("device", clients)
	s.add(t, cheap, append(all, "bystander", "late")...)
	authority := newCertificate(t, "authority", nil)
	own := newCertificate(t, "127.0.0.1", authority)
	brokertest.Each(t, func(t *testing.T, b brokertest.Broker) {
		r := start(t, b, "backends mysql\nauth_timeout 2\n"+s.options(), `
listener {{.Port}} 127.0.0.1
listener {{.Port2}} 127.0.0.1
cafile {{.Dir}}/ca.pem
certfile {{.Dir}}/cert.pem
keyfile {{.Dir}}/key.pem
require_certificate true
use_identity_as_username true
`, brokertest.File("ca.pem", authority.pem("CERTIFICATE")), brokertest.File("cert.pem", own.pem("CERTIFICATE")),
			brokertest.File("key.pem", own.pem("EC PRIVATE KEY")))
		stop := watch(t, r, hurried("bystander"))
		var longest time.Duration
		for _, name := range all {
			begin := time.Now()
			if got := firstPublish(t, r, authority, name, name+"/topic"); got >= mqtt.Failure || got < 0 {
				t.Errorf("%s publishes what it may: %v", name, got)
			}
			longest = max(longest, time.Since(begin))
		}
		if got := firstPublish(t, r, authority, "unknown", "unknown/topic"); got != mqtt.Denied {
			t.Errorf("one without an account publishes: %v", got)
		}
		t.Logf("from the connection to the first PUBACK: %v at most", round(longest))

		s.pause(t)
		if got := firstPublish(t, r, authority, "late", "late/topic"); got != mqtt.Denied {
			t.Errorf("publishing while the database is silent: %v", got)
		}
		r.WaitLog(t, `user "late"`)
		s.server.Continue(t)
		brokertest.WaitFor(t, "the rights", func() bool {
			return firstPublish(t, r, authority, "late", "late/topic") < mqtt.Failure
		})
		stop().check(t, "certificates", 500*time.Millisecond)
	})
}

// firstPublish connects as the holder of a certificate, publishes in the same
// breath, and returns the code of the PUBACK.
func firstPublish(t *testing.T, r *brokertest.Running, authority *certificate, name, topic string) mqtt.Code {
	t.Helper()
	c := mqtt.Dial(t, newCertificate(t, name, authority).relay(t, r.Addr2), mqtt.Options{ID: name, Version: 5})
	defer c.Drop()
	c.Send(c.ConnectPacket(), c.PublishPacket(mqtt.Message{Topic: topic, QoS: 1}, 1))
	if got := c.Connack(mqtt.Patience); got.Code != mqtt.Success {
		t.Fatalf("%s: CONNACK %v", name, got.Code)
	}
	p, code := c.ReadPacket(mqtt.Patience)
	if code != mqtt.Success || p.Type != mqtt.PUBACK {
		t.Fatalf("%s: %v instead of PUBACK", name, code)
	}
	if len(p.Body) < 3 {
		return mqtt.Success
	}
	return mqtt.Code(p.Body[2])
}

// certificate is one with its key. Its authority is nil if it is one itself.
type certificate struct {
	*x509.Certificate
	key       *ecdsa.PrivateKey
	authority *certificate
}

func newCertificate(t *testing.T, name string, authority *certificate) *certificate {
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
	return &certificate{c, key, authority}
}

func (c *certificate) pem(kind string) string {
	der := c.Raw
	if kind != "CERTIFICATE" {
		der, _ = x509.MarshalECPrivateKey(c.key)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// relay returns an address at which one client without TLS is connected to addr
// with TLS, as the holder of the certificate.
func (c *certificate) relay(t *testing.T, addr string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(c.authority.Certificate)
	config := &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{{Certificate: [][]byte{c.Raw}, PrivateKey: c.key}}}
	go func() {
		defer l.Close()
		inside, err := l.Accept()
		if err != nil {
			return
		}
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
	}()
	t.Cleanup(func() { l.Close() })
	return l.Addr().String()
}
