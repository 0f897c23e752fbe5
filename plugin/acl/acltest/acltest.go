// Package acltest makes rules and topics from the bytes of a fuzzer, so that it
// reaches the interesting ones.
package acltest

import (
	"strconv"
	"strings"

	"mosquitto-go-auth/backends"
	"mosquitto-go-auth/plugin/acl"
)

var levels = []string{"a", "b", "", "+", "#", "$x", "%u", "%c", "x%uy", "%u%c", "é", "a%c"}

// Rules makes sections of rules, and a topic or filter, "" if there is too
// little data. Rules that deny have patterns that are topic filters.
func Rules(data []byte) (sections []backends.Section, o acl.Options, topic string) {
	data = data[:min(len(data), 200)] // more shows nothing new
	sections = []backends.Section{nil}
	for len(data) > 8 {
		b := data[0]
		var p string
		p, data = path(data[1:], 4)
		if b&0xc0 == 0xc0 {
			sections = append(sections, nil)
			o.WildcardsMatchDollar = b&1 == 1
		}
		r := backends.Rule{Pattern: p, Access: backends.Access(b&7 | b&8<<1), Deny: b&0x10 != 0, Literal: b&0x20 != 0}
		if r.Deny && backends.CheckFilter(p) != nil {
			continue
		}
		last := &sections[len(sections)-1]
		*last = append(*last, r)
	}
	topic, _ = path(data, 5)
	return sections, o, topic
}

// Seeds are good first data.
func Seeds() [][]byte {
	return [][]byte{
		{1, 0, 3, 200, 9, 0, 1, 2},
		{0x4f, 3, 4, 200, 9, 0, 1, 250},
		{0x0f, 0, 3, 200, 0x1f, 0, 1, 200, 0xcf, 8, 200, 7, 3, 1, 0, 1, 200},
		{0x07, 6, 7, 204, 0x07, 200, 0x17, 8, 9, 200, 4, 196, 0, 9, 2, 2},
	}
}

func path(data []byte, most int) (string, []byte) {
	var parts []string
	for len(data) > 0 && len(parts) < most {
		b := data[0]
		data = data[1:]
		parts = append(parts, levels[int(b)%len(levels)])
		if b >= 192 {
			break
		}
	}
	return strings.Join(parts, "/"), data
}

// Colliding returns n levels of topics that have the same place in a table of up to
// 2¹⁶ entries: the hash of plugin/acl (FNV-1a) with the same 16 low bits.
func Colliding(n int) (levels []string) {
	const basis, prime = 2166136261, 16777619
	for i := 0; len(levels) < n; i++ {
		level, h := strconv.Itoa(i), uint32(basis)
		for _, c := range []byte(level) {
			h = (h ^ uint32(c)) * prime
		}
		// The last character makes the low bits 0, if it can: bits 8 to 15 are as they are.
		if last := byte(h); h&0xff00 == 0 && last >= 'A' && last <= 'z' {
			levels = append(levels, level+string(rune(last)))
		}
	}
	return levels
}
