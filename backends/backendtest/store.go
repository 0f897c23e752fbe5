package backendtest

import (
	"context"
	"strings"
	"testing"
	"time"

	"mosquitto-go-auth/backends"
	"mosquitto-go-auth/conf"
)

// Store is a store that is put to the test: how to fill it, how a driver is
// told to read it, and what it cannot keep. The zero values of the fields that
// limit it say that it can keep everything but rules that deny.
type Store struct {
	Driver  backends.Driver
	Options string // a line "KEY VALUE" each, as behind auth_opt_

	// Set makes the store hold these accounts and no others. A rule with %u or
	// %c may as well be kept for everybody.
	Set func(t testing.TB, accounts []Account)

	Holds    func(name string) bool            // which names an account can have; nil for all
	Grants   func(rights backends.Access) bool // which sets of rights, from 1 to 7, a topic can have; nil for all
	Denies   bool                              // there are rules that deny
	NoSupers bool                              // there are no superusers
	NoNulls  bool                              // an account always has a hash
	NoRules  bool                              // without a hash, an account has no rules either

	FreeSubscriptions bool // subscriptions are not judged

	// Watches says that the backend, with these Options, is a
	// [backends.Watcher] that learns of what Set does.
	Watches bool

	// Through, of a store that is a server, returns options that have the driver
	// reach it at an address (host:port) instead. Server is where it listens:
	// host:port, or a socket with a leading slash.
	Through func(address string) (options string)
	Server  string

	Shapes []Shape // answers that are no account
}

// Account is what a store is to hold of one user.
type Account struct {
	Name   string
	Hash   string
	NoHash bool // there is none: NULL, or what the store has for it. A Hash of "" is stored as it is
	Super  bool
	Rules  []backends.Rule // at most one for a pattern
}

// Shape is an answer of a store from which no account can be read: too many
// columns, a text for a number, a key of another type. The account "sam" is in
// the store, and asking for it must give [backends.ErrBadAnswer].
type Shape struct {
	Name    string
	Options string             // these replace or add to those of the Store
	Spoil   func(t testing.TB) // changes what is stored; may be nil
	Lookup  backends.Lookup    // RulesOnly or PasswordOnly, if that is what is asked; Name is set by the suite
}

// patience is how long an answer may take before a test fails. It is generous:
// none of the tests measures time.
const patience = 10 * time.Second

// within returns a context with a deadline, as every question has one.
func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// open makes a backend on the store. Lines of more replace those of the
// Store's options that have the same key.
func (s *Store) open(t testing.TB, more string) backends.Backend {
	t.Helper()
	set := conf.NewSet()
	open := s.Driver.Declare(set)
	set.Parse(lines(s.Options, more))
	if _, faults := set.Result(); len(faults) > 0 {
		t.Fatal(faults)
	}
	opened, err := open(backends.AllChecks)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { opened.Close() })
	return opened.Backend
}

func lines(texts ...string) (list []conf.Line) {
	at := map[string]int{}
	for line := range strings.Lines(strings.Join(texts, "\n")) {
		key, value, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok {
			continue
		}
		l := conf.Line{Key: key, Value: value}
		if i, again := at[key]; again {
			list[i] = l
			continue
		}
		at[key] = len(list)
		list = append(list, l)
	}
	return list
}

// set fills the store, and has a backend read it again that does so when it is
// told to only.
func (s *Store) set(t testing.TB, b backends.Backend, accounts ...Account) {
	t.Helper()
	s.Set(t, accounts)
	if r, ok := b.(backends.Reloader); ok {
		if _, err := r.Reload(within(t)); err != nil {
			t.Fatalf("reading again: %v", err)
		}
	}
}

func (s *Store) holds(name string) bool { return s.Holds == nil || s.Holds(name) }

func (s *Store) grants(rights backends.Access) bool { return s.Grants == nil || s.Grants(rights) }

// keeps tells whether the store can keep a rule.
func (s *Store) keeps(r backends.Rule) bool {
	if r.Deny {
		return s.Denies
	}
	return r.Access != backends.None && s.grants(r.Access)
}
