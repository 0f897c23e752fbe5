package plugin_test

import (
	"context"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mosquitto-go-auth/backends"
	"mosquitto-go-auth/conf"
	"mosquitto-go-auth/plugin"
)

// The tests run in bubbles of testing/synctest: the clock is theirs, and settle
// knows when the workers have nothing left to do. So nothing here waits for the
// real time, and hashes cost none.

// Every password and every stored hash in the tests holds one of these. No line
// of any log may.
var secrets = []string{"s3cret", "c2FsdHNhbHRzYWx0"}

const right, wrong, other = "s3cret-right", "s3cret-wrong", "s3cret-other"

// hashed returns a stored hash of a password, as cheap as there is.
func hashed(password string) string {
	salt := []byte("saltsaltsalt")
	key := sha512.Sum512(append([]byte(password), salt...))
	b64 := base64.StdEncoding.EncodeToString
	return "$6$" + b64(salt) + "$" + b64(key[:])
}

// account is one with a password, and a right on the topics below a name.
func account(password, topic string) backends.Account {
	return backends.Account{Hash: hashed(password), Sections: grant(topic + "/#")}
}

func grant(patterns ...string) []backends.Section {
	var s backends.Section
	for _, p := range patterns {
		s = append(s, backends.Rule{Pattern: p, Access: backends.All})
	}
	return []backends.Section{s}
}

// store is a backend whose answers the test writes.
type store struct {
	name     string
	memory   bool // answers from memory: inMemoryStore
	probes   bool // has a Probe
	provides backends.Checks
	openErr  error

	mu        sync.Mutex
	checks    backends.Checks // it was opened for
	accounts  map[string]backends.Account
	anonymous *backends.Account
	err       error         // it is down
	delay     time.Duration // before it answers
	held      chan struct{} // closed when it may answer
	deaf      bool          // it does not observe ctx while it is held
	fault     any           // it panics with
	lookups   []backends.Lookup
	reloads   int
	reload    func() ([]string, error)
	probed    []string
	watch     func(ctx context.Context, changed func(string)) error // if it is a backends.Watcher
	perClient bool
	closed    int
}

func newStore(name string) *store {
	return &store{name: name, provides: backends.AllChecks, accounts: map[string]backends.Account{}}
}

// memoryStore is a store in memory.
func memoryStore(name string) *store {
	s := newStore(name)
	s.memory = true
	return s
}

// with adds an account.
func (s *store) with(name string, a backends.Account) *store {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.accounts[name] = a
	return s
}

// set changes the store under its lock.
func (s *store) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

// hold makes the store answer only when the returned function has been called.
func (s *store) hold() (release func()) {
	held := make(chan struct{})
	s.set(func() { s.held = held })
	return func() {
		s.set(func() { s.held = nil })
		close(held)
	}
}

// asked is how often the store was asked for an account.
func (s *store) asked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.lookups)
}

func (s *store) User(ctx context.Context, l backends.Lookup) (backends.Account, error) {
	if _, ok := ctx.Deadline(); !ok && !s.memory {
		panic("a store was asked without a deadline")
	}
	s.mu.Lock()
	s.lookups = append(s.lookups, l)
	a, ok := s.accounts[l.Name]
	err, fault, delay, held := s.err, s.fault, s.delay, s.held
	if s.deaf {
		ctx = context.WithoutCancel(ctx)
	}
	s.mu.Unlock()
	if err := pause(ctx, delay, held); err != nil {
		return backends.Account{}, err
	}
	if fault != nil {
		panic(fault)
	}
	if err != nil {
		return backends.Account{}, err
	}
	if !ok {
		return a, backends.ErrNoUser
	}
	if l.RulesOnly {
		a.Hash = ""
	}
	if l.PasswordOnly {
		a.Super, a.AllowAll, a.Sections = false, false, nil
	}
	return a, nil
}

// pause waits as a driver does: it observes ctx.
func pause(ctx context.Context, delay time.Duration, held chan struct{}) error {
	if delay > 0 {
		select {
		case <-time.After(delay):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if held != nil {
		select {
		case <-held:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (s *store) Close() error {
	s.set(func() { s.closed++ })
	return nil
}

func (s *store) Reload(context.Context) ([]string, error) {
	s.mu.Lock()
	s.reloads++
	reload := s.reload
	s.mu.Unlock()
	if reload == nil {
		return nil, nil
	}
	return reload()
}

type inMemoryStore struct{ *store }

func (inMemoryStore) InMemory() {}

func (s inMemoryStore) Anonymous(context.Context) (backends.Account, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.anonymous == nil {
		return backends.Account{}, backends.ErrNoUser
	}
	return *s.anonymous, nil
}

type probedStore struct{ *store }

func (s probedStore) Probe(_ context.Context, name string) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.probed = append(s.probed, name)
	return []string{"the probe saw " + fmt.Sprintf("%q", name)}, s.err
}

func (s *store) driver() backends.Driver {
	return backends.Driver{Name: s.name, Prefix: s.name, Declare: func(*conf.Set) backends.Open {
		return func(checks backends.Checks) (backends.Opened, error) {
			s.checks = checks
			if s.openErr != nil {
				return backends.Opened{}, s.openErr
			}
			opened := backends.Opened{Backend: s, Provides: s.provides}
			switch {
			case s.memory && s.watch != nil:
				opened.Backend = watchedMemory{inMemoryStore{s}}
			case s.perClient:
				opened.Backend = perClientStore{watchedStore{s}}
			case s.watch != nil:
				opened.Backend = watchedStore{s}
			case s.memory:
				opened.Backend = inMemoryStore{s}
			case s.probes:
				opened.Backend = probedStore{s}
			}
			return opened, nil
		}
	}}
}

// version is of the broker that is played.
type version string

const (
	v20 version = "2.0"
	v21 version = "2.1"
)

// onBoth runs a test on both versions, each in a bubble.
func onBoth(t *testing.T, test func(t *testing.T, v version)) {
	for _, v := range []version{v20, v21} {
		t.Run(string(v), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(t, v) })
		})
	}
}

// broker plays Mosquitto: it implements plugin.Host. All but what Wake touches
// belongs to the test's goroutine, which the race detector sees to.
type broker struct {
	*plugin.Engine
	t       *testing.T
	version version
	process *plugin.Process
	rights  plugin.Rights

	stores    []*store
	logs      []string
	clients   map[string]plugin.Ref // connected, or with an offline session
	pending   map[string]plugin.Ref
	names     map[plugin.Ref]string // set by SetUsername
	completed []string              // "id true"
	kicked    []string
	turn      uint64
	lastRef   plugin.Ref

	completing func(id string) // called in Complete, when the client is in

	woken  chan struct{}
	mu     sync.Mutex
	closed bool
	late   []string // calls after Close
}

func (b *broker) called(what string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		b.late = append(b.late, what)
	}
}

func (b *broker) Log(_ plugin.Level, text string) {
	b.called("Log")
	b.logs = append(b.logs, text)
}

func (b *broker) Complete(id string, allow bool) {
	b.called("Complete")
	b.completed = append(b.completed, fmt.Sprint(id, " ", allow))
	ref, ok := b.pending[id]
	delete(b.pending, id)
	if ok && allow {
		b.connect(id, ref)
		if b.completing != nil {
			b.completing(id)
		}
	}
}

func (b *broker) Kick(id string) {
	b.called("Kick")
	b.kicked = append(b.kicked, id)
	b.disconnect(id, false)
}

func (b *broker) Find(id string) (plugin.Ref, bool) {
	b.called("Find")
	return b.clients[id], b.version == v21
}

func (b *broker) SetUsername(client plugin.Ref, name string) {
	b.called("SetUsername")
	b.names[client] = name
}

func (b *broker) Wake() {
	b.called("Wake")
	select {
	case b.woken <- struct{}{}:
	default:
	}
}

func (b *broker) Start(f func()) { go f() }
func (b *broker) Turn() uint64   { return b.turn }
func (b *broker) Delays() bool   { return b.version == v21 }

// lines makes options of lines of a configuration.
func lines(options ...string) (l []conf.Line) {
	for _, o := range options {
		key, value, _ := strings.Cut(o, " ")
		l = append(l, conf.Line{Key: key, Value: value})
	}
	return l
}

func newBroker(t *testing.T, v version) *broker {
	return &broker{t: t, version: v, rights: plugin.Table{}, process: plugin.NewProcess(), clients: map[string]plugin.Ref{},
		pending: map[string]plugin.Ref{}, names: map[plugin.Ref]string{}, woken: make(chan struct{}, 1)}
}

// open starts the engine.
func (b *broker) open(stores []*store, options ...string) error {
	var drivers []backends.Driver
	for _, s := range stores {
		drivers = append(drivers, s.driver())
	}
	b.stores = stores
	var err error
	b.Engine, err = plugin.New(b, b.process, b.rights, drivers, lines(options...))
	return err
}

// start starts a broker with the stores as its backends.
func start(t *testing.T, v version, stores []*store, options ...string) *broker {
	t.Helper()
	b := newBroker(t, v)
	var names []string
	for _, s := range stores {
		names = append(names, s.name)
	}
	options = append([]string{"backends " + strings.Join(names, ", "), "log_level debug", "auth_timeout 5"}, options...)
	if err := b.open(stores, options...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.stop)
	return b
}

// stop closes the engine. The bubble then fails the test if a goroutine stays
// behind.
func (b *broker) stop() {
	b.mu.Lock()
	closed := b.closed
	b.mu.Unlock()
	if closed {
		return
	}
	b.Close()
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	synctest.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.late) > 0 {
		b.t.Errorf("the broker was called %d times after Close: %s and so on", len(b.late), b.late[0])
	}
	for _, line := range b.logs {
		noSecrets(b.t, line)
	}
}

func noSecrets(t *testing.T, text string) {
	t.Helper()
	for _, s := range secrets {
		if strings.Contains(text, s) {
			t.Errorf("a secret in the log: %s", text)
		}
	}
}

// settle lets the workers work, and turns the broker's loop until there is
// nothing left to do. The clock stands still.
func (b *broker) settle() {
	again := false
	for range 1000 {
		synctest.Wait()
		woken := false
		select {
		case <-b.woken:
			woken = true
		default:
		}
		if !woken && !again {
			return
		}
		again = b.tick()
	}
	b.t.Fatal("the engine wants to be called for ever")
}

func (b *broker) tick() (again bool) {
	b.turn += 2 // the turns of the tests follow each other in no time
	return b.Tick()
}

// pass lets time pass.
func (b *broker) pass(d time.Duration) {
	b.settle()
	time.Sleep(d)
	b.settle()
}

// client is one that connects.
type client struct {
	id, name, password    string
	unnamed, passwordless bool
	version               int // 0 stands for 4
	persistent            bool
	address               string
	ref                   plugin.Ref // 0: a new one
}

// alice logs in with the right password.
var alice = client{id: "a1", name: "alice", password: right}

func (c client) but(change func(*client)) client {
	change(&c)
	return c
}

// mqtt5 is the client with a version that cannot be delayed.
func (c client) mqtt5() client { c.version = 5; return c }

func (b *broker) request(c *client) plugin.Login {
	if c.ref == 0 {
		b.lastRef += 16
		c.ref = b.lastRef
	}
	if c.version == 0 {
		c.version = 4
	}
	l := plugin.Login{Client: c.ref, ClientID: c.id, Version: c.version, Clean: !c.persistent, Address: c.address,
		HasUsername: !c.unnamed, HasPassword: !c.passwordless}
	if l.HasUsername {
		l.Username = c.name
	}
	if l.HasPassword {
		l.Password = c.password
	}
	return l
}

// ask has the client connect, and returns what the engine says at once.
func (b *broker) ask(c *client) plugin.Verdict {
	v := b.Login(b.request(c))
	switch v {
	case plugin.Accept:
		if b.clients[c.id] != c.ref {
			b.connect(c.id, c.ref)
		}
	case plugin.Pending:
		b.pending[c.id] = c.ref
	}
	return v
}

// first is what the engine says at once.
func (b *broker) first(c client) plugin.Verdict { return b.ask(&c) }

// prime has somebody log in, so that later decoys are as cheap as the hashes of
// the tests.
func (b *broker) prime() {
	for _, s := range b.stores {
		s.with("primer", account(right, "primer"))
	}
	b.enter(client{id: "primer", name: "primer", password: right})
	b.disconnect("primer", false)
	b.pass(2 * time.Minute)
	for _, s := range b.stores {
		s.set(func() { s.lookups = nil; delete(s.accounts, "primer") })
	}
	b.names = map[plugin.Ref]string{}
}

// enter has the client connect, and come back if it is told to. It returns the
// engine's last word.
func (b *broker) enter(c client) plugin.Verdict {
	b.t.Helper()
	for range 10 {
		before := len(b.completed)
		v := b.first(c)
		b.settle()
		if v == plugin.Pending {
			return b.outcome(c.id, before)
		}
		if v != plugin.ComeBack {
			return v
		}
		b.pass(100 * time.Millisecond)
	}
	b.t.Fatalf("%q is told to come back for ever", c.name)
	return 0
}

// outcome is how a delayed login was completed.
func (b *broker) outcome(id string, before int) plugin.Verdict {
	b.t.Helper()
	for _, c := range b.completed[before:] {
		switch c {
		case id + " true":
			return plugin.Accept
		case id + " false":
			return plugin.Refuse
		}
	}
	return plugin.Pending
}

func (b *broker) connect(id string, ref plugin.Ref) {
	old, had := b.clients[id]
	b.clients[id] = ref
	if b.version == v21 {
		b.Connected(ref, id, b.names[ref], b.names[ref] != "")
	}
	if had && old != ref {
		b.Disconnected(old, id, false)
	}
}

func (b *broker) disconnect(id string, sessionStays bool) {
	ref, ok := b.clients[id]
	if !ok {
		return
	}
	if !sessionStays {
		delete(b.clients, id)
	}
	b.Disconnected(ref, id, sessionStays)
}

// vanish is what the broker does when a pending client goes.
func (b *broker) vanish(id string) { delete(b.pending, id) }

// may asks for a right of a client that is in.
func (b *broker) may(c client, access backends.Access, topic string) bool {
	return b.Check(plugin.ACLCheck{Client: b.clients[c.id], ClientID: c.id, Username: c.name, HasUsername: !c.unnamed, Topic: topic, Access: access}) == plugin.Granted
}

func (b *broker) logged(what string) (n int) {
	for _, line := range b.logs {
		n += strings.Count(line, what)
	}
	return n
}

var errDown = errors.New("connection refused")

func expect[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}
