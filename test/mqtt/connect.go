package mqtt

import "encoding/binary"

// Options are the contents of a CONNECT packet. The zero value is an anonymous
// client of MQTT 3.1.1 with a clean session and an id chosen by the broker.
type Options struct {
	ID            string
	Version       byte // 3 (MQTT 3.1), 4 (3.1.1) or 5; 0 is 4
	Persistent    bool // the session outlives the connection: no clean session or start
	Username      *string
	Password      []byte // nil: none; may be empty
	Will          *Will
	KeepAlive     uint16 // seconds; 0: none
	SessionExpiry uint32 // seconds; MQTT 5 only
}

// A Will is the message that a broker sends for a client that vanishes.
type Will struct {
	Message
	Delay uint32 // seconds; MQTT 5 only
}

// As returns the options of a client with a user name and a password.
func As(username, password string) Options {
	return Options{Username: &username, Password: []byte(password)}
}

func (o Options) version() byte {
	if o.Version == 0 {
		return 4
	}
	return o.Version
}

// ConnectPacket returns the CONNECT packet (MQTT 5 and 3.1.1, §3.1).
func (o Options) ConnectPacket() []byte {
	var body []byte
	if o.version() == 3 {
		body = appendString(body, "MQIsdp")
	} else {
		body = appendString(body, "MQTT")
	}
	body = append(body, o.version(), o.flags())
	body = binary.BigEndian.AppendUint16(body, o.KeepAlive)
	if o.version() == 5 {
		body = binary.BigEndian.AppendUint32(append(body, 5, 0x11), o.SessionExpiry)
	}
	body = appendString(body, o.ID)
	if o.Will != nil {
		body = o.appendWill(body)
	}
	if o.Username != nil {
		body = appendString(body, *o.Username)
	}
	if o.Password != nil {
		body = appendString(body, o.Password)
	}
	return Packet{Type: CONNECT, Body: body}.Bytes()
}

func (o Options) appendWill(body []byte) []byte {
	if o.version() == 5 {
		body = binary.BigEndian.AppendUint32(append(body, 5, 0x18), o.Will.Delay)
	}
	return appendString(appendString(body, o.Will.Topic), o.Will.Payload)
}

func (o Options) flags() byte {
	var flags byte
	if !o.Persistent {
		flags |= 0x02
	}
	if o.Will != nil {
		flags |= 0x04 | o.Will.QoS<<3
		if o.Will.Retain {
			flags |= 0x20
		}
	}
	if o.Password != nil {
		flags |= 0x40
	}
	if o.Username != nil {
		flags |= 0x80
	}
	return flags
}

// A Connack is the answer to a CONNECT.
type Connack struct {
	Code           Code
	SessionPresent bool
	AssignedID     string // MQTT 5: the id that the broker chose
}

func parseConnack(p Packet, version byte) Connack {
	a := Connack{Code: Code(p.Body[1]), SessionPresent: p.Body[0]&1 != 0}
	if version == 5 && len(p.Body) > 2 {
		properties, _ := cutProperties(p.Body[2:])
		a.AssignedID = assignedID(properties)
	}
	return a
}

// Sizes of a CONNACK's properties; those not listed begin with a string's
// length (MQTT 5, table 2-4).
var propertySize = map[byte]int{
	0x11: 4, 0x13: 2, 0x21: 2, 0x22: 2, 0x24: 1, 0x25: 1, 0x27: 4, 0x28: 1, 0x29: 1, 0x2a: 1,
}

func assignedID(properties []byte) string {
	for len(properties) > 0 {
		kind := properties[0]
		properties = properties[1:]
		if size := propertySize[kind]; size != 0 {
			properties = properties[size:]
			continue
		}
		var value string
		value, properties = cutString(properties)
		if kind == 0x12 {
			return value
		}
		if kind == 0x26 { // a user property: two strings
			_, properties = cutString(properties)
		}
	}
	return ""
}
