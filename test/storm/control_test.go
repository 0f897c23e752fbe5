package storm

import (
	"crypto/pbkdf2"
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"mosquitto-go-auth/test/brokertest"
)

// What a bystander may have to wait for longer than in the control.
const (
	hardly  = 50 * time.Millisecond
	waiting = 150 * time.Millisecond // where the broker waits for logins, out of its credit
)

// hashGate is how many hashes the plugin computes at once by default.
func hashGate() int { return max(runtime.GOMAXPROCS(0)-1, 1) }

// control is the same broker with password_file and acl_file, while as many threads
// burn CPU beside it as the plugin may have compute hashes. Its users have every right
// below a topic of their name. end stops it and the threads.
func control(t *testing.T, b brokertest.Broker, lines string, names ...string) (r *brokertest.Running, end func()) {
	t.Helper()
	const rounds = 101
	salt := []byte("twelve bytes") // as all versions take it
	key, err := pbkdf2.Key(sha512.New, password, salt, rounds, sha512.Size)
	if err != nil {
		t.Fatal(err)
	}
	var passwords strings.Builder
	for _, name := range names {
		fmt.Fprintf(&passwords, "%s:$7$%d$%s$%s\n", name, rounds,
			base64.StdEncoding.EncodeToString(salt), base64.StdEncoding.EncodeToString(key))
	}
	r = brokertest.Start(t, b, "allow_anonymous false\npassword_file {{.Dir}}/passwords\nacl_file {{.Dir}}/acl\n"+lines,
		brokertest.File("passwords", passwords.String()), brokertest.File("acl", "pattern readwrite %u/#\n"))
	rest := burn(t)
	return r, func() { rest(); r.Stop() }
}

// burn keeps processors busy, as many as the plugin may with hashes, until rest is
// called.
func burn(t *testing.T) (rest func()) {
	t.Helper()
	var all []*exec.Cmd
	rest = func() {
		for _, cmd := range all {
			cmd.Process.Kill()
			cmd.Wait()
		}
		all = nil
	}
	t.Cleanup(func() { rest() })
	for range hashGate() {
		cmd := exec.Command("sh", "-c", "while :; do :; done")
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		all = append(all, cmd)
	}
	return rest
}
