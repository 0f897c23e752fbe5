package mysql

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"mosquitto-go-auth/backends"
)

// peer is a server that sends packets, one for each that it gets, whatever is in
// them.
func peer(t *testing.T, packets ...string) net.Addr {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for c, err := l.Accept(); err == nil; c, err = l.Accept() {
			go play(c, packets)
		}
	}()
	return l.Addr()
}

func play(c net.Conn, packets []string) {
	defer c.Close()
	head := make([]byte, 4)
	for i, p := range packets {
		if i > 0 {
			if _, err := io.ReadFull(c, head); err != nil {
				return
			}
			if _, err := io.CopyN(io.Discard, c, int64(head[0])|int64(head[1])<<8|int64(head[2])<<16); err != nil {
				return
			}
		}
		n := len(p)
		io.WriteString(c, string([]byte{byte(n), byte(n >> 8), byte(n >> 16), byte(2 * i)})+p)
	}
	io.Copy(io.Discard, c)
}

// greeting is the first packet of a server (protocol 10), with a way to log in.
func greeting(plugin string) string {
	return "\x0a9.0\x00\x01\x00\x00\x00saltsalt\x00\xff\xf7\x21\x02\x00\xff\x81\x15" + strings.Repeat("\x00", 10) + "saltsaltsalt\x00" + plugin + "\x00"
}

// What a broken or hostile server sends ends as an error; a panic of the client
// library too, in whose place the broker would end.
func TestBrokenServers(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	ec := string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	const sha2, native = "caching_sha2_password", "mysql_native_password"
	tests := []struct {
		name    string
		packets []string
		want    string
	}{
		{"a key of another kind", []string{greeting(sha2), "\x01\x04", "\x01" + ec}, errPanic.Error()},
		{"no key", []string{greeting(sha2), "\x01\x04", "\x01no key"}, "no pem data"},
		{"a short salt for the second way", []string{greeting(sha2), "\xfe" + native + "\x00short\x00"}, errPanic.Error()},
		{"an unknown way", []string{greeting(sha2), "\xfeparsec\x00" + strings.Repeat("s", 32)}, "give the user mysql_user a method that is known here"},
		{"no way without a password in the clear", []string{greeting(sha2), "\xfemysql_clear_password\x00"}, "give the user mysql_user a method"},
		{"noise", []string{"HTTP/1.1 400 Bad Request\r\n\r\n"}, "asking MySQL at"},
		{"an empty packet", []string{""}, "asking MySQL at"},
		{"nothing", nil, "asking MySQL at"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			addr := peer(t, tt.packets...)
			files := descriptors()
			b := open(t, fmt.Sprintf("mysql_host %s\nmysql_dbname d\nmysql_user u\nmysql_password s3cret\nmysql_connect_timeout 500ms\n%s", addr, samQuery))
			err := down(t, b, 2*time.Second)
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("error %v, want %s", err, tt.want)
			}
			if _, err := b.User(ctxOf(t), backends.Lookup{Name: "sam"}); err == nil {
				t.Error("no error the second time")
			}
			settles(t, "descriptors", files, descriptors)
		})
	}
}
