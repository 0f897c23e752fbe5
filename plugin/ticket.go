package plugin

import "time"

// ticket is a login that the broker has delayed. The broker completes it by
// client id alone, so that each login takes a new number for its client id and
// only the newest may complete: otherwise the late success of a client that has
// gone would let in another that came with its id.
type ticket struct {
	number uint64
	client Ref
}

// Tickets are the delayed logins of all instances in the broker, since the
// broker keeps one table of them, and the clients whose wills must not be
// published. They are used on the broker's thread only.
type Tickets struct {
	last uint64
	byID map[string]ticket

	// guards are the clients that are pending, and for a while after that,
	// those that were: the broker publishes the will of a pending client that
	// goes, and may do so one turn of its loop after the login ended.
	guards map[Ref]uint64 // the number of the login
	ending []ended        // the oldest first

	// Told, if set, hears of each client whose guard begins or ends.
	Told func(client Ref, begins bool)

	vanished recent[mac] // client ids whose client went while it was pending
	key      macKey
}

// ended is a ticket whose guard is to be removed.
type ended struct {
	ticket
	at time.Time
}

// guardTime is how long a guard outlives its login. It has to reach into the
// next turn of the broker's loop; TICK may come several times in one.
const guardTime = 50 * time.Millisecond

// NewTickets returns an empty table.
func NewTickets() *Tickets {
	return &Tickets{byID: map[string]ticket{}, guards: map[Ref]uint64{},
		vanished: newRecent[mac](time.Minute, 10000), key: newMACKey()}
}

// issue makes a login pending.
func (t *Tickets) issue(clientID string, client Ref) uint64 {
	t.last++
	t.byID[clientID] = ticket{t.last, client}
	t.forget(client)
	t.guards[client] = t.last
	t.tell(client, true)
	return t.last
}

func (t *Tickets) tell(client Ref, begins bool) {
	if t.Told != nil {
		t.Told(client, begins)
	}
}

// supersede ends the login that is pending for a client id, in whatever
// instance, since the broker asks about another client with that id only when
// the first has gone.
func (t *Tickets) supersede(clientID string) {
	if old, ok := t.byID[clientID]; ok {
		t.end(clientID, old)
		t.vanished.add(t.key.sum(clientID))
	}
}

// redeem ends a pending login, and tells whether its result counts.
func (t *Tickets) redeem(clientID string, number uint64) bool {
	if !t.pending(clientID, number) {
		return false
	}
	t.end(clientID, t.byID[clientID])
	return true
}

// pending tells whether a login is.
func (t *Tickets) pending(clientID string, number uint64) bool {
	k, ok := t.byID[clientID]
	return ok && k.number == number
}

func (t *Tickets) end(clientID string, k ticket) {
	delete(t.byID, clientID)
	t.ending = append(t.ending, ended{k, time.Now()})
}

// hasVanished tells whether a client with this id went lately while it was
// pending.
func (t *Tickets) hasVanished(clientID string) bool { return t.vanished.has(t.key.sum(clientID)) }

// forget removes the guard of a client address that was given to another.
func (t *Tickets) forget(client Ref) {
	if _, ok := t.guards[client]; ok {
		delete(t.guards, client)
		t.tell(client, false)
	}
}

// guarded tells whether a client must not publish: it is, or was a moment ago,
// pending, and the broker does not have it among its clients.
func (t *Tickets) guarded(h Host, client Ref, clientID string) bool {
	if _, ok := t.guards[client]; !ok {
		return false
	}
	if k, ok := t.byID[clientID]; ok && k.client == client {
		return true
	}
	found, known := h.Find(clientID)
	return !known || found != client
}

// turn removes the guards of logins that ended a while ago.
func (t *Tickets) turn() {
	for now := time.Now(); len(t.ending) > 0 && now.Sub(t.ending[0].at) >= guardTime; t.ending = t.ending[1:] {
		k := t.ending[0]
		if t.guards[k.client] == k.number {
			t.forget(k.client)
		}
	}
}

// busy tells whether there are guards to be removed.
func (t *Tickets) busy() bool { return len(t.ending) > 0 }
