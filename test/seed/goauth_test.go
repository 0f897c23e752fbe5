package seed

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"mosquitto-go-auth/test/brokertest"
)

// goAuthTables suit the queries of mosquitto-go-auth-mysql.conf.
const goAuthTables = `
CREATE TABLE test_user (
	id            INT AUTO_INCREMENT PRIMARY KEY,
	username      VARCHAR(100) COLLATE utf8mb4_nopad_bin NOT NULL UNIQUE,
	password_hash VARCHAR(200) NOT NULL,
	is_admin      BOOLEAN NOT NULL DEFAULT 0
) CHARACTER SET utf8mb4;
CREATE TABLE test_acl (
	id           INT AUTO_INCREMENT PRIMARY KEY,
	test_user_id INT NOT NULL REFERENCES test_user (id),
	topic        VARCHAR(100) NOT NULL,
	rw           INT
) CHARACTER SET utf8mb4`

const goAuthAccount = `
CREATE OR REPLACE DATABASE max_system;
CREATE OR REPLACE USER max_system IDENTIFIED BY 'maxsystem@2021';
GRANT SELECT ON max_system.* TO max_system`

// goAuthStore makes the database that the example names, with a user for each of
// the numbers, and the superuser admin.
func goAuthStore(t *testing.T) *store {
	t.Helper()
	server := shared(t)
	open(t, server, "").exec(t, goAuthAccount)
	t.Cleanup(func() { server.Exec(t, "DROP DATABASE max_system", "DROP USER max_system") })
	s := open(t, server, "max_system")
	s.exec(t, goAuthTables)
	hash := bcrypt(10)
	s.exec(t, "INSERT INTO test_user (username, password_hash, is_admin) VALUES ('admin', ?, 1)", hash)
	for i := range numbers {
		s.exec(t, "INSERT INTO test_user (username, password_hash) VALUES (CONCAT('u', ?), ?)", i, hash)
	}
	s.exec(t, "INSERT INTO test_acl (test_user_id, topic) SELECT id, CONCAT('t/', username) FROM test_user")
	return s
}

func (s *store) setGoAuth(t *testing.T, topic string, rw any) {
	t.Helper()
	s.exec(t, "UPDATE test_acl SET rw = ? WHERE topic = ?", rw, topic)
}

// goAuthQuery is the line of the example with the query that grants too much.
const goAuthQuery = "auth_opt_mysql_aclquery SELECT topic FROM test_acl WHERE test_user_id = " +
	"(SELECT id FROM test_user WHERE username = ?) AND (rw >= ?)"

// startGoAuth starts a broker with the example, whose log is the broker's own.
func (s *store) startGoAuth(t *testing.T, b brokertest.Broker, more ...change) *brokertest.Running {
	t.Helper()
	dir := t.TempDir()
	host, port := s.address()
	text := example(t, "mosquitto-go-auth-mysql.conf", append(more,
		change{"auth_plugin /etc/mosquitto/conf.d/go-auth.so", "auth_plugin " + brokertest.Plugin(t)},
		change{"auth_opt_log_file /var/log/mosquitto/mosquitto.log", "auth_opt_log_file " + filepath.Join(dir, "mosquitto.log")},
		change{"auth_opt_mysql_host localhost", "auth_opt_mysql_host " + host},
		change{"auth_opt_mysql_port 3306", "auth_opt_mysql_port " + port})...)
	return include(t, b, dir, "go-auth.conf", text)
}

// The configuration of mosquitto-go-auth runs as it is, and the log shows the
// query that means what its author wanted.
func TestGoAuthConfiguration(t *testing.T) {
	s := goAuthStore(t)
	brokertest.Each(t, func(t *testing.T, b brokertest.Broker) {
		broker := s.startGoAuth(t, b)
		newTrial(t, broker, "admin", s.setGoAuth).all(t, false)
		refusals(t, broker)
		checkSharedLog(t, broker)

		logs(t, broker, "mysql_aclquery compares rw with the access by size")
		mended := regexp.MustCompile(`: (SELECT topic, rw FROM .*)`).FindStringSubmatch(broker.Log())
		if mended == nil {
			t.Fatal("the log does not show the bit-mask query")
		}
		broker.Stop()
		broker = s.startGoAuth(t, b, change{goAuthQuery, "auth_opt_mysql_aclquery " + mended[1]})
		newTrial(t, broker, "admin", s.setGoAuth).all(t, true)
		if strings.Contains(broker.Log(), "by size") {
			t.Error("the log complains of the bit-mask query")
		}
	})
}

// refusals are the logins that must fail, in both protocols: without the right
// password, and with it under a name that is not quite a user's.
func refusals(t *testing.T, broker *brokertest.Running) {
	t.Helper()
	for _, version := range []byte{4, 5} {
		for _, wrong := range [][]byte{nil, []byte("wrong"), []byte(password + " ")} {
			o := user("u7")
			o.Version, o.Password = version, wrong
			refused(t, broker, o)
		}
		for _, name := range []string{"nobody", "", "U7", "u7 ", "u7' OR '1'='1", "%", "u+", "#"} {
			o := user(name)
			o.ID, o.Version = "refused", version
			refused(t, broker, o)
		}
	}
}

var logLine = regexp.MustCompile(`^[0-9T:+-]+: \S`)

// checkSharedLog looks whether two writers have left each other's lines whole.
func checkSharedLog(t *testing.T, broker *brokertest.Running) {
	t.Helper()
	logs(t, broker, "mosquitto version "+broker.Version+" running", ": go-auth: ", quoted("nobody"))
	for line := range strings.Lines(broker.Log()) {
		if !logLine.MatchString(line) || !strings.HasSuffix(line, "\n") {
			t.Errorf("a broken line in the log: %q", line)
		}
	}
	if strings.Contains(broker.Log(), "maxsystem@2021") {
		t.Error("the log holds the password of the database")
	}
}
