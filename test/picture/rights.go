package picture

import (
	"fmt"
	"strconv"
)

// Colours for bright pages, and for dark ones; each number has its own.
const rightsStyle = `text { font: 14px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", Helvetica, Arial, sans-serif; fill: #1f2328; }
.topic { font-family: ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: 13px; }
.head { font-weight: bold; font-size: 16px; }
.middle { text-anchor: middle; }
.number { font-weight: bold; font-size: 17px; text-anchor: middle; fill: #ffffff; }
.no { fill: #b42318; font-size: 13px; }
.page { fill: #ffffff; stroke: #d0d7de; }
.lane, .check { fill: #f3f5f8; stroke: #8c959f; }
.line { stroke: #8c959f; stroke-dasharray: 2 4; fill: none; }
.arrow { stroke: #1f2328; stroke-width: 1.5; fill: none; }
.tip { fill: #1f2328; }
.n1 { fill: #0a7355; }
.n2 { fill: #a84300; }
.n4 { fill: #1f5fa8; }
@media (prefers-color-scheme: dark) {
text, .tip { fill: #e6edf3; }
.number { fill: #0d1117; }
.no { fill: #ff9d92; }
.page { fill: #0d1117; stroke: #30363d; }
.lane, .check { fill: #1c2330; stroke: #6e7681; }
.line { stroke: #6e7681; }
.arrow { stroke: #e6edf3; }
.n1 { fill: #4cc59b; }
.n2 { fill: #f0985a; }
.n4 { fill: #79b8ff; }
}
`

// The lanes' middles, and half the width of a check.
const (
	publisher, broker, subscriber = 105, 390, 675
	half                          = 95
)

// Rights draws where the three rights are asked: publisher, broker and subscriber as
// lanes, time going down.
func Rights() []byte {
	var c canvas
	c.begin(780, 600, "Where the rights 1, 2 and 4 are asked",
		"Three lanes: the publisher kitchen, the broker, the subscriber display. Both connect; a login is judged by its password. "+
			"Then display sends SUBSCRIBE home/#, and the broker asks for the right 4, subscribe. It answers SUBACK; refused, its code is 0x80, or 0x87 in MQTT 5. "+
			"Then kitchen sends PUBLISH home/kitchen, and the broker asks for the right 2, write. It answers PUBACK; refused, the message is dropped, which only the PUBACK of MQTT 5 tells, with 0x87. "+
			"Before the broker sends PUBLISH home/kitchen to display, it asks for the right 1, read; refused, nothing arrives, and nobody is told. "+
			"So a sensor needs 2, a display 5, which is 4 and 1, and an application 7, which is 4, 2 and 1.", rightsStyle)
	fmt.Fprintln(&c, `<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto"><path d="M0 0L8 4L0 8z" class="tip"/></marker></defs>`)
	fmt.Fprintln(&c, `<rect x="0.5" y="0.5" width="779" height="599" rx="8" class="page"/>`)
	c.lane(publisher, "kitchen", "publisher, rw = 2")
	c.lane(broker, "Mosquitto", "with the plugin")
	c.lane(subscriber, "display", "subscriber, rw = 5")

	c.arrow(publisher, broker-half, 118, "CONNECT", "")
	c.arrow(subscriber, broker+half, 118, "CONNECT", "")
	c.box(broker-half, 94, 2*half, 50, "check")
	c.text(broker, 115, "middle", "login")
	c.text(broker, 133, "middle", "by name and password")

	c.check(4, 170, "subscribe", "home/#")
	c.arrow(subscriber, broker+half, 198, "SUBSCRIBE", "home/#")
	c.arrow(broker+half, subscriber, 232, "SUBACK", "")
	c.refused(broker+half+14, 254, "SUBACK 0x80,", "MQTT 5: SUBACK 0x87")

	c.check(2, 298, "write", "home/kitchen")
	c.arrow(publisher, broker-half, 326, "PUBLISH", "home/kitchen")
	c.arrow(broker-half, publisher, 360, "PUBACK (QoS 1)", "")
	c.refused(publisher+14, 382, "dropped,", "PUBACK all the same,", "MQTT 5: PUBACK 0x87")
	fmt.Fprintf(&c, "<path d=\"M%d 376V422\" class=\"arrow\" marker-end=\"url(#tip)\"/>\n", broker)
	c.text(broker+12, 404, "", "for each subscriber")

	c.check(1, 426, "read", "home/kitchen")
	c.arrow(broker+half, subscriber, 465, "PUBLISH", "home/kitchen")
	c.refused(broker+half+14, 487, "nothing arrives,", "nobody is told")

	c.sum(46, "a sensor", 2)
	c.sum(236, "a display", 4, 1)
	c.sum(470, "an application", 4, 2, 1)
	return c.end()
}

// lane is one that takes part, from its head to the bottom.
func (c *canvas) lane(x int, name, part string) {
	fmt.Fprintf(c, "<path d=\"M%d 72V526\" class=\"line\"/>\n", x)
	c.box(x-85, 20, 170, 52, "lane")
	c.text(x, 42, "head middle", name)
	c.text(x, 61, "middle", part)
}

// check is a right that the broker asks for.
func (c *canvas) check(right, y int, name, topic string) {
	c.box(broker-half, y, 2*half, 78, "check")
	c.number(right, broker-half+28, y+39)
	c.text(broker-half+58, y+24, "head", name)
	c.text(broker-half+58, y+45, "topic", topic)
	c.text(broker-half+58, y+66, "", "allowed?")
}

func (c *canvas) number(right, x, y int) {
	fmt.Fprintf(c, "<circle cx=\"%d\" cy=\"%d\" r=\"15\" class=\"n%d\"/>\n", x, y, right)
	c.text(x, y+6, "number", strconv.Itoa(right))
}

// arrow is a packet, with its name and topic above the line.
func (c *canvas) arrow(from, to, y int, name, topic string) {
	tip, middle := to+2, (from+to)/2
	if to > from {
		tip = to - 2
	}
	fmt.Fprintf(c, "<path d=\"M%d %dH%d\" class=\"arrow\" marker-end=\"url(#tip)\"/>\n", from, y, tip)
	fmt.Fprintf(c, "<text x=\"%d\" y=\"%d\" class=\"middle\">%s <tspan class=\"topic\">%s</tspan></text>\n", middle, y-7, name, topic)
}

// refused says what comes instead.
func (c *canvas) refused(x, y int, lines ...string) {
	for i, line := range lines {
		if i == 0 {
			line = "refused: " + line
		}
		c.text(x, y+18*i, "no", line)
	}
}

// sum is a number of the tables, and of which rights it is made.
func (c *canvas) sum(x int, who string, rights ...int) {
	const y = 562
	begin, rw := x, 0
	x += 50
	for i, right := range rights {
		rw += right
		if i > 0 {
			c.text(x, y+6, "head middle", "+")
			x += 26
		}
		c.number(right, x, y)
		x += 26
	}
	c.text(begin, y+6, "head", strconv.Itoa(rw)+" =")
	c.text(x-2, y+5, "", who)
}
