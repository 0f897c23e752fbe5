package plugin

import (
	"sync"

	"mosquitto-go-auth/backends"
	"mosquitto-go-auth/plugin/acl"
)

// compiled keeps the images of a source in memory, whose sections are the same
// for many users, and may be compiled on the broker's thread. It is safe for
// concurrent use.
type compiled struct{ images sync.Map }

// sectionsKey is the identity of at most two sections. It keeps them from being
// collected, so that no others can have it.
type sectionsKey struct {
	first, second *backends.Rule
	n, m          int
}

func keyOf(sections []backends.Section) (k sectionsKey, ok bool) {
	switch len(sections) {
	case 2:
		if len(sections[1]) == 0 {
			return k, false
		}
		k.second, k.m = &sections[1][0], len(sections[1])
		fallthrough
	case 1:
		if len(sections[0]) == 0 {
			return k, false
		}
		k.first, k.n = &sections[0][0], len(sections[0])
		return k, true
	}
	return k, false
}

// compile is acl.Compile, once for the same sections.
func (c *compiled) compile(sections []backends.Section, o acl.Options) (img acl.Image, notes []string, err error) {
	k, ok := keyOf(sections)
	if !ok {
		return acl.Compile(sections, o)
	}
	if kept, ok := c.images.Load(k); ok {
		return kept.(acl.Image), nil, nil
	}
	img, notes, err = acl.Compile(sections, o)
	if err == nil {
		c.images.Store(k, img)
	}
	return img, notes, err
}

// clear forgets all: the source was read again.
func (c *compiled) clear() { c.images.Clear() }
