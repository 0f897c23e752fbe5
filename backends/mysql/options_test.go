package mysql

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mosquitto-go-auth/backends"
	"mosquitto-go-auth/conf"
	"mosquitto-go-auth/test/port"
)

// newSet is a set in which the options are declared, and have no values yet.
func newSet() *conf.Set {
	s := conf.NewSet()
	declareOptions(s)
	return s
}

// load declares the options in a set of their own, reads the lines and opens
// the backend unless there are faults by then.
func load(text string, checks backends.Checks) (backends.Opened, []conf.Remark, conf.Faults) {
	s := conf.NewSet()
	open := Driver.Declare(s)
	var lines []conf.Line
	for _, line := range strings.Split(text, "\n") {
		if key, value, ok := strings.Cut(line, " "); ok {
			lines = append(lines, conf.Line{Key: key, Value: value})
		}
	}
	s.Parse(lines)
	warnings, faults := s.Result()
	opened, err := open(checks)
	var more conf.Faults
	if errors.As(err, &more) {
		return opened, warnings, append(faults, more...)
	}
	return opened, warnings, faults
}

// writeCertificate writes a self-signed certificate for localhost, which is
// its own authority, and its key.
func writeCertificate(t *testing.T, dir string) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"localhost"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, IPAddresses: []net.IP{net.IPv6loopback},
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, "cert.pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}))
	writeFile(t, filepath.Join(dir, "key.pem"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}))
}

func writeFile(t *testing.T, name string, b []byte) {
	if err := os.WriteFile(name, b, 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestOptions(t *testing.T) {
	dir := t.TempDir()
	writeCertificate(t, dir)
	writeFile(t, filepath.Join(dir, "text.pem"), []byte("not a certificate"))
	text, err := os.ReadFile("testdata/options.txt")
	if err != nil {
		t.Fatal(err)
	}
	text = bytes.ReplaceAll(text, []byte("DIR/"), []byte(dir+"/"))
	for i, c := range strings.Split(string(text), "\n\n") {
		t.Run(fmt.Sprint(i), func(t *testing.T) { checkOptions(t, c) })
	}
}

func checkOptions(t *testing.T, text string) {
	var options, want []string
	for _, line := range strings.Split(strings.TrimSpace(text), "\n") {
		word, _, _ := strings.Cut(line, " ")
		switch {
		case strings.HasPrefix(line, "#"):
		case strings.HasSuffix(word, ":"):
			want = append(want, line)
		default:
			options = append(options, line)
		}
	}
	if len(options) == 0 {
		return
	}
	opened, warnings, faults := load(strings.Join(options, "\n"), backends.AllChecks)
	if opened.Backend != nil {
		defer opened.Close()
	}
	var got []string
	for _, w := range warnings {
		got = append(got, "warning: "+w.String())
	}
	for _, f := range faults {
		got = append(got, "fault: "+f.String())
	}
	for _, n := range opened.Notes {
		got = append(got, "note: "+n)
	}
	said := strings.Join(got, "\n")
	if strings.Contains(said, "s3cret") {
		t.Errorf("shows the password:\n%s", said)
	}
	if len(got) != len(want) {
		t.Fatalf("%s\ngot:\n%s\nwant:\n%s", text, said, strings.Join(want, "\n"))
	}
	for i := range want {
		if !strings.HasPrefix(got[i], want[i]) {
			t.Errorf("got  %s\nwant %s", got[i], want[i])
		}
	}
}

func TestUnreachable(t *testing.T) {
	port := port.Free(t)
	opened, _, faults := load(fmt.Sprintf("mysql_host 127.0.0.1\nmysql_port %d\nmysql_dbname d\nmysql_password s3cret\n"+
		"mysql_userquery SELECT h FROM u WHERE n = ?", port), backends.AllChecks)
	if faults != nil {
		t.Fatal(faults)
	}
	defer opened.Close()
	_, err := opened.User(t.Context(), backends.Lookup{Name: "sam"})
	want := fmt.Sprintf("asking MySQL at 127.0.0.1:%d/d (mysql_userquery): dial tcp", port)
	if err == nil || errors.Is(err, backends.ErrNoUser) || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("error %v, want %s", err, want)
	}
	if notes, err := opened.Backend.(backends.Prober).Probe(t.Context(), ""); err == nil {
		t.Errorf("the probe of a dead server has no error, notes %q", notes)
	}
}

// A server that accepts and says nothing must not keep its place in the pool.
func TestSilentServer(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	opened, _, faults := load(fmt.Sprintf("mysql_host 127.0.0.1\nmysql_port %d\nmysql_dbname d\nmysql_connect_timeout 50ms\nmysql_max_open_conns 1\n"+
		"mysql_userquery SELECT h FROM u WHERE n = ?", listener.Addr().(*net.TCPAddr).Port), backends.AllChecks)
	if faults != nil {
		t.Fatal(faults)
	}
	defer opened.Close()
	for range 3 {
		if _, err := opened.User(t.Context(), backends.Lookup{Name: "sam"}); err == nil || errors.Is(err, backends.ErrNoUser) {
			t.Errorf("error %v", err)
		}
	}
}

func TestModeIsRead(t *testing.T) {
	tests := []struct {
		options           string
		tls, verify, fall bool
	}{
		{"", false, false, false},
		{"mysql_sslmode true", true, true, false},
		{"mysql_sslmode custom", true, true, false},
		{"mysql_sslmode skip-verify", true, false, false},
		{"mysql_sslmode preferred", true, false, true},
		{"ssl_enabled true", true, false, false},
		{"ssl_enabled false", false, false, false},
		{"ssl_enabled true\nssl_ca testdata/options.txt", true, true, false},
	}
	for _, tt := range tests {
		s := conf.NewSet()
		o := declareOptions(s)
		var lines []conf.Line
		for _, l := range strings.Split(tt.options, "\n") {
			key, value, _ := strings.Cut(l, " ")
			lines = append(lines, conf.Line{Key: key, Value: value})
		}
		if tt.options != "" {
			s.Parse(lines)
		}
		c := o.config("localhost:3306")
		security, _, _ := o.tls.config(s)
		got := security != nil
		if got != tt.tls || got && security.InsecureSkipVerify == tt.verify || c.AllowFallbackToPlaintext != tt.fall {
			t.Errorf("%q: TLS %+v, fallback %t", tt.options, security, c.AllowFallbackToPlaintext)
		}
		if !c.AllowNativePasswords || !c.CheckConnLiveness || c.AllowCleartextPasswords || c.AllowAllFiles || c.MultiStatements || c.InterpolateParams {
			t.Errorf("%q: unsafe settings %+v", tt.options, c)
		}
	}
}
