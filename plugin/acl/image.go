package acl

import "encoding/binary"

// Image is an account's compiled rules. It holds only offsets from its own
// begin, so it may be copied anywhere. All numbers are 32 bits wide, the least
// significant byte first, at offsets that are multiples of four. Compile keeps
// equal images in memory once.
//
//	image     flags, number of sections, offset of each section's root node
//	node      rights, plus, literals, templates
//	rights    four bytes: granted and denied to a topic that ends here, granted
//	          and denied to that topic and all below it (the level "#")
//	plus      offset of the node for the level "+", or 0
//	literals  offset of a table, or 0: its size less one (the size is a power
//	          of two), then the entries, in the place that the hash of the level
//	          says or the next free one
//	templates offset of a list, or 0: its length, then the entries
//	entry     hash (0 in a list), offset and length of the level's text, node;
//	          an entry whose node is 0 is free
type Image string

const (
	flagDollar = 1 // + and # match a first level that begins with $

	offFlags    = 0
	offSections = 4
	offRoots    = 8

	nodeGrant     = 0
	nodeDeny      = 1
	nodeHashGrant = 2
	nodeHashDeny  = 3
	nodePlus      = 4
	nodeLiterals  = 8
	nodeTemplates = 12
	nodeSize      = 16

	entryHash  = 0
	entryText  = 4
	entryLen   = 8
	entryNode  = 12
	entrySize  = 16
	headerSize = 4 // of a table or list
)

func (img Image) word(off uint32) uint32 {
	b := img[off : off+4]
	return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24
}

// hashLevel is FNV-1a with 32 bits.
func hashLevel(s string) uint32 {
	h := uint32(2166136261)
	for i := range len(s) {
		h = (h ^ uint32(s[i])) * 16777619
	}
	return h
}

// emit lays out the trees.
func emit(roots []*node, o Options) Image {
	e := &emitter{texts: map[string]uint32{}}
	e.alloc(offRoots + 4*len(roots))
	if o.WildcardsMatchDollar {
		e.put(offFlags, flagDollar)
	}
	e.put(offSections, uint32(len(roots)))
	for i, r := range roots {
		at := e.node(r)
		e.put(uint32(offRoots+4*i), at)
	}
	return Image(e.img)
}

type emitter struct {
	img   []byte
	texts map[string]uint32
}

func (e *emitter) put(off, v uint32) { binary.LittleEndian.PutUint32(e.img[off:], v) }

// alloc appends n zero bytes, rounded up to a multiple of four.
func (e *emitter) alloc(n int) uint32 {
	at := uint32(len(e.img))
	e.img = append(e.img, make([]byte, (n+3)&^3)...)
	return at
}

func (e *emitter) text(s string) uint32 {
	at, ok := e.texts[s]
	if !ok {
		at = e.alloc(len(s))
		copy(e.img[at:], s)
		e.texts[s] = at
	}
	return at
}

func (e *emitter) node(n *node) uint32 {
	at := e.alloc(nodeSize)
	copy(e.img[at:], []byte{byte(n.grant), byte(n.deny), byte(n.hashGrant), byte(n.hashDeny)})
	if n.plus != nil {
		plus := e.node(n.plus)
		e.put(at+nodePlus, plus)
	}
	if len(n.literals.levels) > 0 {
		table := e.table(&n.literals)
		e.put(at+nodeLiterals, table)
	}
	if len(n.templates.levels) > 0 {
		list := e.list(&n.templates)
		e.put(at+nodeTemplates, list)
	}
	return at
}

// table is at most half full, so that a search ends soon.
func (e *emitter) table(c *children) uint32 {
	size := uint32(2)
	for size < 2*uint32(len(c.levels)) {
		size *= 2
	}
	at := e.alloc(headerSize + int(size)*entrySize)
	e.put(at, size-1)
	for _, level := range c.levels {
		h := hashLevel(level)
		i := h & (size - 1)
		for binary.LittleEndian.Uint32(e.img[at+headerSize+i*entrySize+entryNode:]) != 0 {
			i = (i + 1) & (size - 1)
		}
		e.entry(at+headerSize+i*entrySize, h, level, c.nodes[level])
	}
	return at
}

func (e *emitter) list(c *children) uint32 {
	at := e.alloc(headerSize + len(c.levels)*entrySize)
	e.put(at, uint32(len(c.levels)))
	for i, level := range c.levels {
		e.entry(at+headerSize+uint32(i)*entrySize, 0, level, c.nodes[level])
	}
	return at
}

func (e *emitter) entry(at, hash uint32, level string, n *node) {
	text, sub := e.text(level), e.node(n)
	e.put(at+entryHash, hash)
	e.put(at+entryText, text)
	e.put(at+entryLen, uint32(len(level)))
	e.put(at+entryNode, sub)
}
