package storm

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mosquitto-go-auth/test/brokertest"
	"mosquitto-go-auth/test/mqtt"
)

// After a restart, nobody's rights are in memory, and with check_retain_source the
// broker asks about the author of each retained message that it delivers, in a row.
func TestManyAuthorsOfRetainedMessages(t *testing.T) {
	measured(t)
	const authors = 10000
	s := newStore(t)
	s.add(t, cheap, append(names("user", authors), "reader", "bystander")...)
	s.grant(t, "reader", "#", 7)
	const lines = "set_tcp_nodelay true\ncheck_retain_source true\nmax_queued_messages 0\n" +
		"persistence true\npersistence_location {{.Vars.store}}/\n"
	for _, b := range brokertest.All(t) {
		t.Run(b.Version, func(t *testing.T) {
			kept := keep(t, b, lines, names("user", authors))
			run := func(what, options, lines string, files ...brokertest.Option) time.Duration {
				files = append(files, brokertest.Var("store", filepath.Dir(copyTo(t, kept, t.TempDir()))))
				var r *brokertest.Running
				if options == "" {
					r = brokertest.Start(t, b, lines, files...)
				} else {
					r = start(t, b, options, lines, files...)
				}
				defer r.Stop()
				if options == "" {
					defer burn(t)()
				}
				return readAll(t, r, what, authors)
			}
			control := run("acl_file", "", lines+"allow_anonymous true\nacl_file {{.Dir}}/acl\n",
				brokertest.File("acl", rulesOf(names("user", authors))))
			ours := run("go-auth", "backends mysql\n"+s.options(), lines)
			t.Logf("longest stall: %.1f times that with acl_file", float64(ours)/float64(control))
			if ours > control+hardly {
				t.Errorf("the bystander waited %v, and %v with acl_file", ours, control)
			}
		})
	}
}

// keep has each user retain a message, in a broker that lets everybody in, and
// returns the file that the broker keeps them in.
func keep(t *testing.T, b brokertest.Broker, lines string, names []string) string {
	t.Helper()
	dir := t.TempDir()
	r := brokertest.Start(t, b, lines+"allow_anonymous true\n", brokertest.Var("store", dir))
	for _, name := range names {
		o := user(name, 4)
		o.ID = name
		if code := keepOne(r.Addr, o, mqtt.Message{Topic: name + "/kept", Payload: name, QoS: 1, Retain: true}); code != mqtt.Success {
			t.Fatalf("%s: %v", name, code)
		}
	}
	r.Stop()
	return filepath.Join(dir, "mosquitto.db")
}

func copyTo(t *testing.T, file, dir string) string {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, filepath.Base(file))
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// rulesOf returns the file acl_file with the rights that the store gives.
func rulesOf(names []string) string {
	var text strings.Builder
	text.WriteString("user reader\ntopic readwrite #\nuser bystander\ntopic readwrite bystander/#\n")
	for _, name := range names {
		fmt.Fprintf(&text, "user %[1]s\ntopic readwrite %[1]s/#\n", name)
	}
	return text.String()
}

// readAll has a client subscribe to everything, checks that all messages arrive, and
// returns a bystander's longest wait meanwhile.
func readAll(t *testing.T, r *brokertest.Running, what string, messages int) time.Duration {
	t.Helper()
	reader := mqtt.Login(t, r.Addr, hurried("reader"))
	stop := watch(t, r, hurried("bystander"))
	reader.Send(reader.SubscribePacket(1, 0, "#"))
	begin := time.Now()
	seen := map[string]bool{}
	for len(seen) < messages {
		m, ok := reader.Message(mqtt.Patience)
		if !ok {
			t.Fatalf("%s: %d of %d retained messages arrived", what, len(seen), messages)
		}
		if m.Topic == m.Payload+"/kept" {
			seen[m.Topic] = true
		}
	}
	took := time.Since(begin)
	s := stop()
	t.Logf("%s: %d messages in %v; longest stall %v of %d pings", what, messages, round(took), round(s.longest), s.pings)
	return s.longest
}
