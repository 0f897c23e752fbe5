package main

import (
	"crypto/pbkdf2"
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"strings"
	"sync"

	"golang.org/x/crypto/bcrypt"

	"mosquitto-go-auth/test/brokertest"
	"mosquitto-go-auth/test/mariadbtest"
	"mosquitto-go-auth/test/mqtt"
)

const password = "correct horse"

// account returns what a user logs in with; the client has the user's name.
func account(name string) mqtt.Options {
	o := mqtt.As(name, password)
	o.ID = name
	return o
}

// user is the name of one of the users that arrive.
func user(i int) string { return fmt.Sprintf("user%03d", i) }

// A user and the hash of the password.
type stored struct{ name, hash string }

// bcryptCost is the seed's.
const bcryptCost = 10

var hashes struct {
	sync.Mutex
	made []string
}

// costly returns users whose hashes cost as much as the seed's do. No two are
// equal, so that none is known from another. They are made once.
func (b *bench) costly(n int) []stored {
	b.Helper()
	hashes.Lock()
	defer hashes.Unlock()
	for len(hashes.made) < n {
		hash, err := bcrypt.GenerateFromPassword([]byte(password), bcryptCost)
		if err != nil {
			b.Fatal(err)
		}
		hashes.made = append(hashes.made, string(hash))
	}
	return named(hashes.made[:n])
}

// cheap returns users whose hashes cost next to nothing.
func cheap(n int) []stored {
	all := make([]string, n)
	for i := range all {
		all[i] = mosquittoHash(1)
	}
	return named(all)
}

func named(hashes []string) []stored {
	users := []stored{{"bystander", mosquittoHash(1)}}
	for i, hash := range hashes {
		users = append(users, stored{user(i), hash})
	}
	return users
}

// mosquittoHash returns a hash as Mosquitto 2.0 writes it.
func mosquittoHash(iterations int) string {
	salt := []byte("twelve bytes")
	key, err := pbkdf2.Key(sha512.New, password, salt, iterations, 64)
	if err != nil {
		panic(err) // of parameters that are constants here
	}
	text := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("$7$%d$%s$%s", iterations, text(salt), text(key))
}

// files are password_file and acl_file for users who may use any topic below
// their own names, and of others what more says.
func files(users []stored, more string) []brokertest.Option {
	var passwords, acl strings.Builder
	acl.WriteString("pattern readwrite %u/#\n")
	for _, u := range users {
		fmt.Fprintf(&passwords, "%s:%s\n", u.name, u.hash)
		fmt.Fprintf(&acl, "\nuser %s\n%s", u.name, more)
	}
	acl.WriteString("\nuser bystander\ntopic readwrite " + bystanderTopic + "\n")
	return []brokertest.Option{brokertest.File("passwords", passwords.String()), brokertest.File("acl", acl.String())}
}

const (
	// builtin has the broker itself read the files.
	builtin = "password_file {{.Dir}}/passwords\nacl_file {{.Dir}}/acl\n"
	// unjudged has it read the passwords, and grant every right.
	unjudged = "password_file {{.Dir}}/passwords\n"
	// ours has the plugin read them.
	ours = "plugin {{.Plugin}}\nplugin_opt_backends files\n" +
		"plugin_opt_password_file {{.Dir}}/passwords\nplugin_opt_acl_file {{.Dir}}/acl\n"
)

// tables are those that the seed's queries ask, with a user for each and five
// rows of rights.
func (b *bench) tables(s *mariadbtest.Server, users []stored) {
	b.Helper()
	s.Exec(b, "CREATE OR REPLACE DATABASE bench",
		`CREATE TABLE bench.test_user (id INT AUTO_INCREMENT PRIMARY KEY,
			username VARCHAR(100) COLLATE utf8mb4_nopad_bin NOT NULL UNIQUE,
			password_hash VARCHAR(200) NOT NULL, is_admin BOOLEAN NOT NULL DEFAULT 0)`,
		`CREATE TABLE bench.test_acl (id INT AUTO_INCREMENT PRIMARY KEY,
			test_user_id INT NOT NULL REFERENCES test_user (id), topic VARCHAR(100) NOT NULL, rw INT)`)
	for _, u := range users {
		s.Exec(b, fmt.Sprintf("INSERT INTO bench.test_user (username, password_hash) VALUES ('%s', '%s')", u.name, u.hash))
	}
	s.Exec(b, `INSERT INTO bench.test_acl (test_user_id, topic, rw) SELECT id, CONCAT(prefix, username, '/#'), 7 FROM bench.test_user,
			(SELECT '' prefix UNION SELECT 'a/' UNION SELECT 'b/' UNION SELECT 'c/') prefixes`,
		`INSERT INTO bench.test_acl (test_user_id, topic, rw) SELECT id, '`+bystanderTopic+`', 7 FROM bench.test_user`)
}

const (
	userQuery = "SELECT password_hash FROM test_user WHERE username = ? limit 1"

	// seedQueries are the seed's, which ask for each right on its own.
	seedQueries = "plugin_opt_mysql_userquery " + userQuery + `
plugin_opt_mysql_superquery SELECT COUNT(*) FROM test_user WHERE username = ? AND is_admin = 1
plugin_opt_mysql_aclquery SELECT topic FROM test_acl WHERE test_user_id = (SELECT id FROM test_user WHERE username = ?) AND (rw >= ?)
`
	// maskQueries ask for all rights at once, as the log recommends it.
	maskQueries = "plugin_opt_mysql_userquery " + userQuery + `
plugin_opt_mysql_superquery SELECT COUNT(*) FROM test_user WHERE username = ? AND is_admin = 1
plugin_opt_mysql_aclquery SELECT topic, rw FROM test_acl WHERE test_user_id = (SELECT id FROM test_user WHERE username = ?)
`
)

// database starts a MariaDB with the users, and returns with it the lines that
// have the plugin ask it.
func (b *bench) database(users []stored, queries string) (*mariadbtest.Server, string) {
	b.Helper()
	s := mariadbtest.Start(b, mariadbtest.Options{})
	b.tables(s, users)
	return s, asking(s, queries)
}

func asking(s *mariadbtest.Server, queries string) string {
	return fmt.Sprintf("plugin {{.Plugin}}\nplugin_opt_backends mysql\nplugin_opt_mysql_host %s\nplugin_opt_mysql_port %d\n"+
		"plugin_opt_mysql_dbname bench\nplugin_opt_mysql_user root\n", s.Host(), s.Port()) + queries
}
