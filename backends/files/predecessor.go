package files

import (
	"slices"

	"mosquitto-go-auth/backends"
)

// predecessor reads an ACL file as mosquitto-go-auth did:
//
//   - Topic lines before the first user line, and pattern lines, are general:
//     they hold for every user name, in a file or not. In them alone, %u and %c
//     stand for the user name and the client id.
//   - The order of the lines does not matter. A deny, of the user or a general
//     one, beats every grant and takes all rights.
//   - Where there is a password file, the topics of users that are not in it
//     are dropped.
//   - Clients without a user name have no rights.
type predecessor struct{}

func (predecessor) words() string { return "read, write, readwrite, subscribe or deny" }

func (predecessor) access(word, filter string) (r backends.Rule, ok bool) {
	switch word {
	case "read":
		r.Access = backends.Read | backends.Subscribe
		if filter == "#" { // read # subscribes to everything but #
			r.Access = backends.Read | backends.SubscribeParts
		}
	case "write":
		r.Access = backends.Write
	case "readwrite":
		r.Access = backends.All
	case "subscribe":
		r.Access = backends.Subscribe
	case "deny":
		r.Access, r.Deny = backends.All, true
	default:
		return r, false
	}
	return r, true
}

func (predecessor) rights(a acl, hashes map[string]string, notes *remarks) *rights {
	if a.wildcard > 0 {
		notes.add(a.wildcard, "a wildcard in the first level does not reach topics that begin with $, unless wildcards_match_dollar is true")
	}
	a.users = slices.DeleteFunc(a.users, func(u userLines) bool {
		_, ok := hashes[u.name]
		drop := hashes != nil && !ok
		if drop {
			notes.add(u.line, "user %q is not in the password file: the topics below are dropped", u.name)
		}
		return drop
	})
	general := slices.Concat(a.leading, a.patterns)
	r := &rights{users: map[string]backends.Account{}}
	for name, topics := range a.topics() {
		r.users[name] = backends.Account{Sections: sections(slices.Concat(topics, general))}
	}
	if len(general) > 0 {
		r.others = &backends.Account{Sections: sections(general)}
	}
	return r
}
