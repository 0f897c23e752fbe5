package plugin

import "strings"

// identify tells who a client says it is. A verdict other than Pending ends the
// login; why says the reason.
//
// NULL is not "": a client without a user name is left to the broker's
// allow_anonymous, one with an empty name is refused.
func (e *Engine) identify(l *Login) (name string, v Verdict, why string) {
	name = l.Username
	switch {
	case !l.HasUsername && !(e.o.clientIDAsName && l.HasPassword):
		return "", Defer, "no user name"
	case !l.HasPassword:
		return name, Refuse, "no password"
	case e.o.clientIDAsName:
		name = l.ClientID
	}
	switch {
	case name == "" || name == Anonymous:
		return "", Refuse, "empty user name"
	case e.special(name):
		return name, Refuse, "the user name has a + or #"
	case e.special(l.ClientID):
		return name, Refuse, "the client id has a + or #"
	}
	return name, Pending, ""
}

// subject returns the name under which a client's rights are kept. It fails for a
// client that has none, whatever the rules say.
func (e *Engine) subject(clientID, username string, hasUsername bool) (name string, ok bool) {
	if !hasUsername {
		return Anonymous, !e.special(clientID)
	}
	return username, username != "" && username != Anonymous && !e.special(username) && !e.special(clientID)
}

// special tells whether a name must be refused for its characters: put into a
// topic filter, they would widen it.
func (e *Engine) special(name string) bool {
	return e.o.denySpecial && strings.ContainsAny(name, "+#")
}
