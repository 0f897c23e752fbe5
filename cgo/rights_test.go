package main

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"mosquitto-go-auth/backends"
	"mosquitto-go-auth/plugin"
	"mosquitto-go-auth/plugin/acl"
)

// model is a naive table.
type model map[string]struct {
	profile acl.Profile
	until   time.Time
}

func (m model) check(name, id, topic string, access backends.Access) (plugin.Answer, bool) {
	e, ok := m[name]
	switch {
	case !ok || time.Now().After(e.until):
		return 0, false
	case e.profile.Allows(id, topic, access):
		return plugin.Granted, true
	}
	return plugin.Denied, true
}

// images counts how often each image is in the table.
func (m model) images() map[acl.Image]int {
	uses := map[acl.Image]int{}
	for _, e := range m {
		for _, p := range e.profile {
			if len(p.Image) > 0 {
				uses[p.Image]++
			}
		}
	}
	return uses
}

// The table in C says what a naive one says, and keeps the images that are in
// use and no others. Run it with -asan to have memory that is used too late, or
// never freed, found too.
func TestRightsAgreeWithModel(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { playRights(t, rand.New(rand.NewPCG(seed, 0))) })
	}
}

func playRights(t *testing.T, random *rand.Rand) {
	r, err := newRights()
	if err != nil {
		t.Fatal(err)
	}
	m := model{}
	names := randomNames()
	name := func() string { return names[random.IntN(len(names))] }
	for step := range 4000 {
		switch n := name(); random.IntN(8) {
		case 0, 1, 2:
			p, until := randomProfile(random, n), randomUntil(random)
			r.Publish(n, p, until)
			m[n] = struct {
				profile acl.Profile
				until   time.Time
			}{p, until}
		case 3:
			r.Forget(n)
			delete(m, n)
		default:
			topic := fmt.Sprintf("%s/%d", key(name()), random.IntN(3))
			id, access := fmt.Sprintf("c%d", random.IntN(3)), backends.Access(1+random.IntN(2))
			got, known := r.check(key(n), id, topic, access)
			want, wanted := m.check(n, id, topic, access)
			if known != wanted || known && got != want {
				t.Fatalf("step %d: %q, client %q, topic %q, access %d: got %d %v, want %d %v", step, n, id, topic, access, got, known, want, wanted)
			}
		}
	}
	compareImages(t, r, m)
	for n := range m {
		r.Forget(n)
		delete(m, n)
	}
	compareImages(t, r, m)
	r.free()
}

func compareImages(t *testing.T, r *rights, m model) {
	t.Helper()
	want := m.images()
	if len(r.images) != len(want) || len(r.copies) != len(want) {
		t.Errorf("%d images and %d copies are kept, want %d", len(r.images), len(r.copies), len(want))
	}
	for img, uses := range want {
		if r.images[img] == nil || r.images[img].uses != uses {
			t.Errorf("an image is used %d times, want %d", r.images[img].uses, uses)
		}
	}
}

// randomNames are more than there are slots in a new table, and clients without
// a name.
func randomNames() []string {
	names := []string{plugin.Anonymous, "\xff\xfe", "a b"}
	for i := range 300 {
		names = append(names, fmt.Sprint("u", i))
	}
	return names
}

// randomUntil is in the past or far in the future: the clock in C is coarse.
func randomUntil(random *rand.Rand) time.Time {
	if random.IntN(8) == 0 {
		return time.Now().Add(-time.Second)
	}
	return time.Now().Add(time.Hour)
}

func randomProfile(random *rand.Rand, name string) acl.Profile {
	var p acl.Profile
	for range random.IntN(4) {
		part := acl.Part{User: key(name), Everything: random.IntN(20) == 0}
		if random.IntN(5) == 0 {
			part.User = "other" // the name in that backend
		}
		var s backends.Section
		for range random.IntN(3) {
			pattern := []string{"%u/0", "%u/1", "u1/+", "+/2", "%u/#", "other/1"}[random.IntN(6)]
			s = append(s, backends.Rule{Pattern: pattern, Access: backends.Access(1 + random.IntN(3)), Deny: random.IntN(5) == 0})
		}
		if len(s) > 0 {
			part.Image, _, _ = acl.Compile([]backends.Section{s}, acl.Options{})
		}
		p = append(p, part)
	}
	return p
}
