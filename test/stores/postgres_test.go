package stores

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"mosquitto-go-auth/test/brokertest"
	"mosquitto-go-auth/test/mqtt"
	"mosquitto-go-auth/test/postgrestest"
	"mosquitto-go-auth/test/stall"
)

// The tables and statements of mosquitto-go-auth's documents.
const pgTables = `
CREATE TABLE test_user (id SERIAL PRIMARY KEY, username varchar(100) NOT NULL UNIQUE, password_hash varchar(200) NOT NULL, is_admin boolean NOT NULL);
CREATE TABLE test_acl (id SERIAL PRIMARY KEY, test_user_id INT NOT NULL REFERENCES test_user ON DELETE CASCADE, topic varchar(200) NOT NULL, rw INT NOT NULL)`

const pgQueries = `
pg_connect_tries 5
pg_userquery select password_hash from test_user where username = $1 limit 1
pg_superquery select count(*) from test_user where username = $1 and is_admin = true
pg_aclquery select topic from test_acl, test_user where test_user.username = $1 and test_acl.test_user_id = test_user.id and (rw & $2) > 0`

// noticed are statements for the tables of schema.sql.
const noticed = `
pg_userquery SELECT password_hash FROM mqtt_user WHERE username = $1
pg_superquery SELECT is_admin FROM mqtt_user WHERE username = $1
pg_aclquery SELECT topic, rw FROM mqtt_acl WHERE username = $1
pg_notify_channel go_auth
acl_cache_seconds 3600`

// connection returns the plugin's options for a database, which several servers
// may have.
func connection(database string, servers ...*postgrestest.Server) string {
	var hosts []string
	for _, s := range servers {
		hosts = append(hosts, net.JoinHostPort(s.Host(), strconv.Itoa(s.Port())))
	}
	return fmt.Sprintf("backends postgres\npg_host %s\npg_dbname %s\npg_user %s\npg_sslmode disable\npg_password unused\n",
		strings.Join(hosts, ", "), database, servers[0].User())
}

// fillNoticed makes the tables of schema.sql, with users who have every right to a
// topic of their name; root may do everything.
func fillNoticed(t *testing.T, s *postgrestest.Server, database string) {
	t.Helper()
	schema, err := os.ReadFile("../../backends/postgres/schema.sql")
	if err != nil {
		t.Fatal(err)
	}
	s.Exec(t, database, string(schema), "INSERT INTO mqtt_user SELECT n, '"+stored()+"', n = 'root' FROM unnest(ARRAY['root', 'ann', 'bob', 'cid']) n",
		"INSERT INTO mqtt_acl SELECT username, username, 7 FROM mqtt_user")
}

// insert makes the users u0 to u7, with the r-w-s numbers of their names for the
// topic t/NAME, and the superuser admin.
func insert(t *testing.T, s *postgrestest.Server, database string) {
	t.Helper()
	s.Exec(t, database, pgTables, "INSERT INTO test_user (username, password_hash, is_admin) "+
		"SELECT 'u' || n, '"+stored()+"', false FROM generate_series(0, 7) n; "+
		"INSERT INTO test_user (username, password_hash, is_admin) VALUES ('admin', '"+stored()+"', true); "+
		"INSERT INTO test_acl (test_user_id, topic, rw) SELECT id, 't/%u', substr(username, 2)::int FROM test_user WHERE NOT is_admin")
}

func TestPostgres(t *testing.T) {
	server := postgrestest.Start(t, postgrestest.Options{})
	brokertest.Each(t, func(t *testing.T, b brokertest.Broker) {
		database := server.Database(t)
		insert(t, server, database)
		r := start(t, b, connection(database, server)+pgQueries)
		admin := login(t, r, "admin")
		for n, want := range []string{"---", "---", "-w-", "-w-", "--s", "r-s", "-ws", "rws"} {
			name := fmt.Sprint("u", n)
			if got := can(t, login(t, r, name), admin, "t/"+name); got != want {
				t.Errorf("user %s: %s, want %s", name, got, want)
			}
		}
		if got := can(t, login(t, r, "u7"), admin, "t/u6"); got != "---" {
			t.Errorf("another user's topic: %s", got)
		}
		for name, password := range map[string]string{"u1": "wrong", "U1": password, "u1 ": password, "nobody": password, "' OR 1=1 -- ": password, "💀": password} {
			refused(t, r, name, password, mqtt.NotAuthorized)
		}
	})
}

// What changes in tables with the triggers of schema.sql counts at once.
func TestPostgresNotices(t *testing.T) {
	server := postgrestest.Start(t, postgrestest.Options{})
	brokertest.Each(t, func(t *testing.T, b brokertest.Broker) {
		database := server.Database(t)
		fillNoticed(t, server, database)
		r := start(t, b, connection(database, server)+noticed)
		root, ann, bob, cid := login(t, r, "root"), login(t, r, "ann"), login(t, r, "bob"), login(t, r, "cid")
		for name, c := range map[string]*mqtt.Client{"ann": ann, "bob": bob, "cid": cid} {
			if got := can(t, c, root, name); got != "rws" {
				t.Fatalf("user %s: %s", name, got)
			}
		}
		server.Exec(t, database, "UPDATE mqtt_acl SET rw = 5 WHERE username = 'cid'")
		begin := time.Now()
		brokertest.WaitFor(t, "the end of a right", func() bool { return !writes(t, cid, root, "cid") })
		t.Logf("a right ended after %v", time.Since(begin))
		server.Exec(t, database, "UPDATE mqtt_user SET password_hash = NULL WHERE username = 'ann'")
		t.Logf("a client whose password is gone was disconnected after %v", gone(t, ann))
		server.Exec(t, database, "DELETE FROM mqtt_user WHERE username = 'bob'")
		t.Logf("a client without an account was disconnected after %v", gone(t, bob))
		refused(t, r, "bob", password, mqtt.NotAuthorized)

		// The watch is cut and begun again; what happened meanwhile counts, too.
		server.Exec(t, "", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'go-auth listens' AND datname = '"+database+"'")
		server.Exec(t, database, "DELETE FROM mqtt_user WHERE username = 'cid'")
		gone(t, cid)
		if !root.Alive() {
			t.Error("root was disconnected")
		}
	})
}

// While Postgres is away, clients keep their rights and logins are refused; when
// it is back, so is service.
func TestPostgresOutages(t *testing.T) {
	t.Parallel()
	server := postgrestest.Start(t, postgrestest.Options{})
	insert(t, server, "postgres")
	server.Stop(t)
	r := start(t, newest(t), connection("postgres", server)+pgQueries+"\nauth_timeout 1")
	turnedAway(t, r, "u7")
	server.Restart(t)
	backWithin(t, 2*time.Second, r, "u7")
	admin, c := login(t, r, "admin"), login(t, r, "u7")
	for name, away := range map[string][2]func(testing.TB){
		"killed": {server.Kill, server.Restart},
		"paused": {server.Pause, server.Continue},
	} {
		away[0](t)
		for range 2 {
			turnedAway(t, r, "u5")
			if got := can(t, c, admin, "t/u7"); got != "rws" {
				t.Errorf("%s: rights of a client that is in: %s", name, got)
			}
		}
		away[1](t)
		backWithin(t, 2*time.Second, r, "u5")
	}
}

// Our own wrong password is told, and is no end of the service: it is back as soon
// as the server accepts it.
func TestPostgresWrongPassword(t *testing.T) {
	t.Parallel()
	server := postgrestest.Start(t, postgrestest.Options{HBA: []string{"host all plugin 127.0.0.1/32 scram-sha-256"}})
	insert(t, server, "postgres")
	server.Exec(t, "", "CREATE ROLE plugin LOGIN PASSWORD 'other'; GRANT SELECT ON test_user, test_acl TO plugin")
	ours := strings.NewReplacer("pg_user "+server.User(), "pg_user plugin", "pg_password unused", "pg_password wrong")
	r := start(t, newest(t), ours.Replace(connection("postgres", server))+pgQueries)
	for range 3 {
		turnedAway(t, r, "u7")
	}
	r.WaitLog(t, "does not accept our own user name")
	if n := strings.Count(r.Log(), outage); n != 1 {
		t.Errorf("the outage is logged %d times, want once", n)
	}
	server.Exec(t, "", "ALTER ROLE plugin PASSWORD 'wrong'")
	backWithin(t, 2*time.Second, r, "u7")
}

// A thousand failed logins leave nothing behind in the broker.
func TestPostgresFailuresLeaveNothing(t *testing.T) {
	t.Parallel()
	server := postgrestest.Start(t, postgrestest.Options{})
	insert(t, server, "postgres")
	server.Exec(t, "postgres", "INSERT INTO test_user (username, password_hash, is_admin) VALUES ('ann', '"+stored()+"', false)")
	r := start(t, newest(t), connection("postgres", server)+pgQueries+"\nauth_timeout 2\naddress_max 1000")
	login(t, r, "ann").Drop()
	leavesNothing(t, r, func() { server.Kill(t) }, func() { server.Restart(t) })
}

// The primary server is lost. Clients keep their rights, logins are refused while
// there is a standby only, and when that has become the primary, logins are
// answered and changes there are heard of.
func TestPostgresPromotion(t *testing.T) {
	t.Parallel()
	primary := postgrestest.Start(t, postgrestest.Options{})
	fillNoticed(t, primary, "postgres")
	standby := primary.Replica(t)
	r := start(t, newest(t), connection("postgres", primary, standby)+noticed+"\npg_target_session_attrs primary\nauth_timeout 1")
	root, ann, bob := login(t, r, "root"), login(t, r, "ann"), login(t, r, "bob")
	keeps := func() {
		t.Helper()
		if got := can(t, ann, root, "ann"); got != "rws" {
			t.Errorf("rights of a client that is in: %s", got)
		}
	}
	keeps()
	primary.Kill(t)
	turnedAway(t, r, "cid")
	keeps()
	standby.Promote(t)
	backWithin(t, 2*time.Second, r, "cid")
	keeps()
	begin := time.Now()
	brokertest.WaitFor(t, "somebody to listen", func() bool {
		return standby.Query(t, "", "SELECT COUNT(*) FROM pg_stat_activity WHERE application_name = 'go-auth listens' AND query LIKE 'LISTEN%' AND state = 'idle'") == "1"
	})
	t.Logf("changes are listened for after another %v", time.Since(begin).Round(time.Millisecond))
	standby.Exec(t, "", "DELETE FROM mqtt_user WHERE username = 'bob'")
	if took := gone(t, bob); took > 2*time.Second {
		t.Errorf("a client without an account was disconnected after %v", took)
	}
	standby.Exec(t, "", "UPDATE mqtt_acl SET rw = 5 WHERE username = 'ann'")
	brokertest.WaitFor(t, "the end of a right", func() bool { return !writes(t, ann, root, "ann") })
}

// refused checks the answer to a login that is not let in.
func refused(t *testing.T, r *brokertest.Running, name, password string, want mqtt.Code) {
	t.Helper()
	if _, answer := mqtt.TryLogin(t, r.Addr, mqtt.As(name, password)); answer.Code != want {
		t.Errorf("user %q: CONNACK %v, want %v", name, answer.Code, want)
	}
}

// can finds out what a client may do with a topic, as r, w and s; what it may not
// subscribe to, it cannot read. other may do everything.
func can(t *testing.T, c, other *mqtt.Client, topic string) string {
	t.Helper()
	got := []byte("---")
	if subscribes(c, topic) {
		got[2] = 's'
		if writes(t, other, c, topic) {
			got[0] = 'r'
		}
	}
	if !subscribes(other, topic) {
		t.Fatalf("client %q is not granted %s", other.ID, topic)
	}
	if writes(t, c, other, topic) {
		got[1] = 'w'
	}
	return string(got)
}

func subscribes(c *mqtt.Client, filter string) bool {
	code := c.Subscribe(1, filter)[0]
	return code >= 0 && code < mqtt.Failure
}

// gone waits until a client is disconnected, and returns how long that took.
func gone(t *testing.T, c *mqtt.Client) time.Duration {
	t.Helper()
	clock := stall.Start()
	brokertest.WaitFor(t, "the end of "+c.ID, func() bool {
		return c.Publish(mqtt.Message{Topic: "nobody/listens", QoS: 1}) == mqtt.Closed
	})
	return clock.Took()
}
