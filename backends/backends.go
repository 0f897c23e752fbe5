// Package backends is the contract between the engine and the places where
// accounts are kept.
//
// A backend fetches; it does not judge. It answers one question, what it knows
// of an account, and leaves the verifying of passwords, the matching of topics
// and the remembering of answers to the engine. A new one is a directory that
// declares a [Driver], and one line in the table of backends/all.
package backends

import (
	"context"
	"errors"
	"time"

	"mosquitto-go-auth/conf"
)

// Access is a set of rights. The numbers are the broker's own (MOSQ_ACL_READ,
// _WRITE, _SUBSCRIBE) and at the same time the r-w-s numbers 0 to 7 of the
// user tables.
type Access uint8

const (
	Read      Access = 1 << iota // messages are delivered to the client
	Write                        // the client publishes
	Subscribe                    // the client subscribes, to any filter that the pattern covers

	// SubscribeParts is Subscribe for every filter but the one that asks for
	// everything ("#" and its twin "+/#"). Only the predecessor's ACL files
	// have such a right: "topic read #" does not allow to subscribe to "#".
	SubscribeParts Access = 1 << 4

	None Access = 0
	All         = Read | Write | Subscribe
)

// Rule grants, or denies, rights on the topics that a pattern matches.
type Rule struct {
	Pattern string // a topic filter; %u stands for the user name, %c for the client id
	Access  Access
	Deny    bool
	Literal bool // %u and %c in Pattern are plain text
}

// Section is a list of rules whose order does not matter: a matching deny
// beats every grant. The sections of an account are tried in order, and the
// first with a rule that matches decides.
type Section []Rule

// Account is all that a backend knows of one user.
type Account struct {
	Name       string    // the name as the store spells it, if it knows; it must equal the name asked for
	Hash       string    // the stored password hash; "" refuses every password
	Super      bool      // every right
	AllowAll   bool      // the store has no rules and by the predecessor's reading that grants everything
	Subscribes bool      // subscriptions are not judged, as in Mosquitto's own acl_file
	Sections   []Section // the rules
	Expires    time.Time // the account's end; zero for never
}

// ErrNoUser says that the store answered, and knows nothing of the name. Any
// other error says that the store could not answer. An error must not contain
// a password or a hash.
var ErrNoUser = errors.New("no such user")

// ErrBadAnswer says that the store answered, but with something that is no
// account: a row of another shape than was expected, or that it cannot run the
// query. It is a fault of that one account, or of the query; the store is not taken
// to be down.
var ErrBadAnswer = errors.New("not an account")

// Lookup is a question to a backend.
type Lookup struct {
	Name     string // never ""
	ClientID string

	// RulesOnly asks for rights only: another backend vouches for the name.
	// Hash is not wanted then, and a name that this store has rules for,
	// though no password, is no reason for ErrNoUser.
	RulesOnly bool

	// PasswordOnly asks for the hash and the end of the account only: the
	// rights are known. Super, AllowAll and Sections are not wanted then, and a
	// backend can save itself the questions for them.
	PasswordOnly bool
}

// Backend is one source of accounts. Its methods may be called from any
// goroutine at any time.
type Backend interface {
	// User fetches an account. It observes ctx, which always has a deadline.
	User(ctx context.Context, l Lookup) (Account, error)
	// Close releases what the backend holds, and does not wait for calls
	// in flight.
	Close() error
}

// Anonymous is a Backend that has rules for clients without a user name.
type Anonymous interface {
	// Anonymous returns an account of which only the rules count, or
	// ErrNoUser where there are none.
	Anonymous(ctx context.Context) (Account, error)
}

// InMemory marks a Backend whose User and Anonymous answer from memory, without
// I/O and without a lock that could be held for long: the engine calls them on
// the broker's thread.
type InMemory interface{ InMemory() }

// PerClient is a Backend whose answers may depend on Lookup.ClientID.
type PerClient interface {
	// PerClient tells whether what it says of a password does.
	PerClient() bool
}

// Watcher is a Backend that learns of changes in its store. One that was not set up
// to learn of any must not be a Watcher.
type Watcher interface {
	// Watch calls changed with the name of an account that changed, or ""
	// for all of them, until ctx ends or an error ends the watch; then it is
	// called again, after a pause. The first call of changed, with "", says that
	// the watch is in place: what changed before may have been missed.
	Watch(ctx context.Context, changed func(name string)) error
}

// Reloader is a Backend that reads its source again when the broker is told to
// (SIGHUP). After an error the old state stays in force.
type Reloader interface {
	// Reload returns what an operator should know besides (skipped lines and
	// the like).
	Reload(ctx context.Context) (notes []string, err error)
}

// Prober is a Backend that can examine its own queries and settings against
// the live store.
type Prober interface {
	// Probe returns what an operator should know, a sentence each. name is an
	// account that exists, or "" if none is known yet. The error, or several
	// that were joined, says that the store could not be asked; or, if it is
	// ErrBadAnswer, that a query or a setting is at fault.
	Probe(ctx context.Context, name string) (notes []string, err error)
}

// Adviser is a Backend that can say how a right is granted in its store.
type Adviser interface {
	// HowToGrant says what an operator has to add, and where, so that the user
	// gets the rights of the rule: lines to be typed or pasted, the first says
	// where they go. name is "" for clients without a user name. It returns ""
	// if the store cannot grant it. The store is not asked.
	HowToGrant(name string, r Rule) string
}

// Checks is a set of the questions a backend is registered for.
type Checks uint8

const (
	CheckUser Checks = 1 << iota
	CheckSuperuser
	CheckACL

	AllChecks = CheckUser | CheckSuperuser | CheckACL
)

// Driver makes backends of one kind.
type Driver struct {
	Name   string // as in the option backends, "mysql"
	Prefix string // of its options, "mysql" for mysql_host
	Doc    string // one line

	// Declare adds the driver's options to the set. Once the set has read its
	// values, open makes the backend.
	Declare func(*conf.Set) (open Open)
}

// Open makes a backend that is asked for the given checks only. It does not
// wait for a server: one that is down is no error here. An error is a fault of
// the configuration, or several that were joined.
type Open func(checks Checks) (Opened, error)

// Opened is a new backend.
type Opened struct {
	Backend
	Provides Checks   // what it was configured to answer: no password file, no CheckUser
	Notes    []string // what an operator should know: dangerous settings, skipped lines; a sentence each
}
