package mqtt

import (
	"testing"
	"time"
)

// Again is for how long a login is tried again, and Pause how long it rests
// between two tries.
const (
	Again = 10 * time.Second
	Pause = 50 * time.Millisecond
)

// Login logs a client in, and ends the test if it is refused.
func Login(t testing.TB, addr string, o Options) *Client {
	t.Helper()
	c, answer := TryLogin(t, addr, o)
	if answer.Code != Success {
		t.Fatalf("login with id %q: %v", o.ID, answer.Code)
	}
	return c
}

// TryLogin connects and returns the broker's answer. Like a real client it
// connects again while the broker closes without one or is busy, and returns what
// it then got last.
func TryLogin(t testing.TB, addr string, o Options) (*Client, Connack) {
	t.Helper()
	for deadline := time.Now().Add(Again); ; time.Sleep(Pause) {
		c := Dial(t, addr, o)
		answer := c.Connect()
		comeBack := answer.Code == Closed || answer.Code == Busy
		if !comeBack || time.Now().After(deadline) {
			return c, answer
		}
		c.Drop()
	}
}

// TurnedAway connects once, while the broker cannot tell whether the client may
// come in. It is to close without an answer; but a login that it has delayed it can
// only let in or refuse.
func TurnedAway(t testing.TB, addr string, o Options) {
	t.Helper()
	c := Dial(t, addr, o)
	defer c.Drop()
	if code := c.Connect().Code; code != Closed && (code != NotAuthorized || o.Version == 5) {
		t.Errorf("login with id %q: %v, and should be turned away", o.ID, code)
	}
}
