package sqldb

import (
	"context"
	"fmt"
	"unicode/utf8"

	"mosquitto-go-auth/backends"
	"mosquitto-go-auth/conf"
)

// Config says what a source is asked, and how.
type Config struct {
	Dialect Dialect
	Place   string // what is asked, for errors: "MySQL at db:3306/mqtt"

	// User's Text is needed unless the source is asked for rights only. ACL's
	// may be missing: a source whose User query has a name of
	// mosquitto-auth-plug's then grants nothing, any other everything.
	User, Super, ACL Query

	Checks backends.Checks
}

// Source answers for the accounts of one SQL server. Its methods may be called
// from any goroutine.
type Source struct {
	Config
	querier          Querier
	user, super, acl *Statement // nil if there is nothing to ask
	allowAll         bool
	guarded          bool // the userquery may return the name, which then must be the one asked for
}

// New reads the queries. The notes are what an operator should know of them;
// the error is [conf.Faults].
func New(c Config, q Querier) (*Source, []string, error) {
	s := &Source{Config: c, querier: q}
	asked := c.Checks&backends.CheckACL != 0
	s.allowAll = asked && c.ACL.Text == "" && !c.User.AuthPlug

	var faults conf.Faults
	parse := func(role Role, query Query, wanted bool) *Statement {
		if !wanted || query.Text == "" {
			return nil
		}
		statement, err := Parse(c.Dialect, role, query)
		if err != nil {
			faults = append(faults, conf.Remark{Key: query.Option, Text: err.Error()})
		}
		return statement
	}
	s.user = parse(UserQuery, c.User, c.Checks&backends.CheckUser != 0 || s.allowAll)
	s.super = parse(SuperQuery, c.Super, c.Checks&backends.CheckSuperuser != 0)
	s.acl = parse(ACLQuery, c.ACL, asked)
	if text := s.missing(); text != "" {
		faults = append(faults, conf.Remark{Key: c.User.Option, Text: text})
	}
	if len(faults) > 0 {
		return nil, nil, faults
	}
	s.guard()
	return s, s.notes(), nil
}

// guard finds out whether the userquery can tell one spelling of a name from
// another, which it then does for the rights too, also where it is asked for
// nothing else.
func (s *Source) guard() {
	user := s.user
	if user == nil && s.User.Text != "" && s.Checks&(backends.CheckSuperuser|backends.CheckACL) != 0 {
		user, _ = Parse(s.Dialect, UserQuery, s.User) // its faults do not matter here
	}
	if user != nil && user.columns() != 1 {
		s.user, s.guarded = user, true
	}
}

// missing says why a userquery is needed, if one is and there is none.
func (s *Source) missing() string {
	const example = "write the statement that returns the stored password hash of a user, such as " +
		"SELECT password_hash FROM users WHERE username = "
	placeholder := map[Dialect]string{MySQL: "?", Postgres: "$1"}[s.Dialect]
	switch {
	case s.User.Text != "":
		return ""
	case s.Checks&backends.CheckUser != 0:
		return "is missing; " + example + placeholder
	case s.allowAll:
		return "is missing, and so is " + s.ACL.Option + ", without which everything is allowed to the users that this query finds; " +
			"write one of them"
	}
	return ""
}

func (s *Source) notes() []string {
	asked := s.Checks&backends.CheckACL != 0
	switch {
	case s.allowAll:
		return []string{fmt.Sprintf("%s is not set: everything is allowed to every user of %s, as in mosquitto-go-auth.", s.ACL.Option, s.Place)}
	case asked && s.acl == nil:
		return []string{fmt.Sprintf("%s is not set: nothing is allowed to the users of %s but to superusers, as in mosquitto-auth-plug.", s.ACL.Option, s.Place)}
	case asked:
		if note := s.acl.threshold(); note != "" {
			return []string{note}
		}
	}
	return nil
}

// Provides tells what the source answers. Without an aclquery it still answers
// for the rights: all or none.
func (s *Source) Provides() backends.Checks {
	provides := s.Checks & backends.CheckACL
	if s.user != nil {
		provides |= s.Checks & backends.CheckUser
	}
	if s.super != nil {
		provides |= backends.CheckSuperuser
	}
	return provides
}

// PerClient tells whether the userquery asks for the client id.
func (s *Source) PerClient() bool {
	return s.Checks&backends.CheckUser != 0 && s.user != nil && s.user.has(ClientID)
}

// Account fetches what the look-up wants. Where the statements cannot be sent at
// once, they run one after the other until the answer is known: of an unknown
// user nothing more is asked, and of a superuser not the rules.
func (s *Source) Account(ctx context.Context, l backends.Lookup) (backends.Account, error) {
	a, err := s.account(ctx, l)
	if err != nil {
		return backends.Account{}, err
	}
	return a, nil
}

func (s *Source) account(ctx context.Context, l backends.Lookup) (a backends.Account, err error) {
	if !utf8.ValidString(l.Name) || !utf8.ValidString(l.ClientID) {
		return a, backends.ErrNoUser // a server may put a ? for what it cannot read, and match
	}
	rulesOnly := l.RulesOnly || s.Checks&backends.CheckUser == 0
	if rulesOnly && l.PasswordOnly {
		return a, backends.ErrNoUser // there are no passwords here
	}
	user := !rulesOnly || s.allowAll || s.guarded
	asking := s.ask(ctx, l, s.plan(user, !l.PasswordOnly))
	if user {
		a.Name, a.Hash, err = asking.userRow(ctx)
		if err == errSpelling || err == backends.ErrNoUser && (!rulesOnly || s.allowAll) {
			return a, backends.ErrNoUser
		}
		if err != nil && err != backends.ErrNoUser || l.PasswordOnly {
			return a, err
		}
	}
	if rulesOnly {
		a.Hash = ""
	}
	if l.PasswordOnly {
		return a, nil
	}
	if s.super != nil {
		if a.Super, err = asking.isSuper(ctx); err != nil || a.Super {
			return a, err
		}
	}
	a.AllowAll = s.allowAll
	if s.acl != nil {
		if a.Sections, err = asking.rules(ctx); err != nil {
			return a, err
		}
	}
	if rulesOnly && !a.AllowAll && len(a.Sections) == 0 {
		return a, backends.ErrNoUser
	}
	return a, nil
}
