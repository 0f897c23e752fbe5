package broker_test

import (
	"strings"
	"testing"

	"mosquitto-go-auth/test/brokertest"
	"mosquitto-go-auth/test/mqtt"
)

// expectLogin fails the test if a login is not answered with code.
func expectLogin(t *testing.T, addr, name, password string, code mqtt.Code) {
	t.Helper()
	o := mqtt.As(name, password)
	o.ID = "login of " + name
	if _, got := mqtt.TryLogin(t, addr, o); got.Code != code {
		t.Errorf("%s, %q at %s: %v, want %v", name, password, addr, got.Code, code)
	}
}

// The ways to load the plugin for all listeners.
func TestWaysToLoad(t *testing.T) {
	brokertest.Each(t, func(t *testing.T, b brokertest.Broker) {
		words := []string{"auth_plugin", "plugin"}
		if b.HasGlobalPlugin() {
			words = append(words, "global_plugin")
		}
		for _, word := range words {
			for _, prefix := range []string{"auth_opt_", "plugin_opt_"} {
				t.Run(word+" "+prefix, func(t *testing.T) {
					r := brokertest.Start(t, b, strings.NewReplacer("WORD", word, "PREFIX_", prefix).Replace(`
WORD {{.Plugin}}
PREFIX_backends files
PREFIX_password_file {{.Dir}}/passwd
PREFIX_acl_file {{.Dir}}/acl
listener {{.Port}} 127.0.0.1
listener {{.Port2}} 127.0.0.1
`), brokertest.File("passwd", accounts("ann")), brokertest.File("acl", "user ann\ntopic a/#\n"))
					for _, addr := range []string{r.Addr, r.Addr2} {
						expectLogin(t, addr, "ann", secret, mqtt.Success)
						expectLogin(t, addr, "ann", "guess", mqtt.NotAuthorized)
						judges(t, addr, "ann", "a/1", "b/1")
					}
				})
			}
		}
	})
}

// judges fails the test if a user may not publish the one topic, or the other.
func judges(t *testing.T, addr, name, yes, no string) {
	t.Helper()
	c := mqtt.Login(t, addr, with(as(name, "judged-"+name), func(o *mqtt.Options) { o.Version = 5 }))
	defer c.Drop()
	for topic, want := range map[string]bool{yes: true, no: false} {
		if got := c.Publish(mqtt.Message{Topic: topic, QoS: 1}); (got < 0x80) != want {
			t.Errorf("%s publishes %s at %s: %v, and it is allowed is %v", name, topic, addr, got, want)
		}
	}
}

// One file of the plugin, two instances of it.
func TestListenersOfTheirOwn(t *testing.T) {
	brokertest.Each(t, func(t *testing.T, b brokertest.Broker) {
		r := brokertest.Start(t, b, `
per_listener_settings true
listener {{.Port}} 127.0.0.1
allow_anonymous false
plugin {{.Plugin}}
plugin_opt_password_file {{.Dir}}/passwd1
plugin_opt_acl_file {{.Dir}}/acl1
listener {{.Port2}} 127.0.0.1
allow_anonymous true
auth_plugin {{.Plugin}}
auth_opt_files_password_path {{.Dir}}/passwd2
`, brokertest.File("passwd1", accounts("ann", "both")), brokertest.File("acl1", "user ann\ntopic a/#\nuser both\ntopic c/#\n"),
			brokertest.File("passwd2", accounts("bob")+account("both", "other", quick)))
		for _, test := range []struct {
			addr, name, password string
			want                 mqtt.Code
		}{
			{r.Addr, "ann", secret, mqtt.Success}, {r.Addr2, "ann", secret, mqtt.NotAuthorized},
			{r.Addr, "bob", secret, mqtt.NotAuthorized}, {r.Addr2, "bob", secret, mqtt.Success},
			{r.Addr, "both", secret, mqtt.Success}, {r.Addr2, "both", secret, mqtt.NotAuthorized},
			{r.Addr, "both", "other", mqtt.NotAuthorized}, {r.Addr2, "both", "other", mqtt.Success},
		} {
			expectLogin(t, test.addr, test.name, test.password, test.want)
		}
		if _, got := mqtt.TryLogin(t, r.Addr, mqtt.Options{}); got.Code != mqtt.NotAuthorized {
			t.Errorf("anonymous at the first listener: %v", got.Code)
		}
		free := mqtt.Login(t, r.Addr2, mqtt.Options{Version: 5})
		if got := free.Publish(mqtt.Message{Topic: "any", QoS: 1}); got >= 0x80 {
			t.Errorf("publishing at the listener without rules: %v", got)
		}
		judges(t, r.Addr, "ann", "a/1", "c/1")
		judges(t, r.Addr, "both", "c/1", "a/1")
		r.Reload()
		expectLogin(t, r.Addr, "ann", secret, mqtt.Success)
		brokertest.WaitFor(t, "the reload", func() bool {
			// In Mosquitto 2.0.11 nothing but a login tells such a plugin to look.
			expectLogin(t, r.Addr, "ann", secret, mqtt.Success)
			return strings.Contains(r.Log(), "read again: files")
		})
		expectLogin(t, r.Addr2, "bob", secret, mqtt.Success)
		if !free.Alive() {
			t.Error("the anonymous client is gone after SIGHUP")
		}
	})
}

// plugin_load and plugin_use: one instance for some of the listeners.
func TestNamedPlugin(t *testing.T) {
	delaying(t, func(t *testing.T, b brokertest.Broker) {
		r := brokertest.Start(t, b, `
plugin_load users {{.Plugin}}
plugin_opt_password_file {{.Dir}}/passwd
plugin_opt_acl_file {{.Dir}}/acl
listener {{.Port}} 127.0.0.1
listener_allow_anonymous false
plugin_use users
listener {{.Port2}} 127.0.0.1
listener_allow_anonymous true
`, brokertest.File("passwd", accounts("ann")), brokertest.File("acl", "user ann\ntopic a/#\n"))
		expectLogin(t, r.Addr, "ann", secret, mqtt.Success)
		expectLogin(t, r.Addr, "ann", "guess", mqtt.NotAuthorized)
		judges(t, r.Addr, "ann", "a/1", "b/1")
		mqtt.Login(t, r.Addr2, mqtt.Options{})
		expectLogin(t, r.Addr2, "ann", "guess", mqtt.Success) // the plugin is not there
	})
}

// A daemon's threads are started after the broker has forked.
func TestDaemon(t *testing.T) {
	brokertest.Each(t, func(t *testing.T, b brokertest.Broker) {
		r := start(t, b, accounts("ann"), "log_dest file {{.Dir}}/broker.log\n", brokertest.Daemon())
		expectLogin(t, r.Addr, "ann", secret, mqtt.Success)
		expectLogin(t, r.Addr, "ann", "guess", mqtt.NotAuthorized)
		r.Reload()
		r.WaitLog(t, "read again: files")
		expectLogin(t, r.Addr, "ann", secret, mqtt.Success)
		r.Stop()
		if !strings.Contains(r.Log(), `user "ann"`) {
			t.Error("nothing of the login in the log")
		}
	})
}

// What keeps the broker from starting, and what its log then says.
var faults = []struct {
	name, lines string
	log         []string
}{
	{"none given", "", []string{"go-auth: option backends: missing or blank"}},
	{"several at once", `
plugin_opt_backends files, mysq
plugin_opt_password_fil {{.Dir}}/passwd
plugin_opt_hash_memo perhaps
plugin_opt_files_regster user
`, []string{
		"option password_fil: no such option; did you mean password_file?",
		"option files_regster: no such option; did you mean files_register?",
		"option hash_memo: ",
		`option backends: unknown backend "mysq"`,
		"not started, for ",
	}},
	{"no such file", "plugin_opt_password_file {{.Dir}}/missing\n",
		[]string{"option password_file: ", "/missing: no such file or directory; create it"}},
	{"a directory", "plugin_opt_password_file {{.Dir}}\n", []string{"is not a regular file"}},
	{"bad rules", "plugin_opt_password_file {{.Dir}}/passwd\nplugin_opt_acl_file {{.Dir}}/bad\n",
		[]string{"/bad:2: ", "/bad:4: "}},
	{"both kinds of rules", "plugin_opt_acl_file {{.Dir}}/good\nplugin_opt_files_acl_path {{.Dir}}/good\n",
		[]string{"give one of them"}},
	{"a backend that is not here", "plugin_opt_backends mongo\n", []string{"the backend mongo is not in this version"}},
}

func TestFailedStart(t *testing.T) {
	brokertest.Each(t, func(t *testing.T, b brokertest.Broker) {
		for _, fault := range faults {
			t.Run(fault.name, func(t *testing.T) {
				status, log := brokertest.StartFailing(t, b, "plugin {{.Plugin}}\n"+fault.lines,
					brokertest.File("passwd", accounts("ann")), brokertest.File("good", "topic a\n"),
					brokertest.File("bad", "user ann\ntopic a/#/b\ntopic a\nfoo bar\n"))
				if status == 0 {
					t.Error("status 0")
				}
				for _, want := range fault.log {
					if !strings.Contains(log, want) {
						t.Errorf("the log does not say %q", want)
					}
				}
				if strings.Contains(log, "$7$") {
					t.Error("a hash is in the log")
				}
				if t.Failed() {
					t.Log(log)
				}
			})
		}
	})
}

// Two lines with the plugin for the same listeners. Mosquitto 2.0 cannot have that;
// 2.1 asks both.
func TestNamedTwice(t *testing.T) {
	const twice = `
plugin {{.Plugin}}
plugin_opt_password_file {{.Dir}}/passwd
plugin {{.Plugin}}
plugin_opt_backends files
plugin_opt_acl_file {{.Dir}}/acl
`
	files := []brokertest.Option{brokertest.File("passwd", accounts("ann")), brokertest.File("acl", "user ann\ntopic a/#\n")}
	brokertest.Each(t, func(t *testing.T, b brokertest.Broker) {
		if b.Delays() {
			r := brokertest.Start(t, b, twice, files...)
			expectLogin(t, r.Addr, "ann", secret, mqtt.Success)
			expectLogin(t, r.Addr, "ann", "guess", mqtt.NotAuthorized)
			judges(t, r.Addr, "ann", "a/1", "b/1")
			return
		}
		status, log := brokertest.StartFailing(t, b, twice, files...)
		if status == 0 || !strings.Contains(log, "is the plugin named twice for the same listener?") {
			t.Errorf("status %d and the log\n%s", status, log)
		}
	})
}
