package mqtt

import (
	"bufio"
	"bytes"
	"net"
	"testing"
	"time"
)

// Patience is how long a client waits for an answer before it takes the broker
// for silent.
const Patience = 5 * time.Second

// A Client is one connection to a broker. It is for one goroutine at a time.
type Client struct {
	Options
	// Reason is the code of the broker's DISCONNECT, which only MQTT 5 has;
	// Silent before.
	Reason Code

	conn     *net.TCPConn
	packets  chan Packet // closed after the last
	messages []Message   // that came while something else was waited for
	nextID   uint16
}

// Dial connects to a broker and sends nothing yet. The connection is dropped when
// the test ends.
func Dial(t testing.TB, addr string, o Options) *Client {
	t.Helper()
	conn, err := net.DialTimeout("tcp", addr, Patience)
	if err != nil {
		t.Fatal(err)
	}
	c := &Client{Options: o, Reason: Silent, conn: conn.(*net.TCPConn), packets: make(chan Packet, 1024)}
	done := make(chan struct{})
	go c.receive(done)
	t.Cleanup(func() {
		close(done)
		c.Drop()
	})
	return c
}

// receive passes packets on until the connection or the test ends.
func (c *Client) receive(done <-chan struct{}) {
	defer close(c.packets)
	r := bufio.NewReader(c.conn)
	for {
		p, err := read(r)
		if err != nil {
			return
		}
		select {
		case c.packets <- p:
		case <-done:
			return
		}
	}
}

// Send writes bytes in one go, so that several packets share a segment. It
// reports whether the connection took them.
func (c *Client) Send(packets ...[]byte) bool {
	_, err := c.conn.Write(bytes.Join(packets, nil))
	return err == nil
}

// ReadPacket returns the next packet, whatever it is. Without one the code says
// why: Silent after the time, or Closed.
func (c *Client) ReadPacket(timeout time.Duration) (Packet, Code) {
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case p, ok := <-c.packets:
		if !ok {
			return Packet{}, Closed
		}
		return p, Success
	case <-timer.C:
		return Packet{}, Silent
	}
}

// await returns the next packet that is wanted; it keeps the messages that come
// before.
func (c *Client) await(timeout time.Duration, wanted func(Packet) bool) (Packet, Code) {
	for deadline := time.Now().Add(timeout); ; {
		p, code := c.ReadPacket(time.Until(deadline))
		if code != Success || wanted(p) {
			return p, code
		}
		switch p.Type {
		case PUBLISH:
			c.messages = append(c.messages, c.take(p))
		case DISCONNECT:
			c.Reason = reason(p, 0)
		}
	}
}

// reason returns the reason code at an offset of the body, where MQTT leaves out
// a success that nothing follows.
func reason(p Packet, at int) Code {
	if len(p.Body) <= at {
		return Success
	}
	return Code(p.Body[at])
}

// Connect sends CONNECT and returns the broker's answer, with the code Closed if
// it closed the connection without one.
func (c *Client) Connect() Connack {
	if !c.Send(c.ConnectPacket()) {
		return Connack{Code: Closed}
	}
	return c.Connack(Patience)
}

// Connack waits for the answer to a CONNECT that was sent.
func (c *Client) Connack(timeout time.Duration) Connack {
	p, code := c.await(timeout, func(p Packet) bool { return p.Type == CONNACK && len(p.Body) >= 2 })
	if code != Success {
		return Connack{Code: code}
	}
	return parseConnack(p, c.version())
}

// Alive reports whether the broker still answers a ping.
func (c *Client) Alive() bool {
	if !c.Send(Packet{Type: PINGREQ}.Bytes()) {
		return false
	}
	_, code := c.await(Patience, func(p Packet) bool { return p.Type == PINGRESP })
	return code == Success
}

// Ended waits for the broker to end the connection and reports whether it did.
func (c *Client) Ended(timeout time.Duration) bool {
	_, code := c.await(timeout, func(Packet) bool { return false })
	return code == Closed
}

// Disconnect says good-bye and closes. Of the reason, MQTT 3 knows only Success.
func (c *Client) Disconnect(reason Code) {
	p := Packet{Type: DISCONNECT}
	if c.version() == 5 && reason != Success {
		p.Body = []byte{byte(reason)}
	}
	c.Send(p.Bytes())
	c.Drop()
}

// Drop closes the connection without a good-bye.
func (c *Client) Drop() { c.conn.Close() }

// Abort ends the connection as a crashed machine does, with a reset.
func (c *Client) Abort() {
	c.conn.SetLinger(0)
	c.conn.Close()
}
