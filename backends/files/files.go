// Package files reads accounts from a password file and an ACL file: the
// source that needs no server.
//
// The password file has the form that Mosquitto and mosquitto-go-auth, the
// predecessor, share. The ACL file is read in one of two ways, as the
// predecessor did (files_acl_path) or as Mosquitto does (acl_file): they look
// much alike and do not mean the same.
package files

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"mosquitto-go-auth/backends"
	"mosquitto-go-auth/conf"
)

// Driver makes backends that answer from files.
var Driver = backends.Driver{
	Name:    "files",
	Prefix:  "files",
	Doc:     "a password file and an ACL file",
	Declare: declare,
}

func declare(s *conf.Set) backends.Open {
	var passwords, predecessorACL, mosquittoACL source
	s.Group("files")
	s.Also(s.String(&passwords.path, "files_password_path", "",
		"the password file: a line `name:hash` for each user"),
		"password_file", "password_path")
	s.Also(s.String(&predecessorACL.path, "files_acl_path", "",
		"the ACL file, in the grammar and with the meaning of mosquitto-go-auth"),
		"acl_path")
	s.String(&mosquittoACL.path, "acl_file", "",
		"the ACL file, in the grammar and with the meaning of Mosquitto; instead of `files_acl_path`")
	watched := true
	s.Bool(&watched, "files_watch", true,
		"read the files again when they change, not only when the broker is told to (SIGHUP)")
	return func(checks backends.Checks) (backends.Opened, error) {
		passwords.option = s.Given("files_password_path")
		predecessorACL.option = s.Given("files_acl_path")
		mosquittoACL.option = s.Given("acl_file")
		f := &Files{passwords: passwords, predecessorACL: predecessorACL, mosquittoACL: mosquittoACL}
		o, err := f.open(checks)
		if err == nil && watched {
			o.Backend = Watched{f}
		}
		return o, err
	}
}

// Files is a [backends.Backend] over one state of its files, which Reload
// replaces as a whole.
type Files struct {
	passwords      source
	predecessorACL source
	mosquittoACL   source // one of the two

	reloading sync.Mutex // what was read last is what stays
	state     atomic.Pointer[snapshot]
}

var (
	_ backends.Backend   = (*Files)(nil)
	_ backends.Anonymous = (*Files)(nil)
	_ backends.InMemory  = (*Files)(nil)
	_ backends.Reloader  = (*Files)(nil)
)

func (f *Files) open(checks backends.Checks) (backends.Opened, error) {
	provides := f.provides()
	asked := checks & (backends.CheckUser | backends.CheckACL)
	if asked != 0 && asked&provides == 0 {
		return backends.Opened{}, missing(asked)
	}
	notes, err := f.Reload(context.Background())
	if err != nil {
		return backends.Opened{}, err
	}
	return backends.Opened{Backend: f, Provides: provides, Notes: notes}, nil
}

// provides tells what the given files can answer. None can name superusers.
func (f *Files) provides() (c backends.Checks) {
	if f.passwords.given() {
		c |= backends.CheckUser
	}
	if f.predecessorACL.given() || f.mosquittoACL.given() {
		c |= backends.CheckACL
	}
	return c
}

func missing(asked backends.Checks) error {
	switch asked {
	case backends.CheckUser:
		return errors.New("backend files is asked for users and has no password file: set files_password_path")
	case backends.CheckACL:
		return errors.New("backend files is asked for rights and has no ACL file: set files_acl_path or acl_file")
	default:
		return errors.New("backend files has no file to read: set files_password_path, and for rights files_acl_path or acl_file")
	}
}

// User answers from memory. Where there is a password file, a login needs an
// entry in it; for rights alone, the rules of an ACL file are enough. The
// sections of the account are shared and must not be changed.
func (f *Files) User(_ context.Context, l backends.Lookup) (backends.Account, error) {
	return f.state.Load().user(l)
}

// Anonymous returns what Mosquitto's kind of ACL file grants to clients without
// a user name. The predecessor's kind grants them nothing: ErrNoUser.
func (f *Files) Anonymous(context.Context) (backends.Account, error) {
	a := f.state.Load().anonymous
	if a == nil {
		return backends.Account{}, backends.ErrNoUser
	}
	return *a, nil
}

// Reload reads the files again. Users and rules that are no longer in them are
// gone when it returns. After an error, which names every fault with its file
// and line, what was read before stays in force.
func (f *Files) Reload(ctx context.Context) (notes []string, err error) {
	f.reloading.Lock()
	defer f.reloading.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("reading the files: %w", err)
	}
	s, notes, err := f.read()
	if err != nil {
		return nil, err
	}
	f.state.Store(s)
	return notes, nil
}

// InMemory marks the backend: User and Anonymous load one pointer.
func (f *Files) InMemory() {}

// Close does nothing: no file is kept open.
func (f *Files) Close() error { return nil }

// read makes a new state of the files. Its error joins all that is wrong.
func (f *Files) read() (*snapshot, []string, error) {
	hashes, notes, err := f.readPasswords()
	rights, more, err2 := f.readRights(hashes)
	if err := errors.Join(err, err2); err != nil {
		return nil, nil, err
	}
	return newSnapshot(hashes, rights), append(notes, more...), nil
}

// readPasswords returns nil without a password file.
func (f *Files) readPasswords() (hashes map[string]string, notes []string, err error) {
	if !f.passwords.given() {
		return nil, nil, nil
	}
	r := remarks{file: f.passwords.path}
	text, err := f.passwords.read(othersRead|othersWrite, &r)
	if err != nil {
		return nil, nil, err
	}
	hashes = parsePasswords(text, &r)
	return hashes, r.list(), nil
}

// readRights returns no rights without an ACL file.
func (f *Files) readRights(hashes map[string]string) (_ *rights, notes []string, err error) {
	file, d := f.predecessorACL, dialect(predecessor{})
	if f.mosquittoACL.given() {
		if file.given() {
			return nil, nil, fmt.Errorf("options %s and %s: both name an ACL file, and they are not read alike: give one of them",
				file.option, f.mosquittoACL.option)
		}
		file, d = f.mosquittoACL, mosquitto{}
	}
	if !file.given() {
		return new(rights), nil, nil
	}
	r, faults := remarks{file: file.path}, remarks{file: file.path}
	text, err := file.read(othersWrite, &r)
	if err != nil {
		return nil, nil, err
	}
	rules := parseACL(text, d, &faults)
	if err := faults.err(); err != nil {
		return nil, nil, err
	}
	return d.rights(rules, hashes, &r), r.list(), nil
}
