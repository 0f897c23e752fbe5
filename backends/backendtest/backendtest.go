// Package backendtest is the conformance suite of the backends: what the engine
// relies on, asked of a driver that reads its real store.
//
//	func TestConformance(t *testing.T) {
//		backendtest.Run(t, backendtest.Store{
//			Driver:  mysql.Driver,
//			Options: "mysql_host 127.0.0.1\nmysql_port 3306\n…",
//			Set:     func(t testing.TB, accounts []backendtest.Account) { … },
//		})
//	}
//
// What the suite holds against a backend is in testdata as far as it is
// data: names, hashes, rules and rights. Add to it there.
package backendtest

import (
	"errors"
	"slices"
	"testing"

	"mosquitto-go-auth/backends"
)

// Run puts a driver and its store to the test. Cases about what the store does
// not have are left out.
func Run(t *testing.T, s Store) {
	for _, tt := range []struct {
		name    string
		run     func(*testing.T, *Store)
		applies bool
	}{
		{"Hashes", testHashes, true},
		{"Unknown", testUnknown, true},
		{"NoHash", testNoHash, true},
		{"Superuser", testSuperuser, !s.NoSupers},
		{"Access", testAccess, true},
		{"Rights", testRights, true},
		{"Spelling", testSpelling, true},
		{"Names", testNames, true},
		{"ClientIDs", testClientIDs, true},
		{"Changes", testChanges, true},
		{"Shapes", testShapes, len(s.Shapes) > 0},
		{"Cancelled", testCancelled, true},
		{"Close", testClose, true},
		{"Concurrent", testConcurrent, true},
		{"Watch", testWatch, true},
		{"Stalled", testStalled, s.Through != nil},
		{"Cut", testCut, s.Through != nil},
		{"Down", testDown, s.Through != nil},
		{"CloseStalled", testCloseStalled, s.Through != nil},
		{"WatchLink", testWatchLink, s.Through != nil && s.Watches},
		{"Leaks", testLeaks, s.Through != nil},
	} {
		if tt.applies {
			t.Run(tt.name, func(t *testing.T) { tt.run(t, &s) })
		}
	}
}

// fetch asks for an account that is there.
func fetch(t testing.TB, b backends.Backend, l backends.Lookup) backends.Account {
	t.Helper()
	a, err := b.User(within(t), l)
	if err != nil {
		t.Fatalf("asking for %s: %v", show(l), err)
	}
	if a.Name != "" && a.Name != l.Name {
		t.Fatalf("asking for %s: the account of %.80q", show(l), a.Name)
	}
	return a
}

// refuse asks for an account that is not there. The answer must be that there
// is none: with any other error, whoever can think of such a name could have a
// healthy store taken for one that is down.
func refuse(t testing.TB, b backends.Backend, l backends.Lookup) {
	t.Helper()
	a, err := b.User(within(t), l)
	switch {
	case errors.Is(err, backends.ErrNoUser):
	case err != nil:
		t.Errorf("asking for %s: %v, want no such user", show(l), err)
	case a.Name != "" && a.Name != l.Name: // the engine refuses it
	case a.Super || a.AllowAll || a.Hash != "" || len(slices.Concat(a.Sections...)) > 0:
		t.Errorf("asking for %s: there is such an account", show(l))
	}
}

// kinds are the three questions about one name.
func kinds(name string) []backends.Lookup {
	return []backends.Lookup{
		{Name: name, ClientID: "c1"},
		{Name: name, ClientID: "c1", RulesOnly: true},
		{Name: name, ClientID: "c1", PasswordOnly: true},
	}
}
