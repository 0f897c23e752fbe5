package mqtt

import (
	"encoding/binary"
	"time"
)

// A Message is what PUBLISH carries.
type Message struct {
	Topic, Payload string
	QoS            byte // 0 or 1
	Retain         bool
}

// PublishPacket returns a PUBLISH packet; id is its identifier with QoS 1.
func (c *Client) PublishPacket(m Message, id uint16) []byte {
	p := Packet{Type: PUBLISH, Flags: m.QoS << 1, Body: appendString(nil, m.Topic)}
	if m.Retain {
		p.Flags |= 1
	}
	if m.QoS > 0 {
		p.Body = binary.BigEndian.AppendUint16(p.Body, id)
	}
	p.Body = append(c.appendNoProperties(p.Body), m.Payload...)
	return p.Bytes()
}

// Publish sends a message and returns the code of its PUBACK, which is Success in
// MQTT 3 whatever the broker did. With QoS 0 Success says only that it was sent.
func (c *Client) Publish(m Message) Code {
	id := c.newID()
	if !c.Send(c.PublishPacket(m, id)) {
		return Closed
	}
	if m.QoS == 0 {
		return Success
	}
	p, code := c.answer(PUBACK, id)
	if code != Success {
		return code
	}
	return reason(p, 2)
}

// SubscribePacket returns a SUBSCRIBE packet.
func (c *Client) SubscribePacket(id uint16, qos byte, filters ...string) []byte {
	body := c.appendNoProperties(binary.BigEndian.AppendUint16(nil, id))
	for _, filter := range filters {
		body = append(appendString(body, filter), qos)
	}
	return Packet{Type: SUBSCRIBE, Flags: 2, Body: body}.Bytes()
}

// Subscribe asks for filters and returns a code for each: the granted QoS, or a
// refusal of 0x80 and above. MQTT 3.1 has no refusals.
func (c *Client) Subscribe(qos byte, filters ...string) []Code {
	id := c.newID()
	return c.codes(c.SubscribePacket(id, qos, filters...), SUBACK, id, len(filters))
}

// UnsubscribePacket returns an UNSUBSCRIBE packet.
func (c *Client) UnsubscribePacket(id uint16, filters ...string) []byte {
	body := c.appendNoProperties(binary.BigEndian.AppendUint16(nil, id))
	for _, filter := range filters {
		body = appendString(body, filter)
	}
	return Packet{Type: UNSUBSCRIBE, Flags: 2, Body: body}.Bytes()
}

// Unsubscribe gives filters up and returns a code for each; MQTT 3 knows only
// Success.
func (c *Client) Unsubscribe(filters ...string) []Code {
	id := c.newID()
	return c.codes(c.UnsubscribePacket(id, filters...), UNSUBACK, id, len(filters))
}

// codes sends a packet and returns the n codes of its answer, all alike where the
// answer has none or does not come.
func (c *Client) codes(packet []byte, kind byte, id uint16, n int) []Code {
	codes := make([]Code, n)
	p, code := Packet{}, Closed
	if c.Send(packet) {
		p, code = c.answer(kind, id)
	}
	var each []byte
	if code == Success {
		each = p.Body[2:]
		if c.version() == 5 {
			_, each = cutProperties(each)
		}
	}
	for i := range codes {
		codes[i] = code
		if i < len(each) {
			codes[i] = Code(each[i])
		}
	}
	return codes
}

// Message returns the next message, and whether there was one in time. One with
// QoS 1 is acknowledged.
func (c *Client) Message(timeout time.Duration) (Message, bool) {
	if len(c.messages) == 0 {
		p, code := c.await(timeout, func(p Packet) bool { return p.Type == PUBLISH })
		if code != Success {
			return Message{}, false
		}
		return c.take(p), true
	}
	m := c.messages[0]
	c.messages = c.messages[1:]
	return m, true
}

// take unpacks a PUBLISH and acknowledges it.
func (c *Client) take(p Packet) Message {
	m := Message{QoS: p.Flags >> 1 & 3, Retain: p.Flags&1 != 0}
	var rest []byte
	m.Topic, rest = cutString(p.Body)
	if m.QoS > 0 {
		c.Send(Packet{Type: PUBACK, Body: rest[:2]}.Bytes())
		rest = rest[2:]
	}
	if c.version() == 5 {
		_, rest = cutProperties(rest)
	}
	m.Payload = string(rest)
	return m
}

func (c *Client) answer(kind byte, id uint16) (Packet, Code) {
	return c.await(Patience, func(p Packet) bool { return p.Type == kind && p.id() == id })
}

// newID returns an identifier for a packet; 0 is none.
func (c *Client) newID() uint16 {
	c.nextID++
	return max(c.nextID, 1)
}

func (c *Client) appendNoProperties(b []byte) []byte {
	if c.version() == 5 {
		return append(b, 0)
	}
	return b
}
