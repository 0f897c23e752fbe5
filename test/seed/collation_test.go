package seed

import (
	"strings"
	"testing"

	"mosquitto-go-auth/test/brokertest"
	"mosquitto-go-auth/test/mqtt"
)

const (
	laxTable  = "CREATE TABLE lax (username VARCHAR(50) COLLATE utf8mb4_general_ci, pw VARCHAR(200)) CHARACTER SET utf8mb4"
	laxQuery  = "mysql_userquery SELECT pw FROM lax WHERE username = ?"
	nameQuery = "mysql_userquery SELECT pw, username FROM lax WHERE username = ?"
	laxNote   = "mysql_userquery compares names without regard to upper and lower case and to blanks at the end"
)

// In the usual collation of MariaDB the row of sam is found for Sam, too.
func TestCollation(t *testing.T) {
	brokertest.Each(t, func(t *testing.T, b brokertest.Broker) {
		t.Parallel()
		s := newStore(t)
		s.exec(t, laxTable)
		s.exec(t, "INSERT INTO lax VALUES ('samantha', ?)", cheap())

		broker := start(t, b, "backends mysql\n"+s.connection()+laxQuery)
		logs(t, broker, laxNote)
		if strings.Contains(strings.ToLower(broker.Log()), "samantha") {
			t.Error("the warning names a user")
		}
		login(t, broker, "samantha")
		broker.Stop()

		broker = start(t, b, "backends mysql\n"+s.connection()+nameQuery)
		login(t, broker, "samantha")
		for _, name := range []string{"Samantha", "samantha "} {
			refused(t, broker, user(name))
		}
		if strings.Contains(broker.Log(), laxNote) {
			t.Error("the log warns of a query that returns the name")
		}
	})
}

// Nor is what the row of sam says the rights of Sam, whom the files know: the
// log tells where the statements would have it so, and the name as the userquery's
// second column prevents it.
func TestCollationOfRights(t *testing.T) {
	brokertest.Each(t, func(t *testing.T, b brokertest.Broker) {
		t.Parallel()
		s := newStore(t)
		s.exec(t, laxTable)
		s.exec(t, "INSERT INTO lax VALUES ('samantha', ?)", cheap())
		s.exec(t, "CREATE TABLE rights (username VARCHAR(50) COLLATE utf8mb4_general_ci, topic VARCHAR(50), rw INT) CHARACTER SET utf8mb4")
		s.exec(t, "INSERT INTO rights VALUES ('samantha', 'own', 7)")
		const aclQuery = "\nmysql_aclquery SELECT topic, rw FROM rights WHERE username = ?"
		const aclNote = "mysql_aclquery compares names without regard to upper and lower case and to blanks at the end"

		broker := start(t, b, "backends files, mysql"+passwordFile+s.connection()+laxQuery+aclQuery, passwords("Samantha"))
		logs(t, broker, aclNote)
		broker.Stop()

		broker = start(t, b, "backends files, mysql"+passwordFile+s.connection()+nameQuery+aclQuery, passwords("Samantha"))
		other, own := login(t, broker, "Samantha"), login(t, broker, "samantha")
		if code := own.Subscribe(1, "own")[0]; code >= mqtt.Failure {
			t.Errorf("samantha may not subscribe to what is hers: %v", code)
		}
		if code := other.Subscribe(1, "own")[0]; code < mqtt.Failure {
			t.Errorf("Samantha subscribes to what is samantha's: %v", code)
		}
		if strings.Contains(broker.Log(), aclNote) {
			t.Error("the log warns of statements whose names are compared")
		}
	})
}
