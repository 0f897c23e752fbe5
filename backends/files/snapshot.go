package files

import "mosquitto-go-auth/backends"

// rights is what an ACL file grants: accounts without a name and a hash.
type rights struct {
	users     map[string]backends.Account
	others    *backends.Account // for all other names; nil if there is nothing for them
	anonymous *backends.Account // for clients without a name; nil likewise
}

// sections leaves out what is empty.
func sections(all ...backends.Section) (kept []backends.Section) {
	for _, s := range all {
		if len(s) > 0 {
			kept = append(kept, s)
		}
	}
	return kept
}

// snapshot is one state of the files, ready to be handed out. It never changes.
type snapshot struct {
	passwords bool // there is a password file
	accounts  map[string]backends.Account
	others    *backends.Account
	anonymous *backends.Account
}

// newSnapshot joins the files. hashes is nil where there is no password file.
func newSnapshot(hashes map[string]string, r *rights) *snapshot {
	s := &snapshot{passwords: hashes != nil, accounts: map[string]backends.Account{},
		others: r.others, anonymous: r.anonymous}
	for name, a := range r.users {
		a.Name = name
		s.accounts[name] = a
	}
	for name, hash := range hashes {
		a, ok := s.accounts[name]
		if !ok && r.others != nil {
			a = *r.others
		}
		a.Name, a.Hash = name, hash
		s.accounts[name] = a
	}
	return s
}

func (s *snapshot) user(l backends.Lookup) (backends.Account, error) {
	a, known := s.accounts[l.Name]
	if s.passwords && !l.RulesOnly {
		if a.Hash == "" { // in no file, or in the ACL file only
			return backends.Account{}, backends.ErrNoUser
		}
		return a, nil
	}
	if !known {
		if s.others == nil {
			return backends.Account{}, backends.ErrNoUser
		}
		a = *s.others
	}
	a.Hash = ""
	return a, nil
}
