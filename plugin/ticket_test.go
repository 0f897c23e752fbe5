package plugin

import "testing"

// findHost is a Host that only finds clients.
type findHost struct {
	Host
	clients map[string]Ref
	unknown bool
}

func (h findHost) Find(id string) (Ref, bool) { return h.clients[id], !h.unknown }

// Only the newest login of a client id may complete, and once.
func TestTickets(t *testing.T) {
	s := NewTickets()
	first := s.issue("a", 1)
	other := s.issue("b", 2)
	s.supersede("a")
	second := s.issue("a", 3)
	for _, c := range []struct {
		what   string
		id     string
		number uint64
		want   bool
	}{
		{"superseded", "a", first, false},
		{"another's number", "a", other, false},
		{"no number", "a", 0, false},
		{"unknown id", "c", second, false},
		{"the newest", "a", second, true},
		{"a second time", "a", second, false},
		{"the other id", "b", other, true},
	} {
		if got := s.redeem(c.id, c.number); got != c.want {
			t.Errorf("%s: %v, want %v", c.what, got, c.want)
		}
	}
	if !s.hasVanished("a") || s.hasVanished("b") {
		t.Error("who vanished is not known")
	}
	laterTurn(s)
	if len(s.byID)+len(s.guards)+len(s.ending) != 0 {
		t.Errorf("left behind: %v, %v, %v", s.byID, s.guards, s.ending)
	}
}

// laterTurn is a turn when the guards of all that ended have had their time.
func laterTurn(s *Tickets) {
	for i := range s.ending {
		s.ending[i].at = s.ending[i].at.Add(-guardTime)
	}
	s.turn()
}

// A guard outlives its login by a while.
func TestGuards(t *testing.T) {
	h := findHost{clients: map[string]Ref{"in": 7}}
	for _, c := range []struct {
		title string
		do    func(s *Tickets)
		id    string
		want  bool
	}{
		{"pending", func(*Tickets) {}, "a", true},
		{"pending, many turns", func(s *Tickets) { s.turn(); s.turn(); s.turn() }, "a", true},
		{"pending, asked with another id", func(*Tickets) {}, "x", true},
		{"ended", func(s *Tickets) { s.redeem("a", 1) }, "a", true},
		{"ended, and a turn at once", func(s *Tickets) { s.redeem("a", 1); s.turn() }, "a", true},
		{"ended, and a later turn", func(s *Tickets) { s.redeem("a", 1); laterTurn(s) }, "a", false},
		{"superseded", func(s *Tickets) { s.supersede("a") }, "a", true},
		{"superseded, and a later turn", func(s *Tickets) { s.supersede("a"); laterTurn(s) }, "a", false},
		{"address given to another", func(s *Tickets) { s.forget(7) }, "b", false},
		{"address given to one that is pending", func(s *Tickets) { s.supersede("a"); s.forget(7); s.issue("b", 7); laterTurn(s) }, "b", true},
		{"ended and let in", func(s *Tickets) { s.redeem("a", 1) }, "in", false},
	} {
		t.Run(c.title, func(t *testing.T) {
			s := NewTickets()
			told := map[Ref]bool{}
			s.Told = func(client Ref, begins bool) {
				if told[client] == begins {
					t.Errorf("told twice that the guard of %d begins (%v)", client, begins)
				}
				told[client] = begins
			}
			s.issue("a", 7)
			c.do(s)
			if _, guards := s.guards[7]; told[7] != guards {
				t.Errorf("told that it guards: %v, and it does: %v", told[7], guards)
			}
			if got := s.guarded(h, 7, c.id); got != c.want {
				t.Errorf("guarded: %v, want %v", got, c.want)
			}
		})
	}
}

// A pending client is guarded even if the broker should find it under its id, and
// where the broker cannot tell.
func TestGuardWithoutFind(t *testing.T) {
	s := NewTickets()
	s.issue("a", 7)
	if !s.guarded(findHost{clients: map[string]Ref{"a": 7}}, 7, "a") {
		t.Error("pending, and found")
	}
	s.redeem("a", 1)
	if !s.guarded(findHost{clients: map[string]Ref{"a": 7}, unknown: true}, 7, "a") {
		t.Error("ended, and the broker cannot tell")
	}
	if s.guarded(findHost{clients: map[string]Ref{"a": 7}}, 7, "a") {
		t.Error("ended, and found: it was let in")
	}
}
