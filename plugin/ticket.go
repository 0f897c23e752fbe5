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

// tickets are the delayed logins, and the clients whose wills must not be
// published. It is used on the broker's thread only.
type tickets struct {
	last uint64
	byID map[string]ticket

	// guards are the clients that are pending, and until the Tick after the
	// one that ended their login, those that were: the broker publishes the
	// will of a pending client that goes, and may do so one turn of its loop
	// after the login ended.
	guards map[Ref]uint64 // the number of the login
	ending []ticket       // whose guards the next Tick removes

	vanished recent[string] // client ids whose client went while it was pending
}

func newTickets() tickets {
	return tickets{byID: map[string]ticket{}, guards: map[Ref]uint64{}, vanished: newRecent[string](time.Minute, 10000)}
}

// issue makes a login pending.
func (t *tickets) issue(clientID string, client Ref) uint64 {
	t.last++
	t.byID[clientID] = ticket{t.last, client}
	t.guards[client] = t.last
	return t.last
}

// supersede ends the login that is pending for a client id, since the broker
// asks about another client with that id only when the first has gone.
func (t *tickets) supersede(clientID string) {
	if old, ok := t.byID[clientID]; ok {
		delete(t.byID, clientID)
		t.ending = append(t.ending, old)
		t.vanished.add(clientID)
	}
}

// redeem ends a pending login, and tells whether its result counts.
func (t *tickets) redeem(clientID string, number uint64) bool {
	k, ok := t.byID[clientID]
	if !ok || k.number != number {
		return false
	}
	delete(t.byID, clientID)
	t.ending = append(t.ending, k)
	return true
}

// forget removes the guard of a client address that was given to another.
func (t *tickets) forget(client Ref) { delete(t.guards, client) }

// guarded tells whether a client must not publish: it is, or was a moment ago,
// pending, and the broker does not have it among its clients.
func (t *tickets) guarded(h Host, client Ref, clientID string) bool {
	if _, ok := t.guards[client]; !ok {
		return false
	}
	if k, ok := t.byID[clientID]; ok && k.client == client {
		return true
	}
	found, known := h.Find(clientID)
	return !known || found != client
}

// turn removes the guards of the logins that ended before the last turn.
func (t *tickets) turn() {
	for _, k := range t.ending {
		if t.guards[k.client] == k.number {
			delete(t.guards, k.client)
		}
	}
	t.ending = t.ending[:0]
}

// busy tells whether the next Tick has something to do.
func (t *tickets) busy() bool { return len(t.ending) > 0 }
