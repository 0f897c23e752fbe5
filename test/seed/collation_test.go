package seed

import (
	"strings"
	"testing"

	"mosquitto-go-auth/test/brokertest"
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
