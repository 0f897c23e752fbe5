package stores

import (
	"bytes"
	"database/sql"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mosquitto-go-auth/test/brokertest"
	"mosquitto-go-auth/test/mariadbtest"
	"mosquitto-go-auth/test/mqtt"
	"mosquitto-go-auth/test/stall"
)

// mysqlQueries are those of schema.sql.
const mysqlQueries = `
backends mysql
auth_timeout 2
mysql_dbname mqtt
mysql_userquery SELECT password_hash FROM mqtt_user WHERE username = ?
mysql_superquery SELECT is_admin FROM mqtt_user WHERE username = ?
mysql_aclquery SELECT topic, rw FROM mqtt_acl WHERE username = ?
`

// newMySQL starts a server with a table of users: ann may use her topic, root
// may do everything. What it was told outlives a crash.
func newMySQL(t *testing.T) *mariadbtest.Server {
	t.Helper()
	s := mariadbtest.Start(t, mariadbtest.Options{Args: []string{"--innodb-flush-log-at-trx-commit=1"}})
	schema, err := os.ReadFile("../../backends/mysql/schema.sql")
	if err != nil {
		t.Fatal(err)
	}
	s.Exec(t, "CREATE DATABASE mqtt", "CREATE USER plugin@'%'")
	text := strings.NewReplacer("TABLE mqtt", "TABLE mqtt.mqtt", "REFERENCES mqtt", "REFERENCES mqtt.mqtt").Replace(string(schema))
	for statement := range strings.SplitSeq(text, ";\n") {
		if strings.TrimSpace(statement) != "" {
			s.Exec(t, statement)
		}
	}
	s.Exec(t, "GRANT SELECT ON mqtt.mqtt_user TO plugin@'%'", "GRANT SELECT ON mqtt.mqtt_acl TO plugin@'%'",
		"INSERT INTO mqtt.mqtt_user VALUES ('ann', '"+stored()+"', 0), ('root', '"+stored()+"', 1)",
		"INSERT INTO mqtt.mqtt_acl VALUES ('ann', 'ann', 7)")
	return s
}

// mysqlAt are the options for servers, the first of which is preferred.
func mysqlAt(servers ...*mariadbtest.Server) string {
	var hosts []string
	for _, s := range servers {
		hosts = append(hosts, fmt.Sprint(s.Host(), ":", s.Port()))
	}
	return mysqlQueries + "mysql_user plugin\nmysql_host " + strings.Join(hosts, ", ")
}

const outage = "logins that need it are refused as unavailable until it answers"

// The service is back soon after the server is, however long it was away and
// whatever it was.
func TestMySQLIsBackSoon(t *testing.T) {
	t.Parallel()
	s := newMySQL(t)
	broker := start(t, newest(t), mysqlAt(s), "acl_cache_seconds 1")
	ann, root := login(t, broker, "ann"), login(t, broker, "root")
	if root.Subscribe(1, "ann")[0] != 1 {
		t.Fatal("root may not subscribe")
	}
	keeps := func() {
		t.Helper()
		if !writes(t, ann, root, "ann") {
			t.Error("a connected client has lost its rights")
		}
	}
	away := func(t *testing.T, end, again func(testing.TB)) {
		end(t)
		for range 3 {
			turnedAway(t, broker, "ann")
			keeps()
		}
		again(t)
		backWithin(t, 2*time.Second, broker, "ann")
		keeps()
	}
	t.Run("killed", func(t *testing.T) { away(t, s.Kill, s.Restart) })
	t.Run("stopped", func(t *testing.T) { away(t, s.Pause, s.Continue) })
	t.Run("shut down", func(t *testing.T) { away(t, s.Stop, s.Restart) })
}

// Of two servers the second takes over, and the first takes back.
func TestMySQLFailsOver(t *testing.T) {
	t.Parallel()
	one, two := newMySQL(t), newMySQL(t)
	one.Exec(t, "INSERT INTO mqtt.mqtt_user VALUES ('one', '"+stored()+"', 0)")
	two.Exec(t, "INSERT INTO mqtt.mqtt_user VALUES ('two', '"+stored()+"', 0)")
	broker := start(t, newest(t), mysqlAt(one, two))
	clock := stall.Start()
	defer clock.Took()
	backWithin(t, 2*time.Second, broker, "one")
	for name, how := range map[string][2]func(testing.TB){"killed": {one.Kill, one.Restart}, "stopped": {one.Pause, one.Continue}} {
		t.Run(name, func(t *testing.T) {
			how[0](t)
			backWithin(t, 2*time.Second, broker, "two")
			how[1](t)
			brokertest.WaitFor(t, "the first server to be asked again", func() bool { return in(t, broker, "one") })
		})
	}
	// Where it takes a second to leave the first, another one is left for the second.
	if strings.Contains(broker.Log(), outage) && clock.Stood() < 500*time.Millisecond {
		t.Error("the store is taken to be down, though one of its servers answered")
	}
}

// A query that the server refuses is no outage, and the log says what to do.
func TestMySQLQueryAtFault(t *testing.T) {
	t.Parallel()
	s := newMySQL(t)
	broker := start(t, newest(t), mysqlAt(s), "acl_cache_seconds 1")
	ann, root := login(t, broker, "ann"), login(t, broker, "root")
	if root.Subscribe(1, "ann")[0] != 1 {
		t.Fatal("root may not subscribe")
	}
	for _, c := range []struct{ spoil, mend, log string }{
		{"ALTER TABLE mqtt.mqtt_user RENAME COLUMN is_admin TO boss", "ALTER TABLE mqtt.mqtt_user RENAME COLUMN boss TO is_admin",
			"(mysql_superquery): the query is at fault: Error 1054 (42S22)"},
		{"RENAME TABLE mqtt.mqtt_acl TO mqtt.acl", "RENAME TABLE mqtt.acl TO mqtt.mqtt_acl", "(mysql_aclquery): the query is at fault: Error 1146 (42S02)"},
		{"REVOKE SELECT ON mqtt.mqtt_acl FROM plugin@'%'", "GRANT SELECT ON mqtt.mqtt_acl TO plugin@'%'", "GRANT SELECT ON the table TO the user"},
	} {
		s.Exec(t, c.spoil)
		brokertest.WaitFor(t, "the fault in the log", func() bool {
			once := mqtt.Dial(t, broker.Addr, client("ann"))
			defer once.Drop()
			once.Connect()
			return strings.Contains(broker.Log(), c.log)
		})
		turnedAway(t, broker, "ann")
		if !writes(t, ann, root, "ann") {
			t.Error("a connected client has lost its rights")
		}
		s.Exec(t, c.mend)
		backWithin(t, 2*time.Second, broker, "ann")
	}
	if strings.Contains(broker.Log(), outage) {
		t.Error("the log calls it an outage")
	}
}

// Our own wrong password is told once, and is not tried at full speed.
func TestMySQLWrongPassword(t *testing.T) {
	t.Parallel()
	s := newMySQL(t)
	s.Exec(t, "ALTER USER plugin@'%' IDENTIFIED BY 'right'")
	before, begin := denials(t, s), time.Now()
	broker := start(t, newest(t), mysqlAt(s), "mysql_password wrong")
	var users sync.WaitGroup
	for range 10 {
		users.Go(func() {
			for range 20 {
				turnedAway(t, broker, "ann")
			}
		})
	}
	users.Wait()
	broker.WaitLog(t, "the server does not accept our own user name and password, see mysql_user and mysql_password")
	if n := strings.Count(broker.Log(), outage); n != 1 {
		t.Errorf("the outage is logged %d times, want once", n)
	}
	if strings.Contains(broker.Log(), "wrong;") {
		t.Error("the log shows the password")
	}
	most := 16 + int(time.Since(begin)/time.Second) // those of the pool, at once
	if n := denials(t, s) - before; n < 1 || n > most {
		t.Errorf("the server was asked %d times in %v, want %d at most", n, time.Since(begin), most)
	}
	s.Exec(t, "ALTER USER plugin@'%' IDENTIFIED BY 'wrong'")
	backWithin(t, 2*time.Second, broker, "ann")
}

// denials is how often a server has refused a log-in.
func denials(t *testing.T, s *mariadbtest.Server) (n int) {
	t.Helper()
	db, err := sql.Open("mysql", s.DSN())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var name string
	if err := db.QueryRow("SHOW GLOBAL STATUS LIKE 'Access_denied_errors'").Scan(&name, &n); err != nil {
		t.Fatal(err)
	}
	return n
}

// A thousand failed logins leave nothing behind in the broker.
func TestMySQLFailuresLeaveNothing(t *testing.T) {
	t.Parallel()
	s := newMySQL(t)
	broker := start(t, newest(t), mysqlAt(s), "address_max 1000")
	login(t, broker, "ann").Drop()
	leavesNothing(t, broker, func() { s.Kill(t) }, func() { s.Restart(t) })
}

// Two brokers on one store: what is changed once reaches both, at the latest
// when the rights are fetched again, and at once by SIGHUP.
func TestMySQLTwoBrokers(t *testing.T) {
	t.Parallel()
	s := newMySQL(t)
	all := brokertest.All(t)
	for name, seconds := range map[string]int{"refreshed": 1, "told": 3600} {
		t.Run(name, func(t *testing.T) {
			var brokers [2]*brokertest.Running
			var ann, root [2]*mqtt.Client
			for i, b := range []brokertest.Broker{all[0], all[len(all)-1]} {
				brokers[i] = start(t, b, mysqlAt(s), fmt.Sprint("acl_cache_seconds ", seconds))
				ann[i], root[i] = login(t, brokers[i], "ann"), login(t, brokers[i], "root")
				root[i].Subscribe(1, "new")
				if writes(t, ann[i], root[i], "new") {
					t.Fatal("ann may write already")
				}
			}
			change := func(statement string, want bool) {
				t.Helper()
				s.Exec(t, statement)
				for i := range brokers {
					if seconds > 1 {
						brokers[i].Reload()
					}
					brokertest.WaitFor(t, "the change", func() bool { return writes(t, ann[i], root[i], "new") == want })
				}
			}
			change("INSERT INTO mqtt.mqtt_acl VALUES ('ann', 'new', 2)", true)
			change("DELETE FROM mqtt.mqtt_acl WHERE topic = 'new'", false)
		})
	}
}

// A name server that swallows the questions: the broker goes on, logins are
// refused in time, and the service is there as soon as names are.
func TestMySQLSilentNameServer(t *testing.T) {
	t.Parallel()
	names := silentNameServer(t)
	s := newMySQL(t)
	dir := t.TempDir()
	broker := start(t, asking(t, newest(t), dir), mysqlQueries, "backends files, mysql", "files_password_path "+passwords(t, dir),
		"mysql_user plugin", fmt.Sprint("mysql_host db.example.org:", s.Port()))
	for range 3 {
		clock := stall.Start()
		turnedAway(t, broker, "ann")
		if took := clock.Took(); took > 3*time.Second {
			t.Errorf("the refusal took %v, auth_timeout is 2s", took)
		}
	}
	broker.WaitLog(t, outage)
	if !names.asked.Load() {
		t.Fatal("the name server was not asked")
	}
	clock := stall.Start()
	login(t, broker, "file")
	if took := clock.Took(); took > time.Second {
		t.Errorf("a login of another backend took %v", took)
	}
	names.answers.Store(true)
	backWithin(t, 2*time.Second, broker, "ann")
}

// nameServer is one that says nothing, or that every name is this host's.
type nameServer struct{ asked, answers atomic.Bool }

// silentNameServer listens where asking has a broker ask.
func silentNameServer(t *testing.T) *nameServer {
	t.Helper()
	l, err := net.ListenPacket("udp", "127.0.0.53:53")
	if err != nil {
		t.Skip("no name server of our own: ", err)
	}
	t.Cleanup(func() { l.Close() })
	n := &nameServer{}
	go func() {
		question := make([]byte, 512)
		for {
			size, from, err := l.ReadFrom(question)
			if err != nil {
				return
			}
			n.asked.Store(true)
			if n.answers.Load() {
				l.WriteTo(answer(question[:size]), from)
			}
		}
	}()
	return n
}

// answer makes the answer to a question (RFC 1035, section 4): 127.0.0.1 for an
// address of the old kind, nothing for any other.
func answer(question []byte) []byte {
	name := bytes.IndexByte(question[12:], 0) + 13 // the end of the name
	a := append([]byte(nil), question[:name+4]...)
	copy(a[2:12], []byte{0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0})
	if a[name+1] != 1 {
		return a
	}
	a[7] = 1
	return append(a, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, 127, 0, 0, 1)
}

// asking returns the broker in a mount namespace in which the name server is
// that of the test.
func asking(t *testing.T, b brokertest.Broker, dir string) brokertest.Broker {
	t.Helper()
	if out, err := exec.Command("unshare", "-m", "true").CombinedOutput(); err != nil {
		t.Skipf("no mount namespace: %v %s", err, out)
	}
	conf, wrapper := filepath.Join(dir, "resolv.conf"), filepath.Join(dir, "mosquitto")
	write(t, conf, "nameserver 127.0.0.53\n")
	write(t, wrapper, fmt.Sprintf("#!/bin/sh\nexec unshare -m sh -c 'mount --bind %s /etc/resolv.conf && exec %s \"$@\"' sh \"$@\"\n", conf, b.Path))
	if err := os.Chmod(wrapper, 0o755); err != nil {
		t.Fatal(err)
	}
	b.Path = wrapper
	return b
}

func passwords(t *testing.T, dir string) string {
	name := filepath.Join(dir, "passwords")
	write(t, name, "file:"+stored()+"\n")
	return name
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
