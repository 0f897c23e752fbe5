package stores

import (
	"strings"
	"testing"
	"time"

	"mosquitto-go-auth/test/brokertest"
	"mosquitto-go-auth/test/mqtt"
	"mosquitto-go-auth/test/postgrestest"
	"mosquitto-go-auth/test/stall"
)

// mortal is a store on a server that fails. user is in it, and root, who may do
// everything.
type mortal struct {
	server interface {
		Kill(testing.TB)
		Restart(testing.TB)
		Pause(testing.TB)
		Continue(testing.TB)
	}
	options, user, root string
}

// The users of one backend notice nothing of another one's outage, once it is
// known; finding it out takes a login's time-out at most. test/seed has the same
// for MySQL.
func TestOneOfTwo(t *testing.T) {
	for name, open := range map[string]func(t *testing.T) mortal{
		"postgres": func(t *testing.T) mortal {
			s := postgrestest.Start(t, postgrestest.Options{})
			insert(t, s, "postgres")
			return mortal{s, connection("postgres", s) + pgQueries, "u7", "admin"}
		},
		"redis": func(t *testing.T) mortal {
			s := newRedis(t)
			return mortal{s, redisAt(s), "ann", "root"}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t)
			brokertest.Each(t, func(t *testing.T, b brokertest.Broker) {
				s.oneOfTwo(t, b, "files, "+name)
				s.oneOfTwo(t, b, name+", files")
			})
		})
	}
}

func (s mortal) oneOfTwo(t *testing.T, b brokertest.Broker, backends string) {
	dir := t.TempDir()
	write(t, dir+"/acl", "user file\ntopic readwrite file\n")
	r := start(t, b, s.options, "backends "+backends, "auth_timeout 2", "password_file "+passwords(t, dir), "acl_file "+dir+"/acl")
	root := login(t, r, s.root)
	check := func() {
		t.Helper()
		for _, version := range []byte{4, 5} {
			o := client("file")
			o.Version = version
			clock := stall.Start()
			file := mqtt.Login(t, r.Addr, o)
			if took := clock.Took(); took > 2*time.Second { // as long as the store is waited for
				t.Errorf("a login of another backend took %v", took)
			}
			if got := can(t, file, root, "file"); got != "rws" {
				t.Errorf("another backend's rights: %s", got)
			}
		}
	}
	known := func(outages int) {
		t.Helper()
		turnedAway(t, r, s.user)
		brokertest.WaitFor(t, "the outage to be known", func() bool { return strings.Count(r.Log(), outage) == outages })
	}
	check()

	s.server.Kill(t)
	known(1)
	check()
	s.server.Restart(t)
	backWithin(t, 2*time.Second, r, s.user)

	s.server.Pause(t)
	defer s.server.Continue(t)
	known(2)
	check()
}
