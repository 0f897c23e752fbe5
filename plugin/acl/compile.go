package acl

import (
	"fmt"
	"strconv"
	"strings"

	"mosquitto-go-auth/backends"
)

// Options change how rules are read.
type Options struct {
	// WildcardsMatchDollar lets + and # match a first level that begins with
	// $, as the predecessor did. MQTT forbids it.
	WildcardsMatchDollar bool
}

// Compile turns an account's sections into an image. Rules that grant with a
// pattern that is no topic filter are left out and reported in notes; one that
// denies is an error, since leaving it out could grant what it forbids.
func Compile(sections []backends.Section, o Options) (img Image, notes []string, err error) {
	roots := make([]*node, len(sections))
	for i, s := range sections {
		roots[i] = &node{}
		for _, r := range s {
			if err := backends.CheckFilter(r.Pattern); err != nil {
				if r.Deny {
					return "", nil, fmt.Errorf("rule deny %s: %w", shown(r.Pattern), err)
				}
				notes = append(notes, fmt.Sprintf("rule %s is left out: %v", shown(r.Pattern), err))
				continue
			}
			roots[i].add(r)
		}
	}
	return emit(roots, o), notes, nil
}

// shown is a pattern for a log, of which the beginning is enough.
func shown(pattern string) string {
	const enough = 100
	if len(pattern) <= enough {
		return strconv.Quote(pattern)
	}
	return strconv.Quote(pattern[:enough]) + "…"
}

// ReachesDollar tells whether a rule's pattern would match topics that begin
// with $ if wildcards did so: what the predecessor's users may rely on.
func ReachesDollar(pattern string) bool {
	return strings.HasPrefix(pattern, "#") || strings.HasPrefix(pattern, "+")
}

// node is a level of the tree while it is built.
type node struct {
	grant, deny         backends.Access // for a topic that ends here
	hashGrant, hashDeny backends.Access // for that topic and all below it
	plus                *node
	literals            children
	templates           children // levels with %u or %c in them
}

// children keeps the order in which the levels came, so that equal lists give
// equal images.
type children struct {
	levels []string
	nodes  map[string]*node
}

func (c *children) child(level string) *node {
	n := c.nodes[level]
	if n == nil {
		if c.nodes == nil {
			c.nodes = map[string]*node{}
		}
		n = &node{}
		c.nodes[level] = n
		c.levels = append(c.levels, level)
	}
	return n
}

func (n *node) add(r backends.Rule) {
	for level := range strings.SplitSeq(r.Pattern, "/") {
		switch {
		case level == "#":
			if r.Deny {
				n.hashDeny |= r.Access
			} else {
				n.hashGrant |= r.Access
			}
			return
		case level == "+":
			if n.plus == nil {
				n.plus = &node{}
			}
			n = n.plus
		case !r.Literal && (strings.Contains(level, "%u") || strings.Contains(level, "%c")):
			n = n.templates.child(template(level))
		default:
			n = n.literals.child(level)
		}
	}
	if r.Deny {
		n.deny |= r.Access
	} else {
		n.grant |= r.Access
	}
}

// A template is a level in which NUL and the letter u or c, in place of the
// percent sign and the letter, marks a placeholder. No topic holds a NUL.
const placeholder = 0

func template(level string) string {
	return strings.NewReplacer("%u", "\x00u", "%c", "\x00c").Replace(level)
}
