package seed

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"mosquitto-go-auth/test/brokertest"
	"mosquitto-go-auth/test/mqtt"
)

// fields reads a file of testdata with tab-separated fields.
func fields(t *testing.T, name string) (rows [][]string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		if line != "" && !strings.HasPrefix(line, "#") {
			rows = append(rows, strings.Split(line, "\t"))
		}
	}
	return rows
}

func (s *store) addHash(t *testing.T, name string, hash any) {
	t.Helper()
	s.exec(t, "INSERT INTO mqtt_user (username, password_hash) VALUES (?, ?)", name, hash)
}

// with returns the options of a client with a password of its own.
func with(name, password string) mqtt.Options {
	o := user(name)
	o.Password = []byte(password)
	return o
}

// A stored hash is recognised by its shape, whatever hasher says.
func TestHashes(t *testing.T) {
	hashes := fields(t, "hashes.txt")
	brokertest.Each(t, func(t *testing.T, b brokertest.Broker) {
		t.Parallel()
		s := newStore(t)
		for _, h := range hashes {
			s.addHash(t, h[0], h[2])
		}
		broker := start(t, b, "backends mysql\nhasher bcrypt\nhasher_cost 10\n"+s.options())
		for _, h := range hashes {
			mqtt.Login(t, broker.Addr, with(h[0], h[1]))
			refused(t, broker, with(h[0], h[1]+"x"))
		}
	})
}

// A malformed hash refuses every password, and the log says whose it is.
func TestMalformedHashes(t *testing.T) {
	malformed := fields(t, "malformed.txt")
	brokertest.Each(t, func(t *testing.T, b brokertest.Broker) {
		t.Parallel()
		s := newStore(t)
		s.addUser(t, "good")
		s.addHash(t, "NULL", nil)
		for _, m := range malformed {
			s.addHash(t, m[0], m[1])
		}
		broker := start(t, b, "backends mysql\n"+s.options())
		for _, m := range malformed {
			refused(t, broker, with(m[0], "password"))
			refused(t, broker, with(m[0], m[1]))
			if m[1] != "" {
				line := regexp.MustCompile(regexp.QuoteMeta(quoted(m[0])) + `, client .*: refused, the stored hash cannot be used`)
				brokertest.WaitFor(t, line.String(), func() bool { return line.MatchString(broker.Log()) })
			}
			if len(m[1]) > 20 && strings.Contains(broker.Log(), m[1]) {
				t.Errorf("the log holds what is stored for %s", m[0])
			}
		}
		refused(t, broker, with("NULL", ""))
		login(t, broker, "good")
	})
}
