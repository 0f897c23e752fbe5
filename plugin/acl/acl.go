// Package acl judges topics.
//
// An account's rules are compiled once to an [Image], a flat and immutable
// block of bytes that holds a tree of topic levels, and every question walks
// that tree: the cost grows with the depth of the topic, not with the number of
// rules. Nothing is allocated, and the steps of one walk are bounded; a walk
// that would take more denies.
//
// User name and client id stay placeholders in the image, so that users whose
// lists differ only in them can share one.
package acl

import (
	"strings"
	"unique"

	"mosquitto-go-auth/backends"
)

// Client is who asks: what %u and %c in the rules stand for.
type Client struct {
	User string // "" for a client without a user name: no rule with %u matches
	ID   string
}

// Decision is the answer of one walk.
type Decision uint8

const (
	NoMatch Decision = iota // no rule says anything: refused, unless another list grants it
	Allow                   // a rule grants it
	Deny                    // a rule denies it
	TooDeep                 // the walk would take too many steps: refused
)

// Part is what one backend grants a user.
type Part struct {
	User       string // the user's name in that backend, for %u
	Everything bool   // a superuser, or a store without rules that allows everything
	Subscribes bool   // subscriptions are not judged
	Image      Image

	held unique.Handle[Image]
}

// Hold sets the image, and has all parts with an equal one share the memory, for as
// long as there are any.
func (p *Part) Hold(img Image) {
	p.held = unique.Make(img)
	p.Image = p.held.Value()
}

// Profile is all that a user may do: a part for each backend that has rules. A
// right is granted if any part grants it. A profile is immutable.
type Profile []Part

// Allows tells whether one part of the profile grants the access to the topic.
// access is one of Read, Write and Subscribe; with Subscribe, topic is a filter,
// and a shared one ($share/group/filter) is judged by the filter in it.
func (p Profile) Allows(clientID, topic string, access backends.Access) bool {
	if access == backends.Subscribe {
		var ok bool
		if topic, ok = unshared(topic); !ok {
			return false
		}
	}
	for i := range p {
		if p[i].allows(clientID, topic, access) {
			return true
		}
	}
	return false
}

func (p *Part) allows(clientID, topic string, access backends.Access) bool {
	if p.Everything || p.Subscribes && access == backends.Subscribe {
		return true
	}
	return p.Image.Walk(Client{p.User, clientID}, topic, access) == Allow
}

// unshared returns the filter inside a shared subscription, and the filter
// itself if it is none. It fails for a shared subscription without a filter or with
// an empty or wild group, which MQTT does not allow (MQTT 5.0, section 4.8.2).
func unshared(filter string) (string, bool) {
	rest, shared := strings.CutPrefix(filter, "$share/")
	if !shared {
		return filter, true
	}
	group, inner, ok := strings.Cut(rest, "/")
	return inner, ok && inner != "" && group != "" && !strings.ContainsAny(group, "+#")
}

// forEverything tells whether a filter asks for all topics.
func forEverything(filter string) bool { return filter == "#" || filter == "+/#" }

// hasSpecial tells whether a name holds a character that has a meaning in a
// topic filter, so that it must not be put into a rule.
func hasSpecial(name string) bool { return strings.ContainsAny(name, "+#/") }
