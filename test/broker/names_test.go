package broker_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"mosquitto-go-auth/test/brokertest"
	"mosquitto-go-auth/test/mqtt"
)

// What a client may call itself, where anonymous clients are allowed. Of an empty
// name the broker makes none before it asks anybody.
func TestNames(t *testing.T) {
	long := strings.Repeat("n", 65535)
	tests := []struct {
		name string
		o    mqtt.Options
		in   bool
	}{
		{"no name", mqtt.Options{}, true},
		{"empty name", mqtt.As("", secret), true},
		{"empty name and password", mqtt.As("", ""), true},
		{"no password", mqtt.Options{Username: new("ann")}, false},
		{"empty password", mqtt.As("ann", ""), false},
		{"right", mqtt.As("ann", secret), true},
		{"plus", mqtt.As("a+b", secret), false},
		{"hash", mqtt.As("#", secret), false},
		{"slash", mqtt.As("a/b", secret), true},
		{"longest name", mqtt.As(long, secret), false},
		{"longest password", mqtt.As("ann", long), false},
		{"longest password after the right one", mqtt.As("ann", secret+long[:60000]), false},
		{"id with plus", as("ann", "c+1"), false},
		{"id with hash", as("ann", "c#"), false},
		{"id with slash", as("ann", "c/1"), true},
		{"longest id", as("ann", long), true},
		{"dollar", mqtt.As("$SYS", secret), true},
		{"format", mqtt.As("%s%n", secret), true},
		{"quotes", mqtt.As(`"\'`, secret), true},
	}
	brokertest.Each(t, func(t *testing.T, b brokertest.Broker) {
		r := start(t, b, accounts("ann", "a+b", "#", "a/b", "$SYS", "%s%n", `"\'`), "allow_anonymous true\n")
		for _, test := range tests {
			for _, version := range []byte{4, 5} {
				o := test.o
				o.Version = version
				if o.ID == "" {
					o.ID = fmt.Sprint("c", version)
				}
				_, got := mqtt.TryLogin(t, r.Addr, o)
				if want := answer(version, test.in); got.Code != want {
					t.Errorf("%s, version %d: %v, want %v", test.name, version, got.Code, want)
				}
			}
		}
		if t.Failed() {
			return // the log is long
		}
		mqtt.Login(t, r.Addr, as("ann", "in the end"))
	})
}

// With deny_special_chars false such names are let in, and widen nothing.
func TestSpecialCharacters(t *testing.T) {
	brokertest.Each(t, func(t *testing.T, b brokertest.Broker) {
		r := start(t, b, accounts("+", "a#", "boss"), "plugin_opt_deny_special_chars false\nplugin_opt_acl_file {{.Dir}}/acl\n",
			brokertest.File("acl", "user boss\ntopic #\nuser +\ntopic plus\npattern home/%u\npattern dev/%c\n"))
		boss := mqtt.Login(t, r.Addr, as("boss", "boss"))
		plus := mqtt.Login(t, r.Addr, as("+", "c1"))
		hash := mqtt.Login(t, r.Addr, as("a#", "#"))
		for _, c := range []*mqtt.Client{plus, hash} {
			c.Subscribe(0, "#")
		}
		for _, topic := range []string{"home/boss", "dev/boss", "plus", "dev/c1"} {
			boss.Publish(mqtt.Message{Topic: topic, QoS: 1})
		}
		if got := seen(t, plus); !slices.Equal(got, []string{"plus", "dev/c1"}) {
			t.Errorf("+ receives %v", got)
		}
		if got := seen(t, hash); len(got) > 0 {
			t.Errorf("a# receives %v", got)
		}
	})
}

// A client that leaves its id to the broker has one in all that follows.
func TestAssignedID(t *testing.T) {
	brokertest.Each(t, func(t *testing.T, b brokertest.Broker) {
		r := start(t, b, account("ann", secret, slow/20), "plugin_opt_acl_file {{.Dir}}/acl\n",
			brokertest.File("acl", "pattern dev/%c\n"))
		for _, version := range []byte{4, 5} {
			o := mqtt.As("ann", secret)
			o.Version = version
			c, got := mqtt.TryLogin(t, r.Addr, o)
			if got.Code != mqtt.Success || (got.AssignedID != "") != (version == 5) {
				t.Fatalf("version %d: %+v", version, got)
			}
			if version != 5 {
				continue
			}
			c.Subscribe(0, "dev/#")
			c.Publish(mqtt.Message{Topic: "dev/other"})
			c.Publish(mqtt.Message{Topic: "dev/" + got.AssignedID})
			if topics := seen(t, c); !slices.Equal(topics, []string{"dev/" + got.AssignedID}) {
				t.Errorf("received %v, want what goes to %s", topics, got.AssignedID)
			}
		}
	})
}

// The client id for a name.
func TestClientIDAsName(t *testing.T) {
	brokertest.Each(t, func(t *testing.T, b brokertest.Broker) {
		r := start(t, b, accounts("dev1"), "plugin_opt_use_clientid_as_username true\nplugin_opt_acl_file {{.Dir}}/acl\n",
			brokertest.File("acl", "user dev1\ntopic own\nuser ann\ntopic others\n"))
		for _, version := range []byte{4, 5} {
			for _, test := range []struct {
				id, name, password string
				in                 bool
			}{{"dev1", "ann", secret, true}, {"dev1", "dev1", "guess", false}, {"dev2", "dev1", secret, false}} {
				o := mqtt.As(test.name, test.password)
				o.ID, o.Version = test.id, version
				c, got := mqtt.TryLogin(t, r.Addr, o)
				if got.Code != answer(version, test.in) {
					t.Errorf("%+v, version %d: %v", test, version, got.Code)
				}
				if got.Code != mqtt.Success {
					continue
				}
				c.Subscribe(0, "#")
				c.Publish(mqtt.Message{Topic: "others"})
				c.Publish(mqtt.Message{Topic: "own"})
				if topics := seen(t, c); !slices.Equal(topics, []string{"own"}) {
					t.Errorf("received %v, want what dev1 may", topics)
				}
			}
		}
	})
}

// Shared subscriptions are judged by their filter, and end when told to.
func TestSharedSubscription(t *testing.T) {
	brokertest.Each(t, func(t *testing.T, b brokertest.Broker) {
		r := start(t, b, accounts("ann"), "plugin_opt_files_acl_path {{.Dir}}/acl\n",
			brokertest.File("acl", "user ann\ntopic readwrite a/#\n"))
		c := mqtt.Login(t, r.Addr, with(as("ann", "c"), func(o *mqtt.Options) { o.Version = 5 }))
		for filter, want := range map[string]mqtt.Code{
			"$share/g/a/#": 0, "$share/g/a/b": 0, "$share/g/#": mqtt.Denied, "$share/g/b": mqtt.Denied,
			"$share/a/b": mqtt.Denied, "$share/g/$share/a": mqtt.Denied,
		} {
			if got := c.Subscribe(0, filter); got[0] != want {
				t.Errorf("%s: %v, want %v", filter, got, want)
			}
		}
		if got := c.Unsubscribe("$share/g/a/b"); got[0] != 0 {
			t.Errorf("unsubscribing: %v", got)
		}
		c.Publish(mqtt.Message{Topic: "a/1"})
		if got := seen(t, c); !slices.Equal(got, []string{"a/1"}) {
			t.Errorf("received %v", got)
		}
		if got := c.Unsubscribe("$share/g/a/#", "never/subscribed", "b/#"); slices.Max(got) >= 0x80 {
			t.Errorf("unsubscribing: %v", got)
		}
		c.Publish(mqtt.Message{Topic: "a/2"})
		if got := seen(t, c); len(got) > 0 {
			t.Errorf("received %v", got)
		}
	})
}
