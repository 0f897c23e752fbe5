package files

import (
	"slices"
	"strings"

	"mosquitto-go-auth/backends"
)

// mosquitto reads an ACL file as the broker's own acl_file is read:
//
//   - Topic lines before the first user line are for clients without a user
//     name, and for them alone. Pattern lines are for everybody; %u and %c in
//     them stand for the user name and the client id. Without a user name, the
//     patterns with %u are passed over.
//   - The user's topics are tried first, then the patterns. Within each, a deny
//     beats every grant; but a topic that grants beats a pattern that denies.
//   - Delivery and publishing are judged. Subscribing is always allowed.
//   - Users do not have to be in a password file.
type mosquitto struct{}

func (mosquitto) words() string { return "read, write, readwrite or deny" }

func (mosquitto) access(word, _ string) (r backends.Rule, ok bool) {
	switch word {
	case "read":
		r.Access = backends.Read
	case "write":
		r.Access = backends.Write
	case "readwrite":
		r.Access = backends.Read | backends.Write
	case "deny":
		r.Access, r.Deny = backends.Read|backends.Write, true
	default:
		return r, false
	}
	return r, true
}

func (mosquitto) rights(a acl, _ map[string]string, _ *remarks) *rights {
	account := func(topics, patterns backends.Section) backends.Account {
		return backends.Account{Subscribes: true, Sections: sections(topics, patterns)}
	}
	users := map[string]backends.Account{}
	for name, topics := range a.topics() {
		users[name] = account(topics, a.patterns)
	}
	others := account(nil, a.patterns)

	for i := range a.leading {
		a.leading[i].Literal = true
	}
	anonymous := account(a.leading, slices.DeleteFunc(slices.Clone(a.patterns), func(r backends.Rule) bool {
		return strings.Contains(r.Pattern, "%u")
	}))
	return &rights{users: users, others: &others, anonymous: &anonymous}
}
