package plugin_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mosquitto-go-auth/backends"
	"mosquitto-go-auth/plugin"
)

// FuzzOrder plays events in any order: clients that come, come again, go, and are
// asked about after a reload, accounts that change, a store that hangs or is down, and
// time that passes. The first byte is the kind of broker and store, each other an event.
// Whatever the order, it checks that
//
//   - nobody is in with a password that did not count at the time,
//   - nobody is disconnected or refused at a reload whose password counted all along,
//   - a client that is pending publishes nothing, and does not stay so,
//   - in the end those are in, or get in, whose password counts, and nobody else.
func FuzzOrder(f *testing.F) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		events := make([]byte, 10+random.IntN(110))
		for i := range events {
			events[i] = byte(random.Uint32())
		}
		f.Add(events)
	}
	f.Fuzz(func(t *testing.T, events []byte) {
		if len(events) > 300 {
			t.Skip("longer than it takes to find something")
		}
		synctest.Test(t, func(t *testing.T) { playOrder(t, events) })
	})
}

func playOrder(t *testing.T, events []byte) {
	var kind byte
	if len(events) > 0 {
		kind, events = events[0], events[1:]
	}
	o := newOrder(t, kind)
	for _, e := range events {
		o.play(e)
		o.look()
		if t.Failed() {
			break
		}
	}
	o.finish()
	if t.Failed() {
		t.Logf("the events:\n%s", strings.Join(o.told, "\n"))
	}
}

// The users, their client ids, and the passwords that they have or try.
var (
	orderUsers     = []string{"alice", "bob"}
	orderIDs       = []string{"c0", "c1"}
	orderPasswords = []string{right, other}
)

// order is a broker in the middle of things, and what is true meanwhile.
type order struct {
	*broker
	db      *store
	tells   bool             // the store tells of changes
	changed func(string)     // tells of one
	truth   map[string][]was // by user, the last is now
	ticked  time.Time        // when the engine has surely heard of all changes
	release func()           // nil: the store is not held
	deaf    time.Time        // when the store first hung without a deadline
	waiting map[string]guest // the clients that are pending, by id
	in      map[string]guest // those that are in, or have a session
	last    client           // that came
	free    []plugin.Ref     // addresses of clients that are gone
	kicks   int              // of the broker's list, seen so far
	told    []string         // the events so far
}

// was is what a user's password is from a time on, "" for no account.
type was struct {
	since    time.Time
	password string
}

// guest is a client that came.
type guest struct {
	client
	since   time.Time // it came, or was let in
	offline bool
}

func newOrder(t *testing.T, kind byte) *order {
	o := &order{db: newStore("db"), tells: kind&2 != 0, truth: map[string][]was{}, waiting: map[string]guest{}, in: map[string]guest{}}
	if o.tells {
		o.db.watch = func(ctx context.Context, changed func(string)) error {
			o.changed = changed
			changed("")
			<-ctx.Done()
			return ctx.Err()
		}
	}
	v := v21
	if kind&1 != 0 {
		v = v20
	}
	o.broker = start(t, v, []*store{o.db}, "auth_timeout 3")
	o.prime()
	o.completing = func(id string) { o.admitted(o.waiting[id]) }
	for _, name := range orderUsers {
		o.change(name, right)
	}
	o.settleAll()
	return o
}

func (o *order) note(format string, args ...any) {
	o.told = append(o.told, fmt.Sprintf("%8.3fs ", time.Since(o.truth[orderUsers[0]][0].since).Seconds())+fmt.Sprintf(format, args...))
}

// change gives a user another password, or none.
func (o *order) change(name, password string) {
	o.truth[name] = append(o.truth[name], was{time.Now(), password})
	o.note("the password of %s is now %q", name, password)
	if password == "" {
		o.db.set(func() { delete(o.db.accounts, name) })
	} else {
		o.db.with(name, account(password, "t"))
	}
	if o.changed != nil {
		o.changed(name)
	}
}

// counted tells whether a password was a user's at some time since, and whether it
// always was.
func (o *order) counted(name, password string, since time.Time) (once, always bool) {
	always = true
	history := o.truth[name]
	for i, w := range history {
		if i+1 < len(history) && history[i+1].since.Before(since) {
			continue
		}
		once = once || w.password == password
		always = always && w.password == password
	}
	return once, always
}

// staleness is how old the answer of a store may be that lets a client in: a question
// of auth_timeout, begun again once, and the time that an answer waits for a client
// that was told to come back.
const staleness = (3*3 + 5) * time.Second

// admitted checks that a client may be in.
func (o *order) admitted(g guest) {
	o.lookAtKicks() // of the one who had the id before
	since := g.since.Add(-staleness)
	if !o.deaf.IsZero() && o.deaf.Before(since) {
		since = o.deaf // it may have been asked before that
	}
	if o.tells && since.Before(o.ticked) {
		since = o.ticked
	}
	if once, _ := o.counted(g.name, g.password, since); !once {
		o.t.Errorf("%s is in as %s with %q, which is not the password", g.id, g.name, g.password)
	}
	o.note("%s is in", g.id)
	if old, ok := o.in[g.id]; ok && old.ref != g.ref {
		o.free = append(o.free, old.ref)
	}
	delete(o.waiting, g.id)
	g.since = since
	o.in[g.id] = g
}

// thrownOut checks that a client may be disconnected.
func (o *order) thrownOut(id, why string) {
	g, ok := o.in[id]
	if !ok {
		o.t.Errorf("%s is %s, and was not in", id, why)
		return
	}
	if _, always := o.counted(g.name, g.password, g.since); always {
		o.t.Errorf("%s is %s, whose password counted all along", id, why)
	}
	o.note("%s is %s", id, why)
	o.gone(o.in, g)
}

// gone takes a client off a list; another may get its address.
func (o *order) gone(list map[string]guest, g guest) {
	delete(list, g.id)
	o.free = append(o.free, g.ref)
}

// look takes note of what the engine did.
func (o *order) look() {
	o.lookAtKicks()
	for _, id := range orderIDs {
		if g, ok := o.waiting[id]; ok && o.pending[id] == 0 { // it was refused; the others are in
			o.note("%s is refused", id)
			o.gone(o.waiting, g)
		}
	}
}

func (o *order) lookAtKicks() {
	for ; o.kicks < len(o.kicked); o.kicks++ {
		o.thrownOut(o.kicked[o.kicks], "kicked")
	}
}

func (o *order) play(event byte) {
	time.Sleep(time.Millisecond) // so that it is known what came first
	what, n := event%16, int(event/16)
	switch {
	case what < 4:
		o.come(someone(n, what >= 2))
	case what < 6:
		o.come(o.last) // as one does that was told to
	case what == 6:
		o.turnOnce()
	case what == 7:
		o.settleAll()
	case what == 8:
		o.leave(orderIDs[n%2])
	case what == 9:
		o.change(orderUsers[n%2], append(orderPasswords[:2:2], "")[n/2%3])
	case what == 10:
		o.reload()
	case what == 11:
		o.hang(n%2 == 0, n >= 12)
	case what == 12:
		o.fail(n%2 == 0)
	case what == 13:
		o.wait(time.Duration(n*n) * 20 * time.Millisecond)
	case what == 14:
		o.wait(time.Duration(n) * 3 * time.Second)
	case what == 15:
		o.publish()
	}
}

// someone is a client that may come.
func someone(n int, mqtt5 bool) client {
	c := client{id: orderIDs[n%2], name: orderUsers[n/2%2], password: orderPasswords[n/4%2]}
	if mqtt5 {
		c.version, c.persistent = 5, n >= 8
	} else if n >= 8 {
		c.address = "192.0.2.6"
	}
	return c
}

// come has a client connect.
func (o *order) come(c client) {
	if c.id == "" || o.pending[c.id] != 0 {
		return // the broker closes such a one without asking
	}
	o.last = c
	g := guest{client: c, since: time.Now()}
	if len(o.free) > 0 {
		g.ref, o.free = o.free[len(o.free)-1], o.free[:len(o.free)-1]
	}
	o.request(&g.client) // which gives it an address
	v := o.ask(&g.client)
	o.note("%s comes as %s with %q, version %d: %s", g.id, g.name, g.password, g.version, v)
	switch v {
	case plugin.Accept:
		o.admitted(g)
	case plugin.Pending:
		o.waiting[g.id] = g
	default:
		o.free = append(o.free, g.ref)
	}
}

func (o *order) turnOnce() {
	now := time.Now()
	o.tick()
	o.ticked = now
}

func (o *order) settleAll() {
	o.settle()
	o.ticked = time.Now()
}

// wait lets time pass, and the broker's loop turn.
func (o *order) wait(d time.Duration) {
	o.note("%v pass", d)
	for end := time.Now().Add(d); ; time.Sleep(min(100*time.Millisecond, time.Until(end))) {
		o.settleAll()
		o.look()
		if !time.Now().Before(end) {
			return
		}
	}
}

// leave has a client go, the one that is pending first.
func (o *order) leave(id string) {
	if g, ok := o.waiting[id]; ok {
		o.note("%s goes, pending", id)
		o.vanish(id)
		o.gone(o.waiting, g)
		return
	}
	g, ok := o.in[id]
	if !ok || g.offline {
		return
	}
	o.note("%s goes", id)
	o.disconnect(id, g.persistent)
	if g.offline = g.persistent; g.offline {
		o.in[id] = g
		return
	}
	o.gone(o.in, g)
}

// reload has the broker ask about all sessions, as it does after SIGHUP.
func (o *order) reload() {
	o.note("SIGHUP")
	o.turn += 2
	o.Reload()
	for _, id := range orderIDs {
		g, ok := o.in[id]
		if !ok {
			continue
		}
		if v := o.Login(o.request(&g.client)); v != plugin.Accept {
			o.disconnect(id, false)
			o.thrownOut(id, v.String()+" at SIGHUP")
		}
	}
}

// hang has the store hang, or end that; deaf is one whose driver has no deadline.
func (o *order) hang(begins, deaf bool) {
	o.db.set(func() { o.db.deaf = deaf })
	if deaf && o.deaf.IsZero() {
		o.deaf = time.Now().Add(-staleness)
	}
	if o.release != nil {
		o.note("the store goes on")
		o.release()
		o.release = nil
	}
	if begins {
		o.note("the store hangs, without a deadline: %v", deaf)
		o.release = o.db.hold()
	}
}

func (o *order) fail(begins bool) {
	o.note("the store is down: %v", begins)
	o.db.set(func() {
		o.db.err = nil
		if begins {
			o.db.err = errDown
		}
	})
}

// publish has all clients publish.
func (o *order) publish() {
	for _, id := range orderIDs {
		if g, ok := o.waiting[id]; ok && o.writes(g) {
			o.t.Errorf("%s publishes, and is pending", id)
		}
		if g, ok := o.in[id]; ok && !g.offline {
			o.may(g.client, backends.Write, "t/1")
		}
	}
}

// writes tells whether the will of a client would be published.
func (o *order) writes(g guest) bool {
	return o.Check(plugin.ACLCheck{Client: g.ref, ClientID: g.id, Username: g.name, HasUsername: true, Topic: "t/will", Access: backends.Write}) == plugin.Granted
}

// finish lets all come to rest, and looks who is in.
func (o *order) finish() {
	o.hang(false, false)
	o.fail(false)
	for range 20 { // rights in use are fetched again every 30 s
		o.publish()
		o.wait(5 * time.Second)
	}
	for id := range o.waiting {
		o.t.Errorf("%s is pending for ever", id)
	}
	for id, g := range o.in {
		now := o.truth[g.name][len(o.truth[g.name])-1].password
		if !g.offline && g.password != now {
			o.t.Errorf("%s stays in as %s with %q, though the password is %q", id, g.name, g.password, now)
		}
		if !g.offline && !o.may(g.client, backends.Write, "t/1") {
			o.t.Errorf("%s may not publish in the end", id)
		}
	}
	o.completing = nil
	for i, name := range orderUsers {
		now := o.truth[name][len(o.truth[name])-1].password
		for k, password := range orderPasswords {
			want := plugin.Refuse
			if password == now {
				want = plugin.Accept
			}
			g := client{id: fmt.Sprint("last", i, k), name: name, password: password}
			v := o.enter(g)
			if v == plugin.Unavailable { // the store did not answer the last time: now it has
				v = o.enter(g)
			}
			if v != want {
				o.t.Errorf("%s with %q in the end: %v, want %v", name, password, v, want)
			}
		}
	}
	o.checkFree()
}

// checkFree finds faults of this test: an address must be one client's.
func (o *order) checkFree() {
	slices.Sort(o.free)
	if len(slices.Compact(slices.Clone(o.free))) != len(o.free) {
		o.t.Errorf("an address is free twice: %v", o.free)
	}
	for _, g := range o.in {
		if slices.Contains(o.free, g.ref) {
			o.t.Errorf("the address of %s is free", g.id)
		}
	}
}
