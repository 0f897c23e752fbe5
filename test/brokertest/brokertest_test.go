package brokertest

import (
	"os"
	"strings"
	"testing"
)

func TestBrokerStartsReloadsAndStops(t *testing.T) {
	Each(t, func(t *testing.T, b Broker) {
		r := Start(t, b, `
allow_anonymous {{.Vars.anonymous}}
listener {{.Port}} 127.0.0.1
listener {{.Port2}} 127.0.0.1
password_file {{.Dir}}/passwd
log_dest file {{.Dir}}/broker.log
`, Var("anonymous", true), File("passwd", ""))
		r.WaitLog(t, "mosquitto version "+b.Version+" running")
		r.Reload()
		r.WaitLog(t, "Reloading config.")
		r.Stop()
		if !strings.Contains(r.Log(), "terminating") {
			t.Error("the broker did not log its end")
		}
	})
}

func TestDaemonIsStoppedToo(t *testing.T) {
	Each(t, func(t *testing.T, b Broker) {
		r := Start(t, b, "log_dest file {{.Dir}}/broker.log\n", Daemon())
		r.Stop()
		if alive(r.PID) {
			t.Error("the daemon still runs")
		}
	})
}

func TestBadConfigurationEndsTheStart(t *testing.T) {
	Each(t, func(t *testing.T, b Broker) {
		status, log := StartFailing(t, b, "plugin {{.Dir}}/missing.so\n")
		if status == 0 || !strings.Contains(log, "missing.so") {
			t.Errorf("status %d and log %q, want a failure that names the plugin", status, log)
		}
	})
}

// observer notes failures instead of failing.
type observer struct {
	testing.TB
	failed bool
}

func (o *observer) Errorf(string, ...any) { o.failed = true }

func TestStopSeesACrash(t *testing.T) {
	b := All(t)[0]
	for name, crash := range map[string]func(*Running){
		"signal": func(r *Running) { r.signal(9); WaitFor(t, "the end", func() bool { return len(r.ended) > 0 }) },
		"panic":  func(r *Running) { appendTo(t, r.logs[0], "panic: oops\n") },
	} {
		seen := &observer{TB: t}
		r := Start(seen, b, "")
		crash(r)
		r.Stop()
		if !seen.failed {
			t.Errorf("%s: Stop has seen nothing", name)
		}
	}
}

func appendTo(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
}
