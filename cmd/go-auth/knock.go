package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"syscall"
)

// A CONNECT of MQTT version 0, without client id and user name, and the first byte
// of the answer, which is one of several refusals, by the broker's version.
var strangeConnect = []byte{0x10, 12, 0, 4, 'M', 'Q', 'T', 'T', 0, 2, 0, 10, 0, 0}

const connack = 0x20

// ask returns nil if the broker answers at the door, on a host.
func (d door) ask(ctx context.Context, host string) error {
	network, address := "tcp", net.JoinHostPort(host, strconv.Itoa(d.Port)) // no host, and any address, are this one
	if d.Port == 0 {
		network, address = "unix", d.Address
	}
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, network, address)
	if err != nil {
		return err
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return err
		}
	}
	if !d.TLS {
		return d.converse(conn)
	}
	// Whose certificate it is does not matter: nothing secret is sent.
	secure := tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
	err = secure.HandshakeContext(ctx)
	if d.Keyed && (err == nil || refusal(err)) {
		return nil // it has answered; with TLS 1.3 it asks for the certificate only then
	}
	if err != nil {
		return silence(err)
	}
	return d.converse(secure)
}

// refusal tells whether the other side has ended a handshake by an alert, which
// crypto/tls calls so, or before all was read that the alert is about.
func refusal(err error) bool {
	alert := (*net.OpError)(nil)
	return errors.As(err, &alert) && alert.Op == "remote error" || errors.Is(err, syscall.ECONNRESET)
}

func (d door) converse(conn net.Conn) error {
	r := bufio.NewReader(conn)
	packet := strangeConnect
	if d.websockets() {
		if err := upgrade(conn, r); err != nil {
			return err
		}
		// One binary frame, masked with zeros.
		packet = append([]byte{0x82, 0x80 | byte(len(packet)), 0, 0, 0, 0}, packet...)
	}
	if _, err := conn.Write(packet); err != nil {
		return err
	}
	if d.websockets() {
		if _, err := r.Discard(2); err != nil { // the head of the answer's frame
			return err
		}
	}
	first, err := r.ReadByte()
	if err == nil && first != connack {
		err = errors.New("what answers there does not speak MQTT")
	}
	return silence(err)
}

// upgrade makes a websocket of a connection.
func upgrade(conn net.Conn, r *bufio.Reader) error {
	_, err := io.WriteString(conn, "GET /mqtt HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Key: Z28tYXV0aCBoZWFsdGguLg==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n")
	if err != nil {
		return err
	}
	status, err := r.ReadString('\n')
	if err != nil {
		return silence(err)
	}
	if !strings.HasPrefix(status, "HTTP/1.1 101 ") {
		return fmt.Errorf("it is no websocket: %q", strings.TrimSpace(status))
	}
	for line := status; strings.TrimSpace(line) != ""; {
		if line, err = r.ReadString('\n'); err != nil {
			return silence(err)
		}
	}
	return nil
}

// silence says what the end of a connection means here.
func silence(err error) error {
	if errors.Is(err, io.EOF) {
		return errors.New("the connection is closed without an answer")
	}
	return err
}
