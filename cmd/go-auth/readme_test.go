package main

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"mosquitto-go-auth/test/brokertest"
	"mosquitto-go-auth/test/port"
)

// blocks returns the fenced blocks of the README that begin with ```info.
func blocks(t *testing.T, info string) (found []string) {
	t.Helper()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range regexp.MustCompile("(?ms)^```"+info+"\n(.*?)^```").FindAllStringSubmatch(string(text), -1) {
		found = append(found, b[1])
	}
	if len(found) == 0 {
		t.Fatalf("the README has no block ```%s", info)
	}
	return found
}

// TestConfigurations checks the configurations of the README, and the examples
// that are ours. Nothing may be wrong with them, but that there is no database.
func TestConfigurations(t *testing.T) {
	texts := blocks(t, "conf")
	for _, name := range []string{"files.conf", "mysql.conf"} {
		text, err := os.ReadFile("../../conf/examples/" + name)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, string(text))
	}
	for _, text := range texts {
		checkConfiguration(t, text)
	}
}

func checkConfiguration(t *testing.T, text string) {
	t.Helper()
	dir := t.TempDir()
	file := func(name, content string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	file("passwords", "kitchen:$2a$04$abcdefghijklmnopqrstuu5Lo0g67CiD3M4RpN1BmBb4Crp5w7dbK\n")
	file("acl", "user kitchen\ntopic readwrite home/kitchen/#\n")
	file("mysql-password", "change me")
	if err := os.Symlink(brokertest.Plugin(t), filepath.Join(dir, "go-auth.so")); err != nil {
		t.Fatal(err)
	}
	text = strings.ReplaceAll(text, "/usr/lib/x86_64-linux-gnu/mosquitto/", dir+"/")
	text = strings.ReplaceAll(text, "/etc/mosquitto/", dir+"/")
	text += "\nuser root\n" // for whom the files are
	text = strings.ReplaceAll(text, "#plugin_opt_", "plugin_opt_")
	text = strings.ReplaceAll(text, "plugin_opt_mysql_port 3306\n", "")
	text = strings.ReplaceAll(text, "mysql_host 127.0.0.1", "mysql_host 127.0.0.1\nplugin_opt_mysql_port 1")
	file("mosquitto.conf", text)
	c, err := examine(t.Context(), filepath.Join(dir, "mosquitto.conf"), false)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Remarks) > 0 {
		t.Errorf("%s\n%v", text, c.Remarks)
	}
	for _, b := range c.Instances[0].Backends {
		if len(b.Checks) < 2 {
			t.Errorf("%s\n%+v", text, b)
		}
	}
}

// TestTrial types what the README says to type in "Try it", with a free port in
// place of its own.
func TestTrial(t *testing.T) {
	broker, err := exec.LookPath("/usr/sbin/mosquitto")
	if err == nil {
		_, err = exec.LookPath("mosquitto_sub")
	}
	if err != nil && os.Getenv("GOAUTH_NO_SKIP") == "" {
		t.Skip("Mosquitto and its clients are not installed; scripts/setup installs them")
	}
	dir, port := trialDirectory(t), strconv.Itoa(port.Free(t))
	typed := func(block string) string { return strings.ReplaceAll(blocks(t, block)[0], "1884", port) }
	shell := func(block string) (string, error) {
		cmd := exec.Command("bash", "-e")
		cmd.Dir, cmd.Stdin = dir, strings.NewReader(typed(block))
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := shell("sh try"); err != nil || !strings.Contains(out, "good (0 faults, 0 warnings)") {
		t.Fatalf("%v\n%s", err, out)
	}
	if want := broker + " -c build/try/mosquitto.conf\n"; typed("sh broker") != want {
		t.Fatalf("the README starts the broker with %q, want %q", typed("sh broker"), want)
	}
	startBroker(t, dir, port)
	var out string
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); {
		if out, err = shell("sh clients"); err == nil {
			break // else a client was told to come back
		}
	}
	if err != nil || !strings.HasSuffix(out, "home/kitchen/temperature 21.5\n") {
		t.Errorf("%v\n%s", err, out)
	}
	askWhy(t, dir, blocks(t, "sh why")[0])
}

// askWhy types what "My client is refused" says, with the trial's configuration.
func askWhy(t *testing.T, dir, block string) {
	t.Helper()
	want := []struct {
		says   string
		status int
	}{{"accepted: ", 0}, {"denied: ", 1}, {"denied: ", 1}}
	lines := strings.Split(strings.TrimSpace(block), "\n")
	if len(lines) != len(want) {
		t.Fatalf("%d lines under \"My client is refused\", want %d", len(lines), len(want))
	}
	for i, line := range lines {
		line = strings.Replace(line, "sudo go-auth ", "build/go-auth -c build/try/mosquitto.conf ", 1)
		cmd := exec.Command("sh", "-c", line)
		cmd.Dir, cmd.Stdin = dir, strings.NewReader("kitchen-secret\n")
		out, _ := cmd.CombinedOutput()
		if !strings.Contains(string(out), want[i].says) || cmd.ProcessState.ExitCode() != want[i].status {
			t.Errorf("%s: status %d\n%s", line, cmd.ProcessState.ExitCode(), out)
		}
	}
}

// trialDirectory returns a directory that has what make builds.
func trialDirectory(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "build"), 0o755); err != nil {
		t.Fatal(err)
	}
	library, err := filepath.Abs(brokertest.Plugin(t))
	if err != nil {
		t.Fatal(err)
	}
	command, err := os.Executable() // which is go-auth under that name, see TestMain
	if err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{"go-auth.so": library, "go-auth": command} {
		if err := os.Symlink(target, filepath.Join(dir, "build", name)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// startBroker starts the broker of the trial, and stops it when the test ends.
func startBroker(t *testing.T, dir, port string) {
	t.Helper()
	var log bytes.Buffer
	cmd := exec.Command("/usr/sbin/mosquitto", "-c", "build/try/mosquitto.conf")
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		if err := cmd.Wait(); err != nil || t.Failed() {
			t.Errorf("the broker: %v\n%s", err, log.String())
		}
	})
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		c, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err == nil {
			c.Close()
			return
		}
		if time.Now().After(end) {
			t.Fatal("the broker does not listen")
		}
	}
}
