package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"mosquitto-go-auth/test/mqtt"
)

// A client is a connection for load: unlike mqtt.Client it has no goroutine of
// its own, and uses its memory again.
type client struct {
	net.Conn
	r       *bufio.Reader
	body    []byte
	version byte
}

const patience = 30 * time.Second // for an answer; a storm may take that long

// A refusal is what a broker answers to a login instead of success.
type refusal mqtt.Code

func (r refusal) Error() string { return "the login was answered with " + mqtt.Code(r).String() }

// dial connects and sends nothing yet.
func dial(addr string, o mqtt.Options) (*client, error) {
	conn, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		return nil, err
	}
	return &client{Conn: conn, r: bufio.NewReaderSize(conn, 1<<16), version: o.Version}, nil
}

// login connects and waits for the CONNACK. The error is a refusal if the
// broker does not let the client in.
func login(addr string, o mqtt.Options) (*client, error) {
	c, err := dial(addr, o)
	if err != nil {
		return nil, err
	}
	if err := c.connect(o); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// connect sends CONNECT and waits for the answer.
func (c *client) connect(o mqtt.Options) error {
	c.SetDeadline(time.Now().Add(patience))
	defer c.SetDeadline(time.Time{})
	if _, err := c.Write(o.ConnectPacket()); err != nil {
		return refusal(mqtt.Closed)
	}
	kind, body, err := c.next()
	var timeout net.Error
	switch {
	case errors.As(err, &timeout) && timeout.Timeout():
		return refusal(mqtt.Silent)
	case err != nil:
		return refusal(mqtt.Closed)
	case kind != mqtt.CONNACK || len(body) < 2:
		return fmt.Errorf("a packet of type %d instead of CONNACK", kind)
	case body[1] != 0:
		return refusal(body[1])
	}
	return nil
}

// next returns the next packet; its body is good until the next call.
func (c *client) next() (kind byte, body []byte, err error) {
	head, err := c.r.ReadByte()
	if err != nil {
		return 0, nil, err
	}
	size, err := binary.ReadUvarint(c.r)
	if err != nil {
		return 0, nil, err
	}
	if uint64(cap(c.body)) < size {
		c.body = make([]byte, size)
	}
	c.body = c.body[:size]
	_, err = io.ReadFull(c.r, c.body)
	return head >> 4, c.body, err
}

// subscribe asks for a filter and waits for the answer.
func (c *client) subscribe(filter string) error {
	o := mqtt.Client{Options: mqtt.Options{Version: c.version}}
	if _, err := c.Write(o.SubscribePacket(1, 0, filter)); err != nil {
		return err
	}
	kind, body, err := c.next()
	if err != nil {
		return err
	}
	if kind != mqtt.SUBACK || body[len(body)-1] > 2 {
		return fmt.Errorf("the subscription to %s was refused", filter)
	}
	return nil
}

// leave says good-bye and closes.
func (c *client) leave() {
	c.Write(mqtt.Packet{Type: mqtt.DISCONNECT}.Bytes())
	c.Close()
}

// publish returns a PUBLISH packet with QoS 0 of MQTT 3.
func publish(topic string, payload []byte) []byte {
	var c mqtt.Client
	return c.PublishPacket(mqtt.Message{Topic: topic, Payload: string(payload)}, 0)
}
