package sqldb

import (
	"strings"
	"testing"

	"mosquitto-go-auth/backends"
)

func TestHowToGrant(t *testing.T) {
	r := backends.Rule{Pattern: "home/it's/#", Access: backends.Write}
	const generic = "in MySQL at db, a row that mysql_aclquery finds for the user, with the topic \"home/it's/#\" and the right 2:\n"
	for query, want := range map[string]string{
		"SELECT topic, rw FROM mqtt_acl WHERE username = ?":                "INSERT INTO mqtt_acl (username, topic, rw) VALUES ('o''hara', 'home/it''s/#', 2);",
		"select topic from db.acls\nwhere (username = ?) and (rw >= ?);":   "INSERT INTO db.acls (username, topic, rw) VALUES ('o''hara', 'home/it''s/#', 2);",
		"SELECT topic FROM acls WHERE (username = '%s') AND (rw & %d)":     "INSERT INTO acls (username, topic, rw) VALUES ('o''hara', 'home/it''s/#', 2);",
		"SELECT topic FROM acls WHERE username = ? AND rw & ? > 0":         "INSERT INTO acls (username, topic, rw) VALUES ('o''hara', 'home/it''s/#', 2);",
		"SELECT a.topic, a.rw FROM acls a JOIN users u ON x WHERE u.n = ?": generic + "SELECT a.topic, a.rw FROM acls a JOIN users u ON x WHERE u.n = ?",
		"SELECT topic FROM acls WHERE username = ?":                        generic + "SELECT topic FROM acls WHERE username = ?",
	} {
		s := &Source{Config: Config{Place: "MySQL at db", ACL: Query{Option: "mysql_aclquery", Text: query}}, acl: &Statement{}}
		if got := s.HowToGrant("o'hara", r); !strings.HasSuffix(got, want) || !strings.HasPrefix(got, "in MySQL at db") {
			t.Errorf("%s\ngot  %s\nwant %s", query, got, want)
		}
	}
	s := &Source{Config: Config{ACL: Query{Option: "mysql_aclquery"}}}
	if got := s.HowToGrant("kitchen", r); !strings.HasPrefix(got, "mysql_aclquery is not set") {
		t.Error(got)
	}
	s = &Source{Config: Config{ACL: Query{Text: "SELECT topic, rw FROM mqtt_acl WHERE username = ?"}}, acl: &Statement{}}
	for _, name := range []string{`x\`, "x\n"} {
		if got := s.HowToGrant(name, r); strings.Contains(got, "INSERT") {
			t.Errorf("%q: %s", name, got)
		}
	}
}
