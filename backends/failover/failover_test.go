package failover

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// group is three servers, each of which answers after a time, or not at all.
type group struct {
	Servers[int]
	takes     [3]atomic.Int64 // nanoseconds
	down      [3]atomic.Bool
	discarded [3]atomic.Int32 // connections, by server
}

func newGroup(t *testing.T) *group {
	g := &group{}
	g.Count, g.Closed = len(g.takes), t.Context()
	g.Connect = func(ctx context.Context, i int) (int, error) {
		select {
		case <-time.After(time.Duration(g.takes[i].Load())):
		case <-ctx.Done():
			return 0, ctx.Err()
		}
		if g.down[i].Load() {
			return 0, errors.New("server " + string(rune('0'+i)) + " is down")
		}
		return i, nil
	}
	g.Answers = func(ctx context.Context, i int) error {
		_, err := g.Connect(ctx, i)
		return err
	}
	g.Discard = func(i int) { g.discarded[i].Add(1) }
	return g
}

// reaches checks which server a connection is made to, and how long that takes.
func (g *group) reaches(t *testing.T, server int, within time.Duration) {
	t.Helper()
	begun := time.Now()
	c, i, err := g.Race(t.Context())
	if took := time.Since(begun); err != nil || c != server || i != server || took != within {
		t.Errorf("server %d (%d) after %v, %v; want %d after %v", i, c, took, err, server, within)
	}
}

func TestRace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t)
		g.reaches(t, 0, 0)
		g.down[0].Store(true)
		g.reaches(t, 1, 0)
		g.down[1].Store(true)
		g.takes[2].Store(int64(2 * time.Second)) // the last may take its time
		g.reaches(t, 2, 2*time.Second)
		g.down[2].Store(true)
		_, _, err := g.Race(t.Context())
		if err == nil || err.Error() != "server 0 is down; server 1 is down; server 2 is down" {
			t.Errorf("all down: %v", err)
		}
	})
}

// A slow server stays in the race, and loses it only to one that is faster even so.
func TestRaceOfSlowServers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t)
		for i, d := range []time.Duration{Patience + time.Second, Patience * 3, time.Hour} {
			g.takes[i].Store(int64(d))
		}
		g.reaches(t, 0, Patience+time.Second)
		g.takes[1].Store(int64(time.Millisecond))
		g.reaches(t, 1, Patience+time.Millisecond)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if n, m := g.discarded[0].Load(), g.discarded[1].Load(); n != 1 || m != 1 {
			t.Errorf("closed are %d and %d connections of those who lost a race, want one each", n, m)
		}
		g.Suspect(1)
		g.Waits = func(context.Context, int) time.Duration { return time.Minute }
		g.takes[2].Store(int64(50 * time.Second))
		g.reaches(t, 2, 50*time.Second)
	})
}

// Connections move back to a server that is there again, while there is work to do.
func TestLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t)
		g.down[0].Store(true)
		g.reaches(t, 1, 0)
		if !g.Uses(1) || g.Uses(0) {
			t.Error("1 is not the one in use")
		}
		g.down[0].Store(false)
		time.Sleep(LookAgain - time.Millisecond)
		g.Uses(1)
		synctest.Wait()
		if g.Current() != 1 {
			t.Error("looked for too soon")
		}
		time.Sleep(time.Millisecond)
		g.Uses(1)
		synctest.Wait()
		if g.Current() != 0 {
			t.Error("the first is there again, and not used")
		}
	})
}

func TestSuspect(t *testing.T) {
	one := Servers[int]{Count: 1}
	one.Suspect(0)
	if one.Several() || one.Current() != 0 {
		t.Error("there is no other")
	}
	three := Servers[int]{Count: 3}
	for _, step := range []struct{ suspect, current int }{{1, 0}, {0, 1}, {1, 2}, {2, 0}} {
		if three.Suspect(step.suspect); three.Current() != step.current {
			t.Errorf("%d is suspect: %d is used, want %d", step.suspect, three.Current(), step.current)
		}
	}
}
