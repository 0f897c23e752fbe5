// Package plugin is the engine: a Mosquitto plugin without Mosquitto.
//
// The way of one login begins at [Engine.Login], on the broker's thread. Names
// are checked there (identity.go), and what needs a store or a hash goes to a
// worker (worker.go) as a [job], with a ticket for clients that can be delayed
// (ticket.go) and within the stall credit for all others (credit.go). The
// worker's result comes back in [Engine.Tick]. ACL checks are answered from
// profiles (profile.go, check.go) that were fetched with the login.
//
// Only the broker's thread changes the engine's state and calls the [Host].
// Workers get copies, and hand back values over a channel that Tick drains.
package plugin

// Ref names a client of the broker for as long as it exists: its address. The
// broker gives the address of a client that is gone to another.
type Ref uint64

// Host is the broker. Its methods are called on the broker's thread only, but
// for Wake and Start. Complete and Kick may call the engine again before they return.
type Host interface {
	// Log writes a line to the broker's log.
	Log(level Level, text string)
	// Complete ends a delayed login. The broker knows it by the client id.
	Complete(clientID string, allow bool)
	// Kick disconnects the client that is connected with this id, if any.
	Kick(clientID string)
	// Find returns the client, connected or with an offline session, that has
	// this id. known is false if the broker cannot tell.
	Find(clientID string) (ref Ref, known bool)
	// SetUsername changes the name by which the broker knows a client that is
	// logging in.
	SetUsername(client Ref, name string)
	// Wake makes the broker call Tick soon. It is safe on any thread.
	Wake()
	// Start has a function run soon, in a goroutine. The function must not block or
	// panic. Start is safe on any thread.
	Start(f func())
	// Turn counts the turns of the broker's loop.
	Turn() uint64
	// Delays tells whether the broker can delay a login.
	Delays() bool
}

// Verdict is the answer to a login.
type Verdict uint8

const (
	Refuse      Verdict = iota // no: unknown name, wrong password, forbidden name
	Accept                     // yes
	Defer                      // not ours to say: the broker's allow_anonymous decides
	Unavailable                // cannot tell now: no store could answer
	ComeBack                   // not yet: the client should connect again
	Pending                    // Tick will complete it
)

var verdictNames = [...]string{"refused", "accepted", "deferred", "unavailable", "told to come back", "pending"}

func (v Verdict) String() string { return verdictNames[v] }

// Answer is the answer to an ACL check.
type Answer uint8

const (
	Denied    Answer = iota
	Granted          // allowed
	NotJudged        // no source of rules is configured: the broker does as if we were not there
)

// Login is a client's request to be let in: a BASIC_AUTH event.
type Login struct {
	Client      Ref
	ClientID    string
	Username    string
	HasUsername bool // false: the client gave none (NULL)
	Password    string
	HasPassword bool
	Address     string // the client's network address, "" if unknown
	Version     int    // of MQTT: 3, 4 (3.1.1) or 5
	Clean       bool   // clean session, or clean start with no session expiry
}
