package mysql

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"mosquitto-go-auth/backends"
)

// goAuth are tables and queries as in the seed's configuration for
// mosquitto-go-auth: a user for each r-w-s number.
var goAuth = []string{
	"CREATE TABLE test_user (id INT PRIMARY KEY AUTO_INCREMENT, username VARCHAR(255) NOT NULL UNIQUE, password_hash VARCHAR(255), is_admin TINYINT NOT NULL DEFAULT 0)",
	"CREATE TABLE test_acl (id INT PRIMARY KEY AUTO_INCREMENT, test_user_id INT NOT NULL, topic VARCHAR(255), rw INT)",
	"INSERT INTO test_user (id, username, password_hash) VALUES (10,'n','h10'),(11,'r','h11'),(12,'w','h12'),(13,'rw','h13'),(14,'s','h14'),(15,'rs','h15'),(16,'ws','h16'),(17,'rws','h17'),(18,'null',NULL)",
	"INSERT INTO test_user (username, password_hash, is_admin) VALUES ('Sue','h1',1)",
	"INSERT INTO test_acl (test_user_id, topic, rw) SELECT id, CONCAT('t/', username), id - 10 FROM test_user WHERE id < 18",
	"INSERT INTO test_acl (test_user_id, topic, rw) VALUES (10, 'null', NULL), (17, NULL, 7)",
}

const (
	goAuthUser  = "mysql_userquery SELECT password_hash FROM test_user WHERE username = ? limit 1"
	goAuthSuper = "mysql_superquery SELECT COUNT(*) FROM test_user WHERE username = ? AND is_admin = 1"
	goAuthACL   = "mysql_aclquery SELECT topic FROM test_acl WHERE test_user_id = (SELECT id FROM test_user WHERE username = ?) AND (rw >= ?)"
	bitMask     = "mysql_aclquery SELECT topic, rw FROM test_acl WHERE test_user_id = (SELECT id FROM test_user WHERE username = ?)"
	plugUser    = "userquery SELECT password_hash FROM test_user WHERE username = '%s'"
	plugSuper   = "superquery SELECT COUNT(*) FROM test_user WHERE username = '%s' AND is_admin = 1"
	plugACL     = "aclquery SELECT topic FROM test_acl, test_user u WHERE test_user_id = u.id AND (username = '%s') AND (rw >= %d)"
)

// The names of the seed's table for the numbers 0 to 7.
var numbered = []string{"n", "r", "w", "rw", "s", "rs", "ws", "rws"}

func TestRights(t *testing.T) {
	s := newServer(t)
	mustExec(t, s.db, goAuth...)
	bySize := [8]backends.Access{0, 1, 3, 3, 7, 7, 7, 7} // what rw >= ? makes of the numbers
	bits := [8]backends.Access{0, 1, 2, 3, 4, 5, 6, 7}
	tests := []struct {
		name    string
		options []string
		want    [8]backends.Access
	}{
		{"mosquitto-go-auth", []string{goAuthUser, goAuthSuper, goAuthACL}, bySize},
		{"mosquitto-auth-plug", []string{plugUser, plugSuper, plugACL}, bySize},
		{"bit mask", []string{goAuthUser, goAuthSuper, bitMask}, bits},
		{"bit by bit", []string{goAuthUser, goAuthSuper, strings.Replace(goAuthACL, "rw >= ?", "rw & ?", 1)}, bits},
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
	s := newServer(t)
	mustExec(t, s.db, goAuth...)
	b := s.open(t, goAuthUser, goAuthSuper, bitMask)
	if a := user(t, b, "Sue"); !a.Super || a.Hash != "h1" {
		t.Errorf("superuser: %+v", a)
	}
	if a := user(t, b, "null"); a.Super || a.Hash != "" {
		t.Errorf("NULL hash: %+v", a)
	}
	if _, err := b.User(ctxOf(t), backends.Lookup{Name: "nobody"}); err != backends.ErrNoUser {
		t.Errorf("unknown user: %v", err)
	}
	if _, err := b.User(ctxOf(t), backends.Lookup{Name: "null", RulesOnly: true}); err != backends.ErrNoUser {
		t.Errorf("rules of a user without any: %v", err)
	}
	if a, err := b.User(ctxOf(t), backends.Lookup{Name: "rw", RulesOnly: true}); err != nil || a.Hash != "" || accessTo(a, "t/rw") != 3 {
		t.Errorf("rules only: %+v, %v", a, err)
	}
	all := s.open(t, goAuthUser)
	if a := user(t, all, "r"); !a.AllowAll {
		t.Errorf("no aclquery: %+v", a)
	}
	if _, err := all.User(ctxOf(t), backends.Lookup{Name: "nobody", RulesOnly: true}); err != backends.ErrNoUser {
		t.Errorf("no aclquery, unknown user: %v", err)
	}
}

// Whatever a name or client identifier contains is a value, never SQL.
func TestInjection(t *testing.T) {
	s := newServer(t)
	mustExec(t, s.db, goAuth...)
	names := []string{
		`' OR '1'='1`, `' OR 1=1 -- `, `r' -- `, `r'#`, `\' OR 1=1 -- `, `r\`, `"`, "`", `'; DROP TABLE test_user; -- `,
		`%`, `_`, `%s`, `%d%n`, "?", "r\x00", "\x00", "r'\u02bc", "ʼ OR 1=1", "💀", "é", strings.Repeat("x", 65535), strings.Repeat("'", 65535),
	}
	plugClient := "userquery SELECT password_hash FROM test_user WHERE username = '%s' AND '%s' <> ''"
	b := s.open(t, plugClient, plugACL) // the conformance tests hold others to this
	for _, name := range names {
		if a, err := b.User(ctxOf(t), backends.Lookup{Name: name, ClientID: name}); err != backends.ErrNoUser {
			t.Errorf("%.20q: %+v, %v", name, a, err)
		}
		if a, err := b.User(ctxOf(t), backends.Lookup{Name: "r", ClientID: name}); err != nil || a.Hash != "h11" {
			t.Errorf("client identifier %.20q: %+v, %v", name, a, err)
		}
	}
	for _, name := range append(names, "O'Neil", "名前", strings.Repeat("é", 30000)) {
		mustExec(t, s.db, "DROP TABLE IF EXISTS odd", "CREATE TABLE odd (n LONGBLOB, h TEXT)")
		if _, err := s.db.Exec("INSERT INTO odd VALUES (?, 'found')", name); err != nil {
			t.Fatal(err)
		}
		if a := user(t, s.open(t, "userquery SELECT h, n FROM odd WHERE n = '%s'"), name); a.Hash != "found" || a.Name != name {
			t.Errorf("%.20q is not found under its name", name)
		}
	}
}

// A name that the column cannot hold is unknown; it must not look like an
// outage, which anybody could cause then.
func TestForeignCharacters(t *testing.T) {
	s := newServer(t)
	for _, charset := range []string{"latin1", "ascii", "utf8mb3", "big5", "utf8mb4"} {
		mustExec(t, s.db, "DROP TABLE IF EXISTS u", "CREATE TABLE u (n VARCHAR(50) CHARACTER SET "+charset+", h TEXT)", "INSERT INTO u VALUES ('sam', 'h')")
		b := s.open(t, "mysql_userquery SELECT h FROM u WHERE n = ?")
		if a := user(t, b, "sam"); a.Hash != "h" {
			t.Errorf("%s: %+v", charset, a)
		}
		for _, name := range []string{"💀", "sam\u00a0", "名", "sa\u00admé"} {
			if a, err := b.User(ctxOf(t), backends.Lookup{Name: name}); err != backends.ErrNoUser {
				t.Errorf("%s, %q: %+v, %v", charset, name, a, err)
			}
		}
	}
}

func TestWrongQueries(t *testing.T) {
	s := newServer(t)
	mustExec(t, s.db, goAuth...)
	mustExec(t, s.db, "UPDATE test_acl SET rw = 9 WHERE topic = 't/rw'")
	tests := []struct{ options, want string }{
		{"mysql_userquery SELECT * FROM test_user WHERE username = ?", "(mysql_userquery): the query returns 4 columns"},
		{"mysql_userquery SELECT nix FROM test_user WHERE username = ?", "(mysql_userquery): the query is at fault: Error 1054"},
		{"mysql_userquery SELECT h FROM nix WHERE username = ?", "Error 1146"},
		{"mysql_userquery SELEC h FROM nix WHERE username = ?", "Error 1064"},
		{goAuthUser + "\nmysql_superquery SELECT username FROM test_user WHERE username = ?", `(mysql_superquery): column "username" does not hold a whole number`},
		{goAuthUser + "\nmysql_aclquery SELECT topic, rw, id FROM test_acl WHERE topic = CONCAT('t/', ?)", "(mysql_aclquery): the query returns 3 columns"},
		{goAuthUser + "\nmysql_aclquery SELECT topic, rw FROM test_acl WHERE topic = CONCAT('t/', ?) AND rw & ?", "(mysql_aclquery): the query returns 2 columns"},
		{goAuthUser + "\n" + bitMask, `(mysql_aclquery): column "rw" holds something else`},
	}
	for _, tt := range tests {
		b := s.open(t, tt.options)
		a, err := b.User(ctxOf(t), backends.Lookup{Name: "rw"})
		if !errors.Is(err, backends.ErrBadAnswer) || errors.Is(err, backends.ErrNoUser) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %s", tt.options, err, tt.want)
			continue
		}
		if a.Hash != "" || a.Sections != nil || strings.Contains(err.Error(), "h13") {
			t.Errorf("%s: answer %+v with the error %v", tt.options, a, err)
		}
	}
}

func TestAccessDenied(t *testing.T) {
	s := newServer(t)
	options := strings.Replace(s.options(), "mysql_user "+s.config.User, "mysql_user goauth_nobody", 1)
	b := open(t, options+"mysql_password s3cret\n"+goAuthUser)
	_, err := b.User(ctxOf(t), backends.Lookup{Name: "r"})
	if err == nil || !strings.Contains(err.Error(), "does not accept our own user name and password") || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("error %v", err)
	}
}

// After the server was away, the next call works, with what is prepared anew.
func TestServerAway(t *testing.T) {
	s := newServer(t)
	mustExec(t, s.db, goAuth...)
	p := s.proxy(t)
	p.cut(true)
	b := open(t, s.through(p)+strings.Join([]string{goAuthUser, goAuthSuper, goAuthACL}, "\n"))
	down := func() {
		t.Helper()
		if _, err := b.User(ctxOf(t), backends.Lookup{Name: "r"}); err == nil || errors.Is(err, backends.ErrNoUser) {
			t.Errorf("the server is away: error %v", err)
		}
	}
	down()
	for range 3 {
		p.cut(false)
		if a := user(t, b, "r"); a.Hash != "h11" {
			t.Errorf("%+v", a)
		}
		p.cut(false) // a restart between two calls
		user(t, b, "r")
		p.cut(true)
		down()
	}
	p.cut(false)
	user(t, b, "r")
	rows, err := s.db.Query("SELECT id FROM information_schema.processlist WHERE db = ? AND id <> CONNECTION_ID()", s.config.DBName)
	if err != nil {
		t.Fatal(err)
	}
	var ids []int
	for rows.Next() {
		var id int
		rows.Scan(&id)
		ids = append(ids, id)
	}
	for _, id := range ids {
		s.db.Exec(fmt.Sprint("KILL ", id))
	}
	user(t, b, "r")
}

// The statement outlives changes of its tables.
func TestTableChanges(t *testing.T) {
	s := newServer(t)
	mustExec(t, s.db, goAuth...)
	b := s.open(t, goAuthUser, bitMask)
	user(t, b, "r")
	mustExec(t, s.db, "ALTER TABLE test_user ADD COLUMN first INT FIRST", "ALTER TABLE test_user MODIFY password_hash TEXT",
		"UPDATE test_user SET password_hash = 'new' WHERE username = 'r'", "ALTER TABLE test_acl MODIFY rw SMALLINT UNSIGNED")
	if a := user(t, b, "r"); a.Hash != "new" || accessTo(a, "t/r") != 1 {
		t.Errorf("%+v", a)
	}
	mustExec(t, s.db, "DROP TABLE test_user")
	if _, err := b.User(ctxOf(t), backends.Lookup{Name: "r"}); err == nil || errors.Is(err, backends.ErrNoUser) {
		t.Errorf("without its table: error %v", err)
	}
}

// A statement is prepared once for each connection; after that an answer costs
// one round trip. The server itself counts, in what is asked here as a hash.
func TestRoundTrips(t *testing.T) {
	s := newServer(t)
	b := s.open(t, "mysql_userquery SELECT variable_value FROM information_schema.session_status WHERE variable_name = ?", "mysql_max_open_conns 1")
	count := func(name string) int {
		n, err := strconv.Atoi(user(t, b, name).Hash)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	first := count("QUESTIONS")
	for i := range 5 {
		if n := count("QUESTIONS"); n != first+1+i {
			t.Errorf("%d questions, want %d", n, first+1+i)
		}
	}
	if n := count("COM_STMT_PREPARE"); n != 1 {
		t.Errorf("prepared %d times, want once", n)
	}
}

func TestProbe(t *testing.T) {
	s := newServer(t)
	mustExec(t, s.db, goAuth...)
	const lax = "compares names without regard to "
	const exactRights = "mysql_aclquery SELECT topic, rw FROM test_acl WHERE BINARY topic = ?"
	tests := []struct {
		name, column, query, want string
	}{
		{"default", "VARCHAR(50) COLLATE utf8mb4_general_ci", "", lax + "upper and lower case and to blanks at the end:"},
		{"unicode", "VARCHAR(50) COLLATE utf8mb4_unicode_ci", "", lax + "upper and lower case and to blanks at the end:"},
		{"latin1", "VARCHAR(50) CHARACTER SET latin1", "", lax + "upper and lower case and to blanks at the end:"},
		{"binary, but padded", "VARCHAR(50) COLLATE utf8mb4_bin", "", lax + "blanks at the end:"},
		{"bytes", "VARBINARY(50)", "", ""},
		{"canonical name", "VARCHAR(50)", "SELECT h, n FROM u WHERE n = ?", ""},
		{"exact comparison", "VARCHAR(50)", "SELECT h FROM u WHERE BINARY n = ?", ""},
		{"the note's comparison", "VARCHAR(50)", "SELECT h FROM u WHERE CAST(n AS BINARY) = ?", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.query == "" {
				tt.query = "SELECT h FROM u WHERE n = ?"
			}
			mustExec(t, s.db, "DROP TABLE IF EXISTS u", "CREATE TABLE u (n "+tt.column+", h TEXT)", "INSERT INTO u VALUES ('4711', 'x'), ('Kirk', 'h')")
			b := s.open(t, "mysql_userquery "+tt.query, exactRights)
			for _, name := range []string{"", "Kirk"} {
				checkNotes(t, b, name, tt.want)
			}
		})
	}
	t.Run("columns", func(t *testing.T) {
		b := s.open(t, "mysql_userquery SELECT h, n, h FROM u WHERE n = ?", "mysql_aclquery SELECT topic, rw, id FROM test_acl WHERE topic = ?")
		_, err := b.Backend.(backends.Prober).Probe(ctxOf(t), "")
		for _, want := range []string{"(mysql_userquery): the query returns 3 columns", "(mysql_aclquery): the query returns 3 columns"} {
			if !errors.Is(err, backends.ErrBadAnswer) || !strings.Contains(err.Error(), want) {
				t.Errorf("error %v, want %s", err, want)
			}
		}
	})
}

func checkNotes(t *testing.T, b backends.Opened, name string, want ...string) {
	t.Helper()
	notes, err := b.Backend.(backends.Prober).Probe(ctxOf(t), name)
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Join(notes, "\n")
	if strings.Contains(strings.ToLower(got), "kirk") {
		t.Errorf("the note has the user's name: %s", got)
	}
	for _, w := range want {
		if !strings.Contains(got, w) || w == "" && got != "" {
			t.Errorf("notes %q, want %q", got, w)
		}
	}
}

// Names that another backend vouches for get the rights of their own spelling, if
// the statements say so in one of the ways that the note proposes; else the note
// says what is wrong.
func TestSpellingOfRights(t *testing.T) {
	s := newServer(t)
	mustExec(t, s.db, "CREATE TABLE u (n VARCHAR(50) COLLATE utf8mb4_general_ci, h TEXT, s INT)", "INSERT INTO u VALUES ('sam', 'h', 1)",
		"CREATE TABLE a (n VARCHAR(50) COLLATE utf8mb4_general_ci, t TEXT, rw INT)", "INSERT INTO a VALUES ('sam', 't', 7)")
	const lax = "mysql_aclquery compares names without regard to upper and lower case and to blanks at the end: "
	tests := []struct {
		name    string
		options []string
		exact   bool
	}{
		{"loose", []string{"mysql_userquery SELECT h FROM u WHERE n = ?", "mysql_aclquery SELECT t, rw FROM a WHERE n = ?"}, false},
		{"the user's name", []string{"mysql_userquery SELECT h, n FROM u WHERE n = ?", "mysql_superquery SELECT s FROM u WHERE n = ?",
			"mysql_aclquery SELECT t, rw FROM a WHERE n = ?"}, true},
		{"bytes", []string{"mysql_userquery SELECT h FROM u WHERE CAST(n AS BINARY) = ?", "mysql_superquery SELECT s FROM u WHERE CAST(n AS BINARY) = ?",
			"mysql_aclquery SELECT t, rw FROM a WHERE CAST(n AS BINARY) = ?"}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := s.open(t, tt.options...)
			if a, err := b.User(ctxOf(t), backends.Lookup{Name: "sam", RulesOnly: true}); err != nil || !a.Super && accessTo(a, "t") != 7 {
				t.Errorf("sam: %+v, %v", a, err)
			}
			if !tt.exact {
				checkNotes(t, b, "", lax)
				return
			}
			checkNotes(t, b, "", "")
			for _, name := range []string{"SAM", "Sam ", "sám", "sam "} {
				if a, err := b.User(ctxOf(t), backends.Lookup{Name: name, RulesOnly: true}); err != backends.ErrNoUser {
					t.Errorf("%q: %+v, %v", name, a, err)
				}
			}
		})
	}
}

// A column of numbers takes for 7 whatever begins with it.
func TestNumericNames(t *testing.T) {
	s := newServer(t)
	mustExec(t, s.db, "CREATE TABLE u (id INT PRIMARY KEY, h TEXT)", "INSERT INTO u VALUES (7, 'h')")
	loose := s.open(t, "mysql_userquery SELECT h FROM u WHERE id = ?")
	for _, name := range []string{"", "7", "sam"} {
		checkNotes(t, loose, name, "without regard to blanks at the end and to zeros in front and to what follows a number: ")
	}
	for _, query := range []string{"SELECT h, id FROM u WHERE id = ?", "SELECT h FROM u WHERE CAST(id AS BINARY) = ?"} {
		b := s.open(t, "mysql_userquery "+query)
		checkNotes(t, b, "7", "")
		if a := user(t, b, "7"); a.Hash != "h" {
			t.Errorf("%s: %+v", query, a)
		}
		for _, name := range []string{"7x", "07", "7.0", " 7", "7 "} {
			if a, err := b.User(ctxOf(t), backends.Lookup{Name: name}); err != backends.ErrNoUser {
				t.Errorf("%s, %q: %+v, %v", query, name, a, err)
			}
		}
	}
}

// What a trigger or function says is not known to be fit for a log.
func TestSignal(t *testing.T) {
	s := newServer(t)
	mustExec(t, s.db, "CREATE FUNCTION refuse(n TEXT) RETURNS TEXT READS SQL DATA BEGIN "+
		"DECLARE text_ TEXT DEFAULT CONCAT('the hash is s3cret of ', n); SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = text_; RETURN n; END",
		"CREATE FUNCTION refuse2(n TEXT) RETURNS TEXT READS SQL DATA BEGIN "+
			"SIGNAL SQLSTATE '42000' SET MESSAGE_TEXT = 's3cret'; RETURN n; END")
	for query, want := range map[string]string{"SELECT refuse(?)": "Error 1644 (45000)", "SELECT refuse2(?)": "Error 1644 (42000)"} {
		b := s.open(t, "mysql_userquery "+query)
		_, err := b.User(ctxOf(t), backends.Lookup{Name: "sam"})
		if !errors.Is(err, backends.ErrBadAnswer) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v, want %s", query, err, want)
		}
	}
}

// The schema of this directory, filled and asked as its comments say.
func TestSchema(t *testing.T) {
	s := newServer(t)
	schema, err := os.ReadFile("schema.sql")
	if err != nil {
		t.Fatal(err)
	}
	scripts := s.config.Clone()
	scripts.MultiStatements = true
	mustExec(t, openDB(t, scripts), string(schema))
	mustExec(t, s.db, "INSERT INTO mqtt_user VALUES ('sam', '$2a$', 0), ('root', NULL, 1), ('名前', 'h', 0)",
		"INSERT INTO mqtt_acl VALUES ('sam', 'a/%u/#', 5), ('sam', 'b', 0)")
	var options []string
	for _, line := range strings.Split(string(schema), "\n") {
		if o, ok := strings.CutPrefix(line, "--   "); ok {
			options = append(options, o)
		}
	}
	b := s.open(t, options...)
	if a := user(t, b, "sam"); a.Hash != "$2a$" || a.Super || accessTo(a, "a/%u/#") != 5 || len(a.Sections[0]) != 1 {
		t.Errorf("sam: %+v", a)
	}
	if a := user(t, b, "root"); !a.Super || a.Hash != "" {
		t.Errorf("root: %+v", a)
	}
	if a := user(t, b, "名前"); a.Hash != "h" || a.Super || a.Sections != nil {
		t.Errorf("名前: %+v", a)
	}
	for _, name := range []string{"Sam", "sam ", "SAM", "sam\x00", "sám"} {
		if _, err := b.User(ctxOf(t), backends.Lookup{Name: name}); err != backends.ErrNoUser {
			t.Errorf("%q: %v", name, err)
		}
	}
	checkNotes(t, b, "", "")
	if len(b.Notes) != 0 {
		t.Errorf("notes %q", b.Notes)
	}
}
