// Package mqtt is an MQTT client for tests: it speaks 3.1, 3.1.1 and 5, does one
// step at a time, and misbehaves when told to. It trusts the broker's packets.
package mqtt

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Types of control packets (MQTT 5, table 2-1).
const (
	CONNECT byte = iota + 1
	CONNACK
	PUBLISH
	PUBACK
	PUBREC
	PUBREL
	PUBCOMP
	SUBSCRIBE
	SUBACK
	UNSUBSCRIBE
	UNSUBACK
	PINGREQ
	PINGRESP
	DISCONNECT
	AUTH
)

// A Packet is one control packet.
type Packet struct {
	Type, Flags byte
	Body        []byte // what follows the fixed header
}

// Bytes returns the packet as it is sent.
func (p Packet) Bytes() []byte {
	b := []byte{p.Type<<4 | p.Flags}
	b = binary.AppendUvarint(b, uint64(len(p.Body)))
	return append(b, p.Body...)
}

// read reads one packet.
func read(r *bufio.Reader) (Packet, error) {
	head, err := r.ReadByte()
	if err != nil {
		return Packet{}, err
	}
	size, err := binary.ReadUvarint(r)
	if err != nil {
		return Packet{}, err
	}
	if size >= 1<<28 {
		return Packet{}, errors.New("the packet is longer than MQTT allows")
	}
	p := Packet{Type: head >> 4, Flags: head & 15, Body: make([]byte, size)}
	_, err = io.ReadFull(r, p.Body)
	return p, err
}

// id returns the packet identifier of a packet whose body begins with it.
func (p Packet) id() uint16 {
	if len(p.Body) < 2 {
		return 0
	}
	return binary.BigEndian.Uint16(p.Body)
}

func appendString[S string | []byte](b []byte, s S) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(len(s)))
	return append(b, s...)
}

// cutString takes a string off the front.
func cutString(b []byte) (s string, rest []byte) {
	n := 2 + int(binary.BigEndian.Uint16(b))
	return string(b[2:n]), b[n:]
}

// cutProperties takes the properties of MQTT 5 off the front, length included.
func cutProperties(b []byte) (properties, rest []byte) {
	size, n := binary.Uvarint(b)
	end := n + int(size)
	return b[n:end], b[end:]
}

// A Code is a broker's answer: a return code of MQTT 3 or a reason code of MQTT
// 5, or that there was none.
type Code int

// Answers that are none, and those that tests compare with most.
const (
	Silent        Code = -2 // no answer in time
	Closed        Code = -1 // the broker ended the connection instead
	Success       Code = 0
	BadLogin      Code = 4    // MQTT 3: bad user name or password
	NotAuthorized Code = 5    // MQTT 3
	Failure       Code = 0x80 // SUBACK of MQTT 3.1.1; unspecified error of MQTT 5
	Denied        Code = 0x87 // MQTT 5: not authorized
	Unavailable   Code = 0x88 // MQTT 5: server unavailable
	Busy          Code = 0x89 // MQTT 5: server busy
)

// String returns the number as the standard writes it.
func (c Code) String() string {
	switch {
	case c == Silent:
		return "silent"
	case c == Closed:
		return "closed"
	case c < 0x80:
		return fmt.Sprintf("%d", int(c))
	}
	return fmt.Sprintf("%#x", int(c))
}
