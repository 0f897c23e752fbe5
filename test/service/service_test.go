// Package service tests what conf/running.md says: the plugin in a broker that
// systemd runs. Where systemd itself is wanted, scripts/service-test boots one.
package service

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"mosquitto-go-auth/test/brokertest"
	"mosquitto-go-auth/test/mqtt"
)

const (
	page     = "../../conf/running.md"
	dropIn   = "../../conf/systemd/go-auth.conf"
	rotation = "../../conf/logrotate/go-auth"
)

// need skips the test where a program is not there.
func need(t *testing.T, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		path, err = exec.LookPath("/usr/sbin/" + program)
	}
	if err != nil && os.Getenv(brokertest.NoSkipEnv) == "" {
		t.Skipf("no %s; scripts/setup installs it", program)
	} else if err != nil {
		t.Fatal(err)
	}
	return path
}

func write(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

// Units that the drop-in is for: Debian's for Mosquitto 2.0, and one as old
// instructions have it.
var units = map[string]string{
	"notify": `[Unit]
Description=Mosquitto MQTT Broker
[Service]
Type=notify
ExecStart=/bin/true
ExecReload=/bin/kill -HUP $MAINPID
ExecStartPre=/bin/mkdir -m 740 -p /var/log/mosquitto
ExecStartPre=/bin/chown mosquitto /var/log/mosquitto
`,
	"simple": `[Unit]
Description=Mosquitto MQTT v3.1/v3.1.1 server
[Service]
Type=simple
User=mosquitto
Group=mosquitto
ExecStart=/bin/true
Restart=on-failure
`,
}

// systemd understands the drop-in and what the page adds to it, and finds what is
// left open small.
func TestDropIn(t *testing.T) {
	analyze := need(t, "systemd-analyze")
	for name, unit := range units {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "mosquitto.service")
			write(t, path, unit, 0o644)
			write(t, filepath.Join(dir, "mosquitto.service.d/go-auth.conf"), brokertest.Read(t, dropIn), 0o644)
			write(t, filepath.Join(dir, "mosquitto.service.d/local.conf"), "[Service]\n"+strings.Join(exceptions(t), "\n")+"\n", 0o644)
			for _, args := range [][]string{{"verify", "--man=no"}, {"security", "--offline=true", "--threshold=25"}} {
				out, err := exec.Command(analyze, append(args, path)...).CombinedOutput()
				if err != nil || args[0] == "verify" && len(out) > 0 {
					t.Errorf("systemd-analyze %s: %v\n%s", args[0], err, out)
				}
			}
		})
	}
}

// exceptions are the settings in the page's table of what some brokers need.
func exceptions(t *testing.T) (settings []string) {
	t.Helper()
	for _, row := range regexp.MustCompile(`(?m)^\| .*$`).FindAllString(brokertest.Read(t, page), -1) {
		for _, m := range regexp.MustCompile("`([A-Z]\\w+=[^`]+)`").FindAllStringSubmatch(row, -1) {
			settings = append(settings, m[1])
		}
	}
	if len(settings) < 7 {
		t.Fatalf("the page has the settings %q", settings)
	}
	return settings
}

const files = `
listener {{.Port}} 127.0.0.1
allow_anonymous false
plugin {{.Plugin}}
plugin_opt_backends files
plugin_opt_password_file {{.Dir}}/passwords
plugin_opt_acl_file {{.Dir}}/acl
`

// with are the users for files.
var with = []brokertest.Option{
	brokertest.File("passwords", "kitchen:$argon2id$v=19$m=19456,t=2,p=1$dcq6QJiGL5h+cVzWa5vo7A$6nzldySL8Yyb5eP6vIgeUCoqc6ao8QV2abi68CUI3sQ\n"), // secret
	brokertest.File("acl", "user kitchen\ntopic readwrite home/#\n"),
}

// logs is what log_dest file needs.
const logs = "plugin_opt_log_dest file\nplugin_opt_log_file {{.Dir}}/go-auth.log\n"

// as is the user with a client id.
func as(id, password string) mqtt.Options {
	o := mqtt.As("kitchen", password)
	o.ID = id
	return o
}

// refuse has a login refused, and waits for the line in the log.
func refuse(t *testing.T, r *brokertest.Running, id, log string) {
	t.Helper()
	c, answer := mqtt.TryLogin(t, r.Addr, as(id, "a guess"))
	defer c.Drop()
	if answer.Code == mqtt.Success {
		t.Errorf("a wrong password is answered with %v", answer)
	}
	brokertest.WaitFor(t, "the refusal of "+id+" in "+log, func() bool {
		text, _ := os.ReadFile(log)
		return strings.Contains(string(text), id)
	})
}

// logrotate renames the log, and the plugin goes on in a new one.
func TestRotation(t *testing.T) {
	logrotate := need(t, "logrotate")
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	group, err := user.LookupGroupId(me.Gid)
	if err != nil {
		t.Fatal(err)
	}
	brokertest.Each(t, func(t *testing.T, b brokertest.Broker) {
		r := brokertest.Start(t, b, files+logs, with...)
		log := filepath.Join(r.Dir, "go-auth.log")
		refuse(t, r, "before", log)

		// In place of systemd's, a systemctl that knows this broker.
		write(t, filepath.Join(r.Dir, "bin/systemctl"), fmt.Sprintf("#!/bin/sh\necho \"$@\" >>%s/asked\ncase \"$*\" in *kill*) kill -HUP %d;; esac\n", r.Dir, r.PID), 0o755)
		text := strings.NewReplacer("/var/log/mosquitto", r.Dir, "su mosquitto mosquitto", "su "+me.Username+" "+group.Name).Replace(brokertest.Read(t, rotation))
		write(t, filepath.Join(r.Dir, "rotate"), text, 0o644)
		cmd := exec.Command(logrotate, "--force", "--state", filepath.Join(r.Dir, "state"), filepath.Join(r.Dir, "rotate"))
		cmd.Env = append(os.Environ(), "PATH="+r.Dir+"/bin:"+os.Getenv("PATH"))
		if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
			t.Fatalf("logrotate: %v\n%s", err, out)
		}
		if got, want := brokertest.Read(t, filepath.Join(r.Dir, "asked")), "--quiet is-active mosquitto\nkill --signal=HUP mosquitto\n"; got != want {
			t.Errorf("systemctl is asked for %q, want %q", got, want)
		}
		brokertest.WaitFor(t, "a new log", func() bool { _, err := os.Stat(log); return err == nil })
		refuse(t, r, "after", log)
		if old := brokertest.Read(t, log+".1"); !strings.Contains(old, "before") || strings.Contains(old, "after") {
			t.Errorf("the old log has %q", old)
		}
	})
}

// The broker tells systemd that it is ready, and from 2.1 on that it is alive.
func TestNotices(t *testing.T) {
	brokertest.Each(t, func(t *testing.T, b brokertest.Broker) {
		path := filepath.Join(t.TempDir(), "notify")
		conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		r := brokertest.Start(t, b, files, append(with, brokertest.Env("NOTIFY_SOCKET="+path), brokertest.Env("WATCHDOG_USEC=4000000"))...)
		last := "READY=1"
		if b.Delays() {
			last = "WATCHDOG=1"
		}
		var all []string
		buffer := make([]byte, 1000)
		for !slices.Contains(all, last) {
			conn.SetReadDeadline(time.Now().Add(mqtt.Patience))
			n, err := conn.Read(buffer)
			if err != nil {
				t.Fatalf("mosquitto %s says %q, and then nothing", b.Version, all)
			}
			all = append(all, string(buffer[:n]))
		}
		program := regexp.MustCompile(`(?m)/\S+/sbin/mosquitto$`).FindString(brokertest.Read(t, fmt.Sprintf("/proc/%d/maps", r.PID)))
		if can := strings.Contains(brokertest.Read(t, program), "WATCHDOG=1"); can != b.Delays() {
			t.Errorf("mosquitto %s can say that it is alive: %v", b.Version, can)
		}
	})
}
