package backendtest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	"mosquitto-go-auth/backends"
	"mosquitto-go-auth/backends/backendtest"
	"mosquitto-go-auth/conf"
)

// server is a store behind a line: to each connection it sends all its accounts,
// and then the name of each that changes.
type server struct {
	listener net.Listener
	mu       sync.Mutex
	accounts map[string]backends.Account
	watchers map[net.Conn]bool
}

func newServer(t *testing.T) *server {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{listener: listener, watchers: map[net.Conn]bool{}}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go s.serve(c)
		}
	}()
	return s
}

func (s *server) serve(c net.Conn) {
	s.mu.Lock()
	text, _ := json.Marshal(s.accounts)
	s.watchers[c] = true
	_, err := c.Write(append(text, '\n'))
	s.mu.Unlock()
	for err == nil { // until the other side ends
		_, err = c.Read(make([]byte, 1))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.watchers, c)
	c.Close()
}

func (s *server) set(_ testing.TB, accounts []backendtest.Account) {
	s.mu.Lock()
	defer s.mu.Unlock()
	changed := map[string]bool{}
	for name := range s.accounts {
		changed[name] = true
	}
	s.accounts = map[string]backends.Account{}
	for _, a := range accounts {
		s.accounts[a.Name] = backends.Account{Hash: a.Hash, Super: a.Super, Sections: []backends.Section{a.Rules}}
		changed[a.Name] = true
	}
	for c := range s.watchers {
		for name := range maps.Keys(changed) {
			if json.NewEncoder(c).Encode(name) != nil {
				break
			}
		}
	}
}

// fake is a driver for a server, with a fault of a given name; with "" it is a
// good one.
type fake struct {
	fault, address string
	bad            bool // the answer of every account is none

	mu     sync.Mutex
	closed context.Context
	close  context.CancelFunc
	kept   map[string]backends.Account
	last   backends.Account
	failed bool
	leaked []net.Conn
}

func driver(fault string) backends.Driver {
	return backends.Driver{Name: "fake", Prefix: "fake", Declare: func(s *conf.Set) backends.Open {
		f := &fake{fault: fault, kept: map[string]backends.Account{}}
		s.String(&f.address, "fake_address", "", "")
		s.Bool(&f.bad, "fake_bad", false, "")
		f.closed, f.close = context.WithCancel(context.Background())
		return func(backends.Checks) (backends.Opened, error) {
			return backends.Opened{Backend: f, Provides: backends.AllChecks}, nil
		}
	}}
}

var errClosed = errors.New("closed")

func (f *fake) Close() error {
	if f.fault == "waits with Close" {
		f.mu.Lock()
		defer f.mu.Unlock()
	}
	f.close()
	return nil
}

// fetch gets the accounts.
func (f *fake) fetch(ctx context.Context) (accounts map[string]backends.Account, err error) {
	c, err := f.dial(ctx)
	if err != nil {
		return nil, err
	}
	defer f.hangUp(c)
	err = f.until(ctx, c, func() error { return json.NewDecoder(c).Decode(&accounts) })
	return accounts, err
}

func (f *fake) hangUp(c net.Conn) {
	if f.fault != "leaks connections" {
		c.Close()
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.leaked = append(f.leaked, c)
}

func (f *fake) dial(ctx context.Context) (net.Conn, error) {
	if f.closed.Err() != nil {
		return nil, errClosed
	}
	if f.fault != "gives up after an error" {
		return new(net.Dialer).DialContext(ctx, "tcp", f.address)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failed {
		return nil, errClosed
	}
	c, err := new(net.Dialer).DialContext(ctx, "tcp", f.address)
	f.failed = err != nil
	return c, err
}

// until runs what reads from a connection until ctx ends, or the backend.
func (f *fake) until(ctx context.Context, c net.Conn, read func() error) error {
	if f.fault == "has no deadlines" {
		return read()
	}
	if f.fault == "waits with Close" {
		f.mu.Lock()
		defer f.mu.Unlock()
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(f.closed, cancel)()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	return errors.Join(read(), ctx.Err())
}

func (f *fake) Watch(ctx context.Context, changed func(string)) error {
	c, err := f.dial(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	if f.fault == "watches for ever" {
		ctx = context.WithoutCancel(ctx)
	}
	return f.until(ctx, c, func() error {
		d := json.NewDecoder(c)
		if err := d.Decode(new(json.RawMessage)); err != nil {
			return err
		}
		for {
			var name string
			if err := d.Decode(&name); err != nil {
				if f.fault == "hides that it lost the line" {
					<-ctx.Done()
				}
				return err
			}
			if f.fault == "tells of tom only" && name != "tom" {
				continue
			}
			changed(name)
		}
	})
}

func (f *fake) User(ctx context.Context, l backends.Lookup) (a backends.Account, err error) {
	if f.closed.Err() != nil && f.fault == "knows nobody when it is closed" {
		return a, backends.ErrNoUser
	}
	if f.fault == "does not look at the time" {
		ctx = context.WithoutCancel(ctx)
	}
	accounts, err := f.fetch(ctx)
	if err != nil && f.fault == "takes an outage for an answer" {
		return a, backends.ErrNoUser
	}
	if err != nil {
		return a, fmt.Errorf("asking: %w", err)
	}
	name := f.asked(l)
	a, ok := accounts[name]
	if f.bad {
		return f.misshapen(a)
	}
	if !ok {
		return f.unknown(l)
	}
	a = f.change(a, l)
	if l.RulesOnly && f.fault != "gives the hash away" {
		a.Hash = ""
	}
	return a, nil
}

// asked is the name that is looked up.
func (f *fake) asked(l backends.Lookup) string {
	switch f.fault {
	case "folds case":
		return strings.ToLower(l.Name)
	case "trims names":
		return strings.TrimRight(l.Name, " ")
	case "trims only for rules":
		if l.RulesOnly {
			return strings.TrimRight(l.Name, " ")
		}
	case "cuts names":
		return l.Name[:min(len(l.Name), 255)]
	case "formats names":
		return strings.ReplaceAll(l.Name, "%%", "%")
	case "is injected":
		if strings.Contains(l.Name, "' OR ") {
			return "sam"
		}
	case "is injected by client ids":
		if strings.Contains(l.ClientID, "'") {
			return "sam"
		}
	}
	return l.Name
}

func (f *fake) misshapen(a backends.Account) (backends.Account, error) {
	switch f.fault {
	case "takes a bad answer for an outage":
		return backends.Account{}, errors.New("bad")
	case "shows the hash in an error":
		return backends.Account{}, fmt.Errorf("%w: %s", backends.ErrBadAnswer, a.Hash)
	case "gives an account with an error":
		return a, backends.ErrBadAnswer
	}
	return backends.Account{}, backends.ErrBadAnswer
}

func (f *fake) unknown(l backends.Lookup) (backends.Account, error) {
	switch {
	case f.fault == "takes unknown for an outage", f.fault == "does not know invalid text" && strings.Contains(l.Name, "\xff"):
		return backends.Account{}, errors.New("no rows")
	case f.fault == "lets everybody in", f.fault == "lets everybody in for the password" && l.PasswordOnly:
		return backends.Account{Hash: "$h$"}, nil
	}
	return backends.Account{}, backends.ErrNoUser
}

func (f *fake) change(a backends.Account, l backends.Lookup) backends.Account {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch f.fault {
	case "cuts hashes":
		a.Hash = a.Hash[:min(len(a.Hash), 72)]
	case "reads hashes as numbers":
		a.Hash = strings.TrimLeft(a.Hash, "0")
	case "has no password without rights":
		if l.PasswordOnly {
			a.Hash = ""
		}
	case "reads NULL as a text":
		if a.Hash == "" {
			a.Hash = "NULL"
		}
	case "knows no superusers":
		a.Super = false
	case "makes everybody a superuser":
		a.Super = true
	case "compares rights by size":
		a.Sections = []backends.Section{slices.Clone(a.Sections[0])}
		for i, r := range a.Sections[0] {
			if r.Access >= backends.Write {
				a.Sections[0][i].Access |= backends.Write
			}
		}
	case "has no rules":
		a.Sections = nil
	case "replaces placeholders":
		a.Sections = []backends.Section{slices.Clone(a.Sections[0])}
		for i, r := range a.Sections[0] {
			a.Sections[0][i].Pattern = strings.ReplaceAll(r.Pattern, "%u", l.Name)
		}
	case "remembers":
		if _, ok := f.kept[l.Name]; !ok {
			f.kept[l.Name] = a
		}
		a = f.kept[l.Name]
	case "mixes up answers":
		f.last, a = a, f.last
	}
	return a
}
