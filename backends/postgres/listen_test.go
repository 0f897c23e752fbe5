package postgres

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"mosquitto-go-auth/backends"
	"mosquitto-go-auth/test/postgrestest"
)

// ear collects what a watch tells.
type ear struct {
	t     testing.TB
	heard chan string
	ended chan error
}

// listen watches until the test ends.
func listen(t testing.TB, b backends.Backend) ear {
	ctx, cancel := context.WithCancel(context.Background())
	e := ear{t, make(chan string, 1000), make(chan error, 1)}
	go func() { e.ended <- b.(backends.Watcher).Watch(ctx, func(name string) { e.heard <- name }) }()
	t.Cleanup(cancel)
	return e
}

// next waits for the next names.
func (e ear) next(want ...string) {
	e.t.Helper()
	for _, name := range want {
		select {
		case got := <-e.heard:
			if got != name {
				e.t.Errorf("heard of %.60q, want %.60q", got, name)
			}
		case err := <-e.ended:
			e.t.Fatalf("the watch ended: %v", err)
		case <-time.After(testLimit):
			e.t.Fatalf("heard nothing of %.60q", name)
		}
	}
}

// over waits for the end of the watch.
func (e ear) over(text string) {
	e.t.Helper()
	select {
	case err := <-e.ended:
		if err == nil || !strings.Contains(err.Error(), text) || strings.Contains(err.Error(), "\n") {
			e.t.Errorf("the watch ended: %v, want %q", err, text)
		}
	case <-time.After(testLimit):
		e.t.Fatal("the watch goes on")
	}
}

// The triggers of schema.sql name whoever changed.
func TestTriggers(t *testing.T) {
	s := newStore(t)
	schema, err := os.ReadFile("schema.sql")
	if err != nil {
		t.Fatal(err)
	}
	s.exec(t, string(schema))
	e := listen(t, s.open(t, goAuthUser, "pg_notify_channel go_auth").Backend)
	e.next("")
	long := strings.Repeat("x", 8000)
	tests := []struct {
		statement string
		want      []string // sorted: the order within a transaction is the server's
	}{
		{"INSERT INTO mqtt_user VALUES ('sam', 'h'), ('Ann ''Ö''', 'h')", []string{"Ann 'Ö'", "sam"}},
		{"UPDATE mqtt_user SET password_hash = 'new' WHERE username = 'sam'", []string{"sam"}},
		{"INSERT INTO mqtt_acl VALUES ('sam', 'a', 1), ('sam', 'b', 1)", []string{"sam"}},
		{"UPDATE mqtt_acl SET rw = 3 WHERE topic = 'a'", []string{"sam"}},
		{"DELETE FROM mqtt_acl WHERE topic = 'b'", []string{"sam"}},
		{"UPDATE mqtt_user SET username = 'sue' WHERE username = 'sam'", []string{"sam", "sue"}}, // with the rights
		{"DELETE FROM mqtt_user WHERE username = 'sue'", []string{"sue"}},
		{"BEGIN; INSERT INTO mqtt_user VALUES ('gone'); ROLLBACK; INSERT INTO mqtt_user VALUES ('here')", []string{"here"}},
		{"INSERT INTO mqtt_user VALUES ('" + long + "')", []string{""}},
		{"TRUNCATE mqtt_user, mqtt_acl", []string{""}},
	}
	for _, tt := range tests {
		s.exec(t, tt.statement)
		var got []string
		for range tt.want {
			got = append(got, <-e.heard)
		}
		if slices.Sort(got); !slices.Equal(got, tt.want) {
			t.Errorf("%.80s: heard of %.80q, want %.80q", tt.statement, got, tt.want)
		}
	}
	s.exec(t, "NOTIFY go_auth, 'end'")
	e.next("end") // and of nothing else
}

// The README's advice for tables of one's own.
func TestTriggerOfAnotherTable(t *testing.T) {
	s := newStore(t)
	schema, err := os.ReadFile("schema.sql")
	if err != nil {
		t.Fatal(err)
	}
	functions := string(schema)[strings.Index(string(schema), "CREATE FUNCTION"):strings.Index(string(schema), "CREATE TRIGGER go_auth_notify AFTER INSERT OR UPDATE OR DELETE ON mqtt_user")]
	s.exec(t, `CREATE TABLE my_table (id int, "My Name" varchar)`, functions,
		`CREATE TRIGGER go_auth_notify AFTER INSERT OR UPDATE OR DELETE ON my_table FOR EACH ROW EXECUTE FUNCTION go_auth_notify('My Name')`)
	e := listen(t, s.open(t, goAuthUser, "pg_notify_channel go_auth").Backend)
	e.next("")
	s.exec(t, "INSERT INTO my_table VALUES (1, 'sam')", "UPDATE my_table SET id = 2", "INSERT INTO my_table VALUES (1, NULL)")
	e.next("sam", "sam", "")
}

func TestChannelNames(t *testing.T) {
	s := newStore(t)
	for _, name := range []string{"go_auth", "Go-Auth", `a"b`, "a; DROP TABLE x"} {
		e := listen(t, s.open(t, goAuthUser, "pg_notify_channel "+name).Backend)
		e.next("")
		s.exec(t, fmt.Sprintf("SELECT pg_notify('%s', 'sam')", name))
		e.next("sam")
	}
	if _, ok := s.open(t, goAuthUser).Backend.(backends.Watcher); ok {
		t.Error("without a channel there is something to watch")
	}
}

// A watch that breaks off says so, and can be begun again.
func TestWatchIsCut(t *testing.T) {
	s := own(t, postgrestest.Options{})
	b := open(t, s.options()+ownQuery+"pg_notify_channel go_auth").Backend
	e := listen(t, b)
	e.next("")
	s.Query(t, "", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'go-auth listens'")
	e.over(`listening on "go_auth" of Postgres at 127.0.0.1:`)
	e = listen(t, b)
	e.next("")
	s.Kill(t)
	e.over("listening on")
	listen(t, b).over("failed to connect")
	s.Restart(t)
	e = listen(t, b)
	e.next("")
	s.exec(t, "NOTIFY go_auth, 'sam'")
	e.next("sam")
	b.Close()
	e.over("canceled")
	eventually(t, testLimit, "the connection ends", func() bool { return s.connections(t) == 0 })
}

// A silent server is found out, though its connection is open.
func TestWatchOfASilentServer(t *testing.T) {
	s := own(t, postgrestest.Options{})
	l := open(t, s.options()+ownQuery+"pg_notify_channel go_auth").Backend.(*Listening)
	l.silence, l.answerTime = 50*time.Millisecond, 200*time.Millisecond
	e := listen(t, l)
	e.next("")
	for i := range 10 { // also between the questions nothing is missed
		s.exec(t, fmt.Sprintf("NOTIFY go_auth, '%d'", i))
		e.next(fmt.Sprint(i))
		time.Sleep(20 * time.Millisecond)
	}
	s.Pause(t)
	e.over("timeout")
	s.Continue(t)
	e = listen(t, l)
	e.next("")
}

// Reading from a replica, the channel is that of the primary server.
func TestWatchWithReplica(t *testing.T) {
	primary := own(t, postgrestest.Options{})
	replica := primary.Replica(t)
	b := open(t, lastOf(primary.options()+ownQuery+"pg_notify_channel go_auth\npg_target_session_attrs prefer-standby\n"+
		fmt.Sprintf("pg_host 127.0.0.1,127.0.0.1\npg_port %d,%d", replica.Port(), primary.Port()))).Backend
	user(t, b, "sam")
	e := listen(t, b)
	e.next("")
	primary.exec(t, "UPDATE u SET h = 'new'; NOTIFY go_auth, 'sam'")
	e.next("sam")
	eventually(t, testLimit, "the replica follows", func() bool { return user(t, b, "sam").Hash == "new" })
	alone := open(t, lastOf(primary.options()+ownQuery+"pg_notify_channel go_auth\n"+fmt.Sprintf("pg_port %d", replica.Port()))).Backend
	listen(t, alone).over("listening on")
}
