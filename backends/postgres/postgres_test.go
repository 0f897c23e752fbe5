package postgres

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"

	"mosquitto-go-auth/backends"
)

// goAuth are tables as mosquitto-go-auth's users have them: a user for each r-w-s
// number.
const goAuth = `
CREATE TABLE test_user (id SERIAL PRIMARY KEY, username VARCHAR(255) NOT NULL UNIQUE, password_hash VARCHAR(255), is_admin INT NOT NULL DEFAULT 0);
CREATE TABLE test_acl (id SERIAL PRIMARY KEY, test_user_id INT NOT NULL, topic VARCHAR(255), rw INT);
INSERT INTO test_user (id, username, password_hash) VALUES (10,'n','h10'),(11,'r','h11'),(12,'w','h12'),(13,'rw','h13'),(14,'s','h14'),(15,'rs','h15'),(16,'ws','h16'),(17,'rws','h17'),(18,'null',NULL);
INSERT INTO test_user (id, username, password_hash, is_admin) VALUES (19, 'Sue','h1',1);
INSERT INTO test_acl (test_user_id, topic, rw) SELECT id, 't/' || username, id - 10 FROM test_user WHERE id < 18;
INSERT INTO test_acl (test_user_id, topic, rw) VALUES (10, 'null', NULL), (17, NULL, 7)`

const (
	goAuthUser  = "pg_userquery SELECT password_hash FROM test_user WHERE username = $1 limit 1"
	goAuthSuper = "pg_superquery SELECT COUNT(*) FROM test_user WHERE username = $1 AND is_admin = 1"
	goAuthACL   = "pg_aclquery SELECT topic FROM test_acl WHERE test_user_id = (SELECT id FROM test_user WHERE username = $1) AND (rw >= $2)"
	bitMask     = "pg_aclquery SELECT topic, rw FROM test_acl WHERE test_user_id = (SELECT id FROM test_user WHERE username = $1)"
	plugUser    = "userquery SELECT password_hash FROM test_user WHERE username = $1"
	plugSuper   = "superquery SELECT COUNT(*) FROM test_user WHERE username = $1 AND is_admin = 1"
	plugACL     = "aclquery SELECT topic FROM test_acl, test_user u WHERE test_user_id = u.id AND (username = $1) AND (rw >= $2)"
)

// The names of the users with the numbers 0 to 7.
var numbered = []string{"n", "r", "w", "rw", "s", "rs", "ws", "rws"}

func TestRights(t *testing.T) {
	s := newStore(t)
	s.exec(t, goAuth)
	bySize := [8]backends.Access{0, 1, 3, 3, 7, 7, 7, 7} // what rw >= $2 makes of the numbers
	bits := [8]backends.Access{0, 1, 2, 3, 4, 5, 6, 7}
	tests := []struct {
		name    string
		options []string
		want    [8]backends.Access
	}{
		{"mosquitto-go-auth", []string{goAuthUser, goAuthSuper, goAuthACL}, bySize},
		{"mosquitto-go-auth's tests", []string{goAuthUser, goAuthSuper, strings.Replace(goAuthACL, "rw >= $2", "rw = $2 or rw = 3", 1)},
			[8]backends.Access{0, 1, 2, 7, 4, 0, 0, 0}},
		{"mosquitto-auth-plug", []string{plugUser, plugSuper, plugACL}, bySize},
		{"printf", []string{strings.Replace(plugUser, "$1", "'%s'", 1),
			strings.NewReplacer("$1", "'%s'", "$2", "%d").Replace(plugACL)}, bySize},
		{"bit mask", []string{goAuthUser, goAuthSuper, bitMask}, bits},
		{"bit by bit", []string{goAuthUser, goAuthSuper, strings.Replace(goAuthACL, "rw >= $2", "rw & $2 > 0", 1)}, bits},
		{"a list", []string{goAuthUser, strings.Replace(goAuthACL, "rw >= $2", "$2 = ANY (ARRAY[rw])", 1)}, [8]backends.Access{0, 1, 2, 0, 4, 0, 0, 0}},
		{"the access as text", []string{goAuthUser, strings.Replace(goAuthACL, "rw >= $2", "rw::text = $2", 1)}, [8]backends.Access{0, 1, 2, 0, 4, 0, 0, 0}},
		{"no rights in the rows", []string{goAuthUser, strings.Replace(bitMask, "topic, rw", "topic", 1)}, [8]backends.Access{7, 7, 7, 7, 7, 7, 7, 7}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := s.open(t, tt.options...)
			for n, name := range numbered {
				a := user(t, b, name)
				if a.Hash != fmt.Sprintf("h1%d", n) || a.Super || a.AllowAll {
					t.Errorf("%s: %+v", name, a)
				}
				if got := accessTo(a, "t/"+name); got != tt.want[n] {
					t.Errorf("number %d grants %03b, want %03b", n, got, tt.want[n])
				}
			}
		})
	}
}

func accessTo(a backends.Account, topic string) (access backends.Access) {
	for _, s := range a.Sections {
		for _, r := range s {
			if r.Pattern == topic {
				access |= r.Access
			}
		}
	}
	return access
}

func TestAccounts(t *testing.T) {
	s := newStore(t)
	s.exec(t, goAuth)
	b := s.open(t, goAuthUser, goAuthSuper, bitMask)
	if a := user(t, b, "Sue"); !a.Super || a.Hash != "h1" {
		t.Errorf("superuser: %+v", a)
	}
	if a := user(t, b, "null"); a.Super || a.Hash != "" {
		t.Errorf("NULL hash: %+v", a)
	}
	for _, l := range []backends.Lookup{{Name: "nobody"}, {Name: "null", RulesOnly: true}, {Name: "nobody", PasswordOnly: true}} {
		if _, err := b.User(ctxOf(t), l); err != backends.ErrNoUser {
			t.Errorf("%+v: %v", l, err)
		}
	}
	if a, err := b.User(ctxOf(t), backends.Lookup{Name: "rw", RulesOnly: true}); err != nil || a.Hash != "" || accessTo(a, "t/rw") != 3 {
		t.Errorf("rules only: %+v, %v", a, err)
	}
	if a, err := b.User(ctxOf(t), backends.Lookup{Name: "rw", PasswordOnly: true}); err != nil || a.Hash != "h13" || a.Sections != nil {
		t.Errorf("password only: %+v, %v", a, err)
	}
	if a := user(t, s.open(t, goAuthUser), "r"); !a.AllowAll {
		t.Errorf("no aclquery: %+v", a)
	}
}

// All values arrive as what they mean, whatever type the columns have.
func TestTypes(t *testing.T) {
	s := newStore(t)
	tests := []struct{ name, value, want string }{
		{"text", "'h'::text", "h"},
		{"varchar", "'h '::varchar(9)", "h "},
		{"char, filled up", "'h'::char(60)", "h"},
		{"name", "'h'::name", "h"},
		{"unknown", "'h'", "h"},
		{"bytea", `'\x68c3a95c'::bytea`, `hé\`},
		{"integer", "7", "7"},
		{"smallint", "7::smallint", "7"},
		{"true", "true", "1"},
		{"false", "false", "0"},
		{"NULL", "NULL", ""},
		{"NULL of a type", "NULL::bytea", ""},
	}
	for _, tt := range tests {
		if a := user(t, s.open(t, "userquery SELECT "+tt.value+" WHERE $1 <> ''"), "sam"); a.Hash != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, a.Hash, tt.want)
		}
	}
	s.exec(t, "SET bytea_output = escape; ALTER DATABASE "+s.name+" SET bytea_output = escape")
	if a := user(t, s.open(t, `userquery SELECT '\x68c3a95c00'::bytea WHERE $1 <> ''`), "sam"); a.Hash != "hé\\\x00" {
		t.Errorf("bytea in the older form: %q", a.Hash)
	}
	for value, want := range map[string]bool{"true": true, "false": false, "1": true, "0::bigint": false, "2::smallint": true, "'1'": true, "NULL::bool": false} {
		b := s.open(t, "userquery SELECT 'h' WHERE $1 <> ''", "superquery SELECT "+value+" WHERE $1 <> ''")
		if a := user(t, b, "sam"); a.Super != want {
			t.Errorf("superuser %s: %t", value, a.Super)
		}
	}
	for _, column := range []string{"text", "varchar(40)", "char(40)", "bytea", "name", `text COLLATE "C"`} {
		s.exec(t, "DROP TABLE IF EXISTS u", "CREATE TABLE u (n "+column+", rw int2); INSERT INTO u VALUES ('sam', 5)")
		b := s.open(t, "userquery SELECT 'h', n FROM u WHERE n = $1", "aclquery SELECT n, rw FROM u WHERE n = $1")
		if a := user(t, b, "sam"); a.Name != "sam" || accessTo(a, "sam") != 5 {
			t.Errorf("%s: %+v", column, a)
		}
	}
}

// Whatever a name or client identifier contains is a value, never SQL.
func TestInjection(t *testing.T) {
	s := newStore(t)
	s.exec(t, goAuth, "CREATE TABLE odd (n TEXT, h TEXT)")
	names := []string{
		`' OR '1'='1`, `' OR 1=1 -- `, `r' -- `, `\' OR 1=1 -- `, `r\`, `"`, "$1", "$$", `'; DROP TABLE test_user; -- `,
		`%`, `_`, `%s`, `%d%n`, "?", "r'\u02bc", "ʼ OR 1=1", "💀", "é", strings.Repeat("x", 65535), strings.Repeat("'", 65535),
	}
	unspeakable := []string{"r\x00", "\x00", "\xff", "r\xc0\xa7", "\xed\xa0\x80"}
	plugClient := "userquery SELECT password_hash FROM test_user WHERE username = '%s' AND '%s' <> ''"
	for _, options := range [][]string{{goAuthUser, goAuthSuper, goAuthACL}, {plugUser, plugSuper, plugACL}, {plugClient, plugACL}} {
		b := s.open(t, options...)
		for _, name := range append(unspeakable, names...) {
			if a, err := b.User(ctxOf(t), backends.Lookup{Name: name, ClientID: name}); err != backends.ErrNoUser {
				t.Errorf("%.20q: %+v, %v", name, a, err)
			}
		}
		for _, name := range names {
			if a, err := b.User(ctxOf(t), backends.Lookup{Name: "r", ClientID: name}); err != nil || a.Hash != "h11" {
				t.Errorf("client identifier %.20q: %+v, %v", name, a, err)
			}
		}
	}
	conn, err := s.Connect(ctxOf(t), s.name)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctxOf(t))
	b := s.open(t, "userquery SELECT h, n FROM odd WHERE n = $1")
	for _, name := range append(names, "O'Neil", "名前", strings.Repeat("é", 30000)) {
		if _, err := conn.Exec(ctxOf(t), "INSERT INTO odd VALUES ($1, 'found')", name); err != nil {
			t.Fatal(err)
		}
		if a := user(t, b, name); a.Hash != "found" || a.Name != name {
			t.Errorf("%.20q is not found under its name", name)
		}
	}
}

// A name that the column cannot hold is unknown; it must not look like an
// outage, which anybody could cause then.
func TestForeignNames(t *testing.T) {
	s := newStore(t)
	latin := store{s.Server, s.name + "_latin"}
	s.Exec(t, "", "CREATE DATABASE "+latin.name+" TEMPLATE template0 ENCODING LATIN1")
	t.Cleanup(func() { s.Exec(t, "", "DROP DATABASE "+latin.name+" WITH (FORCE)") })
	for _, s := range []store{s, latin} {
		s.exec(t, "CREATE TABLE u (n TEXT, h TEXT); INSERT INTO u VALUES ('sam', 'h'), (chr(233), 'acute')")
		b := s.open(t, "pg_userquery SELECT h, n FROM u WHERE n = $1", "pg_aclquery SELECT n, 7 FROM u WHERE n = $1")
		if a := user(t, b, "é"); a.Hash != "acute" || accessTo(a, "é") != 7 {
			t.Errorf("%+v", a)
		}
		for _, name := range []string{"💀", "名", "sa\u00admé", "sam\x00"} {
			if a, err := b.User(ctxOf(t), backends.Lookup{Name: name}); err != backends.ErrNoUser {
				t.Errorf("%q: %+v, %v", name, a, err)
			}
		}
	}
	for _, column := range []string{"int", "bigint", "uuid", "date"} {
		s.exec(t, "DROP TABLE IF EXISTS k", "CREATE TABLE k (n "+column+", h TEXT)")
		b := s.open(t, "pg_userquery SELECT h FROM k WHERE n = $1", bitMask)
		for _, name := range []string{"sam", "99999999999999999999", "", "2025-02-30"} {
			if a, err := b.User(ctxOf(t), backends.Lookup{Name: name}); err != backends.ErrNoUser {
				t.Errorf("%s, %q: %+v, %v", column, name, a, err)
			}
		}
	}
	// An account whose rules alone cannot be asked for by its name has none.
	s.exec(t, "CREATE TABLE a (id int, topic text)")
	b := s.open(t, "pg_userquery SELECT h FROM u WHERE n = $1", "pg_aclquery SELECT topic FROM a WHERE id = $1")
	if a := user(t, b, "sam"); a.Hash != "h" || a.Sections != nil {
		t.Errorf("%+v", a)
	}
}

// A fault of a statement is no outage, and shows no value.
func TestWrongQueries(t *testing.T) {
	s := newStore(t)
	s.exec(t, goAuth, "UPDATE test_acl SET rw = 9 WHERE topic = 't/rw'",
		"CREATE FUNCTION tell(text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'the hash is %', $1; END $$",
		"DROP ROLE IF EXISTS goauth_poor; CREATE ROLE goauth_poor LOGIN")
	t.Cleanup(func() { s.Exec(t, "", "DROP ROLE goauth_poor") })
	tests := []struct{ options, want string }{
		{"pg_userquery SELECT * FROM test_user WHERE username = $1", "(pg_userquery): the query returns 4 columns"},
		{"pg_userquery SELECT nix FROM test_user WHERE username = $1", "(pg_userquery): ERROR: column \"nix\" does not exist"},
		{"pg_userquery SELECT h FROM nix WHERE username = $1", "SQLSTATE 42P01"},
		{"pg_userquery SELEC h FROM nix WHERE username = $1", "SQLSTATE 42601"},
		{"pg_userquery SELECT 1; SELECT $1", "SQLSTATE 42601"},
		{"pg_userquery UPDATE test_user SET is_admin = 0 WHERE username = $1", "(pg_userquery): the statement returns no columns"},
		{"pg_userquery SELECT password_hash::int FROM test_user WHERE username = $1", "cannot work with a value that the statement meets (SQLSTATE 22P02)"},
		{"pg_userquery SELECT tell(password_hash) FROM test_user WHERE username = $1", "cannot work with a value that the statement meets (SQLSTATE P0001)"},
		{"pg_userquery SELECT (SELECT password_hash FROM test_user) WHERE $1 <> ''", "SQLSTATE 21000"},
		{"pg_user goauth_poor\n" + goAuthUser, "permission denied for table test_user"},
		{goAuthUser + "\npg_superquery SELECT username FROM test_user WHERE username = $1", `(pg_superquery): column "username" does not hold a whole number`},
		{goAuthUser + "\npg_superquery SELECT nix FROM test_user WHERE username = $1", "(pg_superquery): ERROR: column"},
		{goAuthUser + "\npg_aclquery SELECT topic, rw, id FROM test_acl WHERE topic = 't/' || $1", "(pg_aclquery): the query returns 3 columns"},
		{goAuthUser + "\npg_aclquery SELECT topic, rw FROM test_acl WHERE topic = 't/' || $1 AND rw & $2 > 0", "(pg_aclquery): the query returns 2 columns"},
		{goAuthUser + "\n" + bitMask, `(pg_aclquery): column "rw" holds something else`},
	}
	for _, tt := range tests {
		b := open(t, lastOf(s.options()+tt.options))
		a, err := b.User(ctxOf(t), backends.Lookup{Name: "rw"})
		if !errors.Is(err, backends.ErrBadAnswer) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %s", tt.options, err, tt.want)
			continue
		}
		if a.Hash != "" || a.Sections != nil || strings.Contains(err.Error(), "h13") {
			t.Errorf("%s: answer %+v with the error %v", tt.options, a, err)
		}
	}
	// What follows the answer "unknown" does not matter.
	b := s.open(t, goAuthUser, "pg_aclquery SELECT nix FROM test_acl WHERE topic = $1")
	if _, err := b.User(ctxOf(t), backends.Lookup{Name: "nobody"}); err != backends.ErrNoUser {
		t.Errorf("unknown user: %v", err)
	}
}

// lastOf keeps of each option the last line.
func lastOf(options string) string {
	last := map[string]string{}
	for line := range strings.SplitSeq(options, "\n") {
		key, _, _ := strings.Cut(line, " ")
		last[key] = line
	}
	var lines []string
	for _, line := range last {
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

// An account costs one round trip, the first one as well.
func TestRoundTrips(t *testing.T) {
	s := newStore(t)
	s.exec(t, goAuth)
	p := newProxy(t, net.JoinHostPort(s.Host(), strconv.Itoa(s.Port())))
	b := open(t, s.at("127.0.0.1", p.port())+strings.Join([]string{goAuthUser, goAuthSuper, goAuthACL}, "\n"))
	user(t, b, "r")
	for range 5 {
		before := p.count()
		user(t, b, "rw")
		if n := p.count() - before; n != 1 {
			t.Errorf("%d round trips, want 1", n)
		}
	}
	if prepared := s.Query(t, s.name, "SELECT COUNT(*) FROM pg_prepared_statements"); prepared != "0" {
		t.Errorf("%s prepared statements are left", prepared)
	}
}

// The server has the settings that pg_options names, also on the connection that
// listens, and those that it does not accept are told of.
func TestSettings(t *testing.T) {
	s := newStore(t)
	s.exec(t, "CREATE SCHEMA mqtt; CREATE TABLE mqtt.u (n TEXT, h TEXT); INSERT INTO mqtt.u VALUES ('sam', 'mine')",
		"CREATE TABLE u (n TEXT, h TEXT); INSERT INTO u VALUES ('sam', 'public')")
	const query = "pg_userquery SELECT h || current_setting('work_mem') FROM u WHERE n = $1\npg_notify_channel c\n"
	if a := user(t, s.open(t, query+"pg_options -c search_path=\"no\\ such\",mqtt -c work_mem=77kB"), "sam"); a.Hash != "mine77kB" {
		t.Errorf("the hash is %q", a.Hash)
	}
	b := s.open(t, query+"pg_options -c idle_session_timeout=100ms").Backend
	e := listen(t, b)
	e.next("")
	e.over("idle-session timeout")
	for _, wrong := range []string{"-c no_such_setting=1", "-c work_mem=much", "--none", "-c"} {
		down(t, s.open(t, query+"pg_options "+wrong), "sam", "does not accept a setting, see pg_options")
	}
}

// The statement outlives changes of its tables.
func TestTableChanges(t *testing.T) {
	s := newStore(t)
	s.exec(t, goAuth)
	b := s.open(t, goAuthUser, bitMask, "pg_max_open_conns 1")
	user(t, b, "r")
	s.exec(t, "ALTER TABLE test_user ALTER password_hash TYPE bytea USING password_hash::bytea, ALTER username TYPE char(40)",
		"UPDATE test_user SET password_hash = 'new' WHERE username = 'r'", "ALTER TABLE test_acl ALTER rw TYPE smallint")
	if a := user(t, b, "r"); a.Hash != "new" || accessTo(a, "t/r") != 1 {
		t.Errorf("%+v", a)
	}
	s.exec(t, "DROP TABLE test_user")
	if _, err := b.User(ctxOf(t), backends.Lookup{Name: "r"}); !errors.Is(err, backends.ErrBadAnswer) {
		t.Errorf("without its table: error %v", err)
	}
}

// connections counts those of the backends under test.
func (s store) connections(t testing.TB) int {
	t.Helper()
	n, _ := strconv.Atoi(s.Query(t, "", "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = '"+s.name+"' AND application_name LIKE 'go-auth%'"))
	return n
}

func TestProbe(t *testing.T) {
	s := newStore(t)
	s.exec(t, goAuth, "CREATE EXTENSION citext", "CREATE COLLATION lax (provider = icu, locale = 'und-u-ks-level2', deterministic = false)")
	const lax = "compares names without regard to "
	tests := []struct{ name, column, query, want string }{
		{"text", "text", "", ""},
		{"varchar", "varchar(40)", "", ""},
		{"citext", "citext", "", lax + "upper and lower case:"},
		{"nondeterministic", "text COLLATE lax", "", lax + "upper and lower case:"},
		{"char(n)", "char(40)", "", lax + "blanks at the end:"},
		{"char(n), compared as text", "char(40)", "SELECT h FROM u WHERE n::text = $1", ""},
		{"canonical name", "citext", "SELECT h, n FROM u WHERE n = $1", ""},
		{"lower", "text", "SELECT h FROM u WHERE lower(n) = lower($1)", lax + "upper and lower case:"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.query == "" {
				tt.query = "SELECT h FROM u WHERE n = $1"
			}
			s.exec(t, "DROP TABLE IF EXISTS u", "CREATE TABLE u (n "+tt.column+", h TEXT); INSERT INTO u VALUES ('4711', 'x'), ('Kirk', 'h')")
			b := s.open(t, "pg_userquery "+tt.query, bitMask)
			notes, err := b.Backend.(backends.Prober).Probe(ctxOf(t), "Kirk")
			if got := strings.Join(notes, "\n"); err != nil || !strings.Contains(got, tt.want) || (got == "") != (tt.want == "") {
				t.Errorf("notes %q, error %v; want %q", got, err, tt.want)
			}
		})
	}
}

// The schema suits the statements that stand in it, and the README's.
func TestSchema(t *testing.T) {
	s := newStore(t)
	schema, err := os.ReadFile("schema.sql")
	if err != nil {
		t.Fatal(err)
	}
	s.exec(t, string(schema), `INSERT INTO mqtt_user VALUES ('sam', 'h', false), ('ann', NULL, true);
		INSERT INTO mqtt_acl VALUES ('sam', 'a/#', 5), ('sam', 'b', 0)`)
	var options []string
	for line := range strings.SplitSeq(string(schema), "\n") {
		if line, ok := strings.CutPrefix(line, "--   pg_"); ok {
			fields := strings.SplitN(line, " ", 2)
			options = append(options, "pg_"+fields[0]+" "+strings.TrimSpace(fields[1]))
		}
	}
	b := s.open(t, options...)
	if _, ok := b.Backend.(backends.Watcher); !ok || len(options) != 4 {
		t.Errorf("the schema names %q", options)
	}
	if a := user(t, b, "sam"); a.Hash != "h" || accessTo(a, "a/#") != 5 || a.Super {
		t.Errorf("%+v", a)
	}
	if a := user(t, b, "ann"); a.Hash != "" || !a.Super {
		t.Errorf("%+v", a)
	}
	notes, err := b.Backend.(backends.Prober).Probe(ctxOf(t), "")
	if len(notes) > 0 || err != nil {
		t.Errorf("notes %q, error %v", notes, err)
	}
}
