package mysql

import (
	"strings"
	"testing"

	"mosquitto-go-auth/backends"
	"mosquitto-go-auth/test/mariadbtest"
)

// The methods in which MariaDB users log in, over TCP and over the socket.
func TestMethods(t *testing.T) {
	s := newMortal(t, mariadbtest.Options{Args: []string{"--plugin-load-add=auth_ed25519"}})
	mustExec(t, s.db, "CREATE TABLE u (n VARBINARY(50), h TEXT)", "INSERT INTO u VALUES ('sam', 'h')",
		"CREATE USER native@'%' IDENTIFIED BY 's3cret'", "CREATE USER edwards@'%' IDENTIFIED VIA ed25519 USING PASSWORD('s3cret')",
		"CREATE USER old@'%' IDENTIFIED VIA mysql_old_password USING '378b243e220ca493'",
		"GRANT SELECT ON * TO native@'%', edwards@'%', old@'%'")
	tests := []struct{ name, user, password, options, err string }{
		{"native", "native", "s3cret", "", ""},
		{"native, not allowed", "native", "s3cret", "mysql_allow_native_passwords false", "mysql_allow_native_passwords true allows"},
		{"native, wrong", "native", "s3cret2", "", "see mysql_user and mysql_password"},
		{"ed25519", "edwards", "s3cret", "", ""},
		{"ed25519, wrong", "edwards", "s3cret2", "", "see mysql_user and mysql_password"},
		{"before 4.1", "old", "s3cret", "", "has a password in the old format"},
	}
	for _, tt := range tests {
		for place, options := range map[string]string{
			"tcp":    "",
			"socket": "mysql_protocol unix\nmysql_socket " + s.Socket() + "\n",
		} {
			t.Run(tt.name+" over "+place, func(t *testing.T) {
				b := open(t, s.as(tt.user, tt.password)+options+tt.options+"\nmysql_userquery SELECT h FROM u WHERE n = ?")
				fetches(t, b, tt.err)
				if _, err := b.User(ctxOf(t), backends.Lookup{Name: "sam"}); err != nil && strings.Contains(err.Error(), "s3cret") {
					t.Errorf("the error shows the password: %v", err)
				}
			})
		}
	}
}
