package stores

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mosquitto-go-auth/test/brokertest"
	"mosquitto-go-auth/test/mqtt"
)

// kickedWithin is how soon a client must be gone when its user is no longer in the
// file: the two seconds that are promised, and more for a machine that is busy.
const kickedWithin = 2*time.Second + patience

// passwordFile has the same password for each of the users.
func passwordFile(users ...string) string {
	var text strings.Builder
	for _, user := range users {
		text.WriteString(user + ":" + stored() + "\n")
	}
	return text.String()
}

// Files are read again when they change, without SIGHUP. One that is at fault
// changes nothing, and the log says where it is at fault.
func TestFilesAreWatched(t *testing.T) {
	brokertest.Each(t, func(t *testing.T, b brokertest.Broker) {
		dir := t.TempDir()
		passwords, rules := filepath.Join(dir, "passwords"), filepath.Join(dir, "acl")
		replace(t, passwords, passwordFile("ann", "bob"))
		replace(t, rules, "topic a/#\n")
		r := start(t, b, "backends files", "files_password_path "+passwords, "files_acl_path "+rules)
		ann, bob := login(t, r, "ann"), login(t, r, "bob")
		subscribe(t, bob, "a/1")

		replace(t, passwords, passwordFile("bob", "cid"))
		begin := time.Now()
		if !ann.Ended(kickedWithin) {
			t.Error("a client whose user was removed is still there")
		}
		t.Logf("gone after %v", time.Since(begin).Round(time.Millisecond))
		if in(t, r, "ann") || !in(t, r, "cid") {
			t.Error("the removed user gets in, or the new one does not")
		}

		replace(t, rules, "topic a/#\ntopic read a/#/b\n")
		r.WaitLog(t, rules+":2: bad topic filter")
		if !writes(t, bob, bob, "a/1") {
			t.Error("a faulty file has taken rights away")
		}
		replace(t, rules, "topic read a/#\n")
		brokertest.WaitFor(t, "the end of a right", func() bool { return !writes(t, bob, bob, "a/1") })
		if strings.Contains(r.Log(), "Reloading config") {
			t.Error("the broker was told to reload")
		}
	})
}

func subscribe(t *testing.T, c *mqtt.Client, filter string) {
	t.Helper()
	if codes := c.Subscribe(1, filter); len(codes) != 1 || codes[0] > 2 {
		t.Fatalf("subscribing to %s: %v", filter, codes)
	}
}
