package acl

import (
	"strings"

	"mosquitto-go-auth/backends"
)

const (
	maxSteps = 4096 // nodes that one walk may visit
	maxStack = 256  // nodes that it may have set aside
)

// Walk answers whether the rules grant one access. With Subscribe, topic is a
// filter, and a rule matches it if the rule's pattern covers it: all topics
// that match the filter match the pattern.
//
// The same walk, over the same image, is written in C for the broker's thread;
// the two must agree.
func (img Image) Walk(c Client, topic string, access backends.Access) Decision {
	if len(img) == 0 {
		return NoMatch
	}
	w := walker{img: img, client: c, topic: topic, want: access, filter: access == backends.Subscribe}
	if w.filter && !forEverything(topic) {
		w.want |= backends.SubscribeParts
	}
	w.noUser = c.User == "" || hasSpecial(c.User)
	w.noID = c.ID == "" || hasSpecial(c.ID)
	for i := range img.word(offSections) {
		if d := w.section(img.word(offRoots + 4*i)); d != NoMatch {
			return d
		}
	}
	return NoMatch
}

type walker struct {
	img          Image
	client       Client
	topic        string
	want         backends.Access
	filter       bool
	noUser, noID bool // no rule with %u, or %c, matches
	steps        int

	stack [maxStack]place
	depth int
}

// place is a node, and where in the topic the level below it begins; rest is -1
// if the topic ended at the node.
type place struct {
	node uint32
	rest int32
}

// section walks one tree. A deny that matches decides at once; a grant only
// after everything that matches has been seen.
func (w *walker) section(root uint32) Decision {
	granted := backends.None
	w.depth = 0
	if !w.push(root, 0) {
		return TooDeep
	}
	for w.depth > 0 {
		w.depth--
		p := w.stack[w.depth]
		if w.steps++; w.steps > maxSteps {
			return TooDeep
		}
		grant, deny, ok := w.visit(p)
		if !ok {
			return TooDeep
		}
		if deny&w.want != 0 {
			return Deny
		}
		granted |= grant
	}
	if granted&w.want != 0 {
		return Allow
	}
	return NoMatch
}

// visit returns the rights that a node gives, and sets aside the nodes below it
// that the next level leads to.
func (w *walker) visit(p place) (grant, deny backends.Access, ok bool) {
	own := w.img[p.node:]
	hidden := p.rest == 0 && w.dollar()
	if !hidden {
		grant, deny = backends.Access(own[nodeHashGrant]), backends.Access(own[nodeHashDeny])
	}
	if p.rest < 0 {
		return grant | backends.Access(own[nodeGrant]), deny | backends.Access(own[nodeDeny]), true
	}
	level, next := w.level(p.rest)
	if w.filter && level == "#" {
		return grant, deny, true // only a "#" covers it
	}
	if plus := w.img.word(p.node + nodePlus); plus != 0 && !hidden && !w.push(plus, next) {
		return 0, 0, false
	}
	if w.filter && level == "+" {
		return grant, deny, true // only a "+" or a "#" covers it
	}
	n, ok := w.literal(w.img.word(p.node+nodeLiterals), level)
	if !ok || n != 0 && !w.push(n, next) {
		return 0, 0, false
	}
	return grant, deny, w.templates(w.img.word(p.node+nodeTemplates), level, next, hidden)
}

// dollar tells whether wildcards in a first level must not match the topic.
func (w *walker) dollar() bool {
	return strings.HasPrefix(w.topic, "$") && w.img.word(offFlags)&flagDollar == 0
}

// level cuts the level that begins at rest, and returns where the next begins.
func (w *walker) level(rest int32) (level string, next int32) {
	s := w.topic[rest:]
	if i := strings.IndexByte(s, '/'); i >= 0 {
		return s[:i], rest + int32(i) + 1
	}
	return s, -1
}

func (w *walker) push(node uint32, rest int32) bool {
	if w.depth == maxStack {
		return false
	}
	w.stack[w.depth] = place{node, rest}
	w.depth++
	return true
}

// literal finds the node for a level in a table, 0 if there is none. Each entry that
// it has to pass is a step: whoever writes rules can have many in the same place.
func (w *walker) literal(table uint32, level string) (node uint32, ok bool) {
	if table == 0 {
		return 0, true
	}
	mask, h := w.img.word(table), hashLevel(level)
	for i := h & mask; ; i = (i + 1) & mask {
		e := table + headerSize + i*entrySize
		n := w.img.word(e + entryNode)
		if n == 0 || w.img.word(e+entryHash) == h && w.text(e) == level {
			return n, true
		}
		if w.steps++; w.steps > maxSteps {
			return 0, false
		}
	}
}

func (w *walker) text(entry uint32) string {
	at := w.img.word(entry + entryText)
	return string(w.img[at : at+w.img.word(entry+entryLen)])
}

// templates sets aside the nodes of the levels with placeholders that fit.
func (w *walker) templates(list uint32, level string, next int32, hidden bool) bool {
	if list == 0 {
		return true
	}
	for i := range w.img.word(list) {
		if w.steps++; w.steps > maxSteps {
			return false
		}
		e := list + headerSize + i*entrySize
		t := w.text(e)
		if hidden && t[0] == placeholder || !w.fits(t, level) {
			continue
		}
		if !w.push(w.img.word(e+entryNode), next) {
			return false
		}
	}
	return true
}

// fits compares a level with a template. A placeholder is replaced once; what
// it stands for is not looked at again.
func (w *walker) fits(t, level string) bool {
	for i := 0; i < len(t); i++ {
		if t[i] != placeholder {
			if level == "" || level[0] != t[i] {
				return false
			}
			level = level[1:]
			continue
		}
		i++
		value, none := w.client.User, w.noUser
		if t[i] == 'c' {
			value, none = w.client.ID, w.noID
		}
		if none || !strings.HasPrefix(level, value) {
			return false
		}
		level = level[len(value):]
	}
	return level == ""
}
