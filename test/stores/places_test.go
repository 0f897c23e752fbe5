package stores

import (
	"crypto/rand"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mosquitto-go-auth/test/postgrestest"
	"mosquitto-go-auth/test/redistest"
)

func TestMain(m *testing.M) { os.Exit(postgrestest.Main(m)) }

// rights are the topics of a user, each with every right.
type rights []string

// place is a store with users. What is changed there is told to the brokers.
type place struct {
	options string // of the plugin, one to a line
	put     func(t testing.TB, user string, r rights)
	remove  func(t testing.TB, user string)
	follow  func(t testing.TB) // waits until replicas have followed; may be nil
}

// slow has rights fetched again after an hour, so that only a notice can be the
// reason if something changes before.
func (p place) slow() place {
	p.options += "acl_cache_seconds 3600\n"
	return p
}

// places are those that tell of changes.
var places = map[string]func(t *testing.T) place{
	"files": inFiles, "postgres": inPostgres, "redis messages": inRedis, "redis keyspace": inWatchedKeys, "redis cluster": inCluster,
}

// eachPlace runs a test as a subtest for each of them.
func eachPlace(t *testing.T, test func(t *testing.T, p place)) {
	for _, name := range slices.Sorted(maps.Keys(places)) {
		t.Run(name, func(t *testing.T) { test(t, places[name](t)) })
	}
}

// inFiles keeps the users in a password file and an ACL file, which are changed as
// a careful tool does: a new file takes the place of the old.
func inFiles(t *testing.T) place {
	dir := t.TempDir()
	users := map[string]rights{}
	write := func(t testing.TB) {
		var passwords, acl strings.Builder
		for _, name := range slices.Sorted(maps.Keys(users)) {
			fmt.Fprintf(&passwords, "%s:%s\n", name, stored())
			fmt.Fprintf(&acl, "user %s\n", name)
			for _, topic := range users[name] {
				fmt.Fprintf(&acl, "topic readwrite %s\n", topic)
			}
		}
		replace(t, filepath.Join(dir, "passwords"), passwords.String())
		replace(t, filepath.Join(dir, "acl"), acl.String())
	}
	write(t)
	return place{
		options: "backends files\npassword_file " + dir + "/passwords\nacl_file " + dir + "/acl\n",
		put:     func(t testing.TB, user string, r rights) { users[user] = r; write(t) },
		remove:  func(t testing.TB, user string) { delete(users, user); write(t) },
	}
}

func replace(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// inPostgres keeps them in the tables of schema.sql, with its triggers.
func inPostgres(t *testing.T) place {
	s := postgrestest.Shared(t)
	return onPostgres(t, s, s.Host(), fmt.Sprint(s.Port()))
}

// onPostgres has the brokers look on the hosts and ports given, lists.
func onPostgres(t *testing.T, s *postgrestest.Server, hosts, ports string) place {
	name := s.Database(t)
	schema, err := os.ReadFile("../../backends/postgres/schema.sql")
	if err != nil {
		t.Fatal(err)
	}
	s.Exec(t, name, string(schema))
	options := fmt.Sprintf(`backends postgres
pg_host %s
pg_port %s
pg_dbname %s
pg_user %s
pg_sslmode disable
pg_userquery SELECT password_hash FROM mqtt_user WHERE username = $1
pg_superquery SELECT is_admin FROM mqtt_user WHERE username = $1
pg_aclquery SELECT topic, rw FROM mqtt_acl WHERE username = $1
pg_notify_channel go_auth
`, hosts, ports, name, s.User())
	if s.Password() != "" {
		options += "pg_password " + s.Password() + "\n"
	}
	return place{
		options: options,
		put: func(t testing.TB, user string, r rights) {
			text := fmt.Sprintf("BEGIN; INSERT INTO mqtt_user VALUES ('%s', '%s') ON CONFLICT DO NOTHING; DELETE FROM mqtt_acl WHERE username = '%s';\n",
				user, stored(), user)
			for _, topic := range r {
				text += fmt.Sprintf("INSERT INTO mqtt_acl VALUES ('%s', '%s', 7);\n", user, topic)
			}
			s.Exec(t, name, text+"COMMIT")
		},
		remove: func(t testing.TB, user string) { s.Exec(t, name, "DELETE FROM mqtt_user WHERE username = '"+user+"'") },
	}
}

// commands sends a command on a key.
type commands func(t testing.TB, command, key string, args ...any)

// inKeys keeps them in keys. told is called with the name after each change.
func inKeys(options, prefix string, do commands, told func(t testing.TB, user string)) place {
	had := map[string]rights{}
	set := func(t testing.TB, user string, r rights) {
		for _, key := range []string{prefix + user + ":rwacls", prefix + user + ":sacls"} {
			for _, topic := range r {
				do(t, "SADD", key, topic)
			}
			for _, topic := range had[user] {
				if !slices.Contains(r, topic) {
					do(t, "SREM", key, topic)
				}
			}
		}
		had[user] = r
	}
	return place{
		options: "backends redis\n" + options,
		put: func(t testing.TB, user string, r rights) {
			do(t, "SET", prefix+user, stored())
			set(t, user, r)
			told(t, user)
		},
		remove: func(t testing.TB, user string) {
			do(t, "DEL", prefix+user)
			set(t, user, nil)
			told(t, user)
		},
	}
}

// inServer is a store in one server, with keys of its own.
func inServer(s *redistest.Server, options string, told func(t testing.TB, prefix, user string)) place {
	prefix := "test-" + rand.Text() + ":"
	do := func(t testing.TB, command, key string, args ...any) {
		s.Do(t, append([]any{command, key}, args...)...)
	}
	options = fmt.Sprintf("redis_host %s\nredis_port %d\nredis_db 0\nredis_prefix %s\n", s.Host(), s.Port(), prefix) +
		strings.ReplaceAll(options, "PREFIX", prefix)
	return inKeys(options, prefix, do, func(t testing.TB, user string) { told(t, prefix, user) })
}

// inRedis tells of changes by messages.
func inRedis(t *testing.T) place {
	s := redistest.Start(t)
	return inServer(s, "redis_notify_channel PREFIXchanges\n", func(t testing.TB, prefix, user string) {
		s.Do(t, "PUBLISH", prefix+"changes", user)
	})
}

// inWatchedKeys has Redis itself tell of changes.
func inWatchedKeys(t *testing.T) place {
	s := redistest.Start(t, "--notify-keyspace-events", "K$sgxe")
	return inServer(s, "redis_keyspace_events true\n", func(testing.TB, string, string) {})
}

// inCluster has each node of a Cluster tell of the changes there.
func inCluster(t *testing.T) place {
	c := redistest.StartCluster(t, 3, "--notify-keyspace-events", "K$sgxe")
	do := func(t testing.TB, command, key string, args ...any) { c.Do(t, command, key, args...) }
	options := "redis_mode cluster\nredis_cluster_addresses " + c.Addresses() + "\nredis_keyspace_events true\n"
	return inKeys(options, "", do, func(testing.TB, string) {})
}
