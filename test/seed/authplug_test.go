package seed

import (
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"

	"mosquitto-go-auth/test/brokertest"
	"mosquitto-go-auth/test/mariadbtest"
)

// authPlugTables suit the queries of mosquitto-auth-plug-mysql.conf, on a server
// that refuses connections without TLS.
const authPlugTables = `
CREATE DATABASE mqtt;
CREATE USER mqtt IDENTIFIED BY 'change-me';
GRANT SELECT ON mqtt.* TO mqtt;
CREATE TABLE mqtt.users (
	id       INT AUTO_INCREMENT PRIMARY KEY,
	username VARCHAR(25) COLLATE utf8mb4_nopad_bin NOT NULL UNIQUE,
	pw       VARCHAR(128) NOT NULL,
	super    INT(1) NOT NULL DEFAULT 0
) CHARACTER SET utf8mb4;
CREATE TABLE mqtt.acls (
	id       INT AUTO_INCREMENT PRIMARY KEY,
	username VARCHAR(25) NOT NULL,
	topic    VARCHAR(256) NOT NULL,
	rw       INT(1)
) CHARACTER SET utf8mb4;
SET GLOBAL require_secure_transport = ON`

// authPlugStore starts a server with the database that the example names: a user
// for each of the numbers, the superuser root, and sam and Sam, who are neither.
func authPlugStore(t *testing.T) *store {
	t.Helper()
	server := mariadbtest.Start(t, mariadbtest.Options{TLS: true})
	open(t, server, "").exec(t, authPlugTables)
	s := open(t, server, "mqtt")
	for i := range numbers {
		s.exec(t, "INSERT INTO users (username, pw) VALUES (CONCAT('u', ?), ?)", i, np(t))
	}
	s.exec(t, "INSERT INTO acls (username, topic) SELECT username, CONCAT('t/', username) FROM users")
	for name, super := range map[string]int{"root": 1, "sam": 0, "Sam": 0} {
		s.exec(t, "INSERT INTO users (username, pw, super) VALUES (?, ?, ?)", name, np(t), super)
	}
	checkSecure(t, server)
	return s
}

func (s *store) setAuthPlug(t *testing.T, topic string, rw any) {
	t.Helper()
	s.exec(t, "UPDATE acls SET rw = ? WHERE topic = ?", rw, topic)
}

// np makes a hash as mosquitto-auth-plug's program of that name does: the text
// of the salt is the salt.
func np(t *testing.T) string {
	t.Helper()
	random := make([]byte, 12)
	rand.Read(random)
	salt := base64.StdEncoding.EncodeToString(random)
	key, err := pbkdf2.Key(sha256.New, password, []byte(salt), 901, 24)
	if err != nil {
		t.Fatal(err)
	}
	return "PBKDF2$sha256$901$" + salt + "$" + base64.StdEncoding.EncodeToString(key)
}

// checkSecure makes sure that the server would notice a plugin without TLS.
func checkSecure(t *testing.T, server *mariadbtest.Server) {
	t.Helper()
	config := server.Config()
	config.Logger = &mysql.NopLogger{}
	db, err := sql.Open("mysql", config.FormatDSN())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if db.Ping() == nil {
		t.Fatal("the server takes connections without TLS")
	}
}

// startAuthPlug starts a broker with the example.
func (s *store) startAuthPlug(t *testing.T, b brokertest.Broker, more ...change) *brokertest.Running {
	t.Helper()
	host, port := s.address()
	text := example(t, "mosquitto-auth-plug-mysql.conf", append(more,
		change{"auth_plugin /var/lib/mosquitto/auth-plug.so", "auth_plugin " + brokertest.Plugin(t)},
		change{"auth_opt_host localhost", "auth_opt_host " + host},
		change{"auth_opt_port 3306", "auth_opt_port " + port})...)
	return include(t, b, t.TempDir(), "auth-plug.conf", text)
}

const (
	authPlugQuery = "auth_opt_aclquery SELECT topic FROM acls WHERE (username = '%s') AND (rw >= %d)"
	authPlugTLS   = "auth_opt_ssl_enabled true"
	unverified    = "ssl_enabled true without ssl_ca encrypts, but the server's certificate is not verified"
)

func TestAuthPlug(t *testing.T) {
	s := authPlugStore(t)
	brokertest.Each(t, func(t *testing.T, b brokertest.Broker) {
		t.Run("example", func(t *testing.T) { s.testAuthPlugExample(t, b) })
		t.Run("no aclquery", func(t *testing.T) { s.testAuthPlugWithoutRules(t, b) })
		t.Run("ssl_ca", func(t *testing.T) { s.testAuthPlugAuthority(t, b) })
	})
}

// The configuration of mosquitto-auth-plug runs as it is.
func (s *store) testAuthPlugExample(t *testing.T, b brokertest.Broker) {
	broker := s.startAuthPlug(t, b)
	logs(t, broker, unverified, "aclquery compares rw with the access by size")
	trial := newTrial(t, broker, "root", s.setAuthPlug)
	trial.all(t, false)
	expect(t, login(t, broker, "Sam"), trial.admin, "any/thing", "rws")
	expect(t, login(t, broker, "sam"), trial.admin, "any/thing", "---")
	refusals(t, broker)
	if strings.Contains(broker.Log(), "change-me") {
		t.Error("the log holds the password of the database")
	}
}

// Without an aclquery mosquitto-auth-plug denies, where mosquitto-go-auth allows.
func (s *store) testAuthPlugWithoutRules(t *testing.T, b brokertest.Broker) {
	broker := s.startAuthPlug(t, b, change{authPlugQuery, ""})
	logs(t, broker, "aclquery is not set: nothing is allowed")
	admin := login(t, broker, "root")
	expect(t, admin, admin, "t/u7", "rws")
	expect(t, login(t, broker, "u7"), admin, "t/u7", "---")
}

// The certificate is verified once its authority is named.
func (s *store) testAuthPlugAuthority(t *testing.T, b brokertest.Broker) {
	ca := "\nauth_opt_ssl_ca " + s.server.CA()
	broker := s.startAuthPlug(t, b, change{authPlugTLS, authPlugTLS + ca})
	login(t, broker, "u7")
	if strings.Contains(broker.Log(), unverified) {
		t.Error("the log says that the certificate is not verified")
	}
}
