package storm

import (
	"io"
	"net"
	"time"

	"mosquitto-go-auth/test/mqtt"
)

// tryFrom makes one login from an address of the loopback network, and returns the
// answer.
func tryFrom(from, addr string, o mqtt.Options) mqtt.Code {
	return tryFor(mqtt.Patience, from, addr, o)
}

// tryFor is tryFrom for a client that waits so long for its answer.
func tryFor(patience time.Duration, from, addr string, o mqtt.Options) mqtt.Code {
	dialer := net.Dialer{Timeout: mqtt.Patience, LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	c, err := dialer.Dial("tcp", addr)
	if err != nil {
		return mqtt.Closed
	}
	defer c.Close()
	c.(*net.TCPConn).SetLinger(0) // a flood would use up the ports
	c.SetDeadline(time.Now().Add(patience))
	if _, err := c.Write(o.ConnectPacket()); err != nil {
		return mqtt.Closed
	}
	var head [4]byte // of a CONNACK, whose last byte is the code
	_, err = io.ReadFull(c, head[:])
	switch e, _ := err.(net.Error); {
	case e != nil && e.Timeout():
		return mqtt.Silent
	case err != nil:
		return mqtt.Closed
	}
	return mqtt.Code(head[3])
}

// loginFrom tries until a login is not told to come back, and returns the answer.
func loginFrom(from, addr string, o mqtt.Options) mqtt.Code {
	for deadline := time.Now().Add(mqtt.Again); ; time.Sleep(mqtt.Pause) {
		code := tryFrom(from, addr, o)
		if code != mqtt.Closed && code != mqtt.Busy || time.Now().After(deadline) {
			return code
		}
	}
}

// keepOne logs in, publishes one message with QoS 1, and leaves.
func keepOne(addr string, o mqtt.Options, m mqtt.Message) mqtt.Code {
	c, err := net.DialTimeout("tcp", addr, mqtt.Patience)
	if err != nil {
		return mqtt.Closed
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(mqtt.Patience))
	client := &mqtt.Client{Options: o}
	c.Write(append(o.ConnectPacket(), client.PublishPacket(m, 1)...))
	var answers [8]byte // CONNACK and PUBACK of MQTT 3.1.1
	if _, err := io.ReadFull(c, answers[:]); err != nil {
		return mqtt.Silent
	}
	return mqtt.Code(answers[3])
}
