package broker_test

import (
	"path/filepath"
	"slices"
	"testing"

	"mosquitto-go-auth/test/brokertest"
	"mosquitto-go-auth/test/mqtt"
)

// rulesWithBob returns an ACL file in which bob has one right.
func rulesWithBob(right string) string {
	return "topic write none/#\nuser ann\ntopic write ann/#\nuser bob\ntopic " + right + " bob/#\n" +
		"user reader\ntopic read #\npattern write by/%u/%c\n"
}

// With check_retain_source true, which is not the default whatever the manual says,
// the broker asks before it delivers a retained message whether its author may
// publish it, also of one who has not been there since it started. What comes out is
// what the broker's own ACL file leads to.
func TestRetainedMessagesOfOthers(t *testing.T) {
	brokertest.Each(t, func(t *testing.T, b brokertest.Broker) {
		want := keepAndRestart(t, b, "acl_file {{.Dir}}/acl\n")
		got := keepAndRestart(t, b, "plugin_opt_acl_file {{.Dir}}/acl\n")
		for i, moment := range []string{"at first", "after bob lost his right", "after a restart", "after a restart without bob's right"} {
			if !slices.Equal(got[i], want[i]) {
				t.Errorf("%s: %v, and with the broker's own file %v", moment, got[i], want[i])
			}
			t.Logf("%s: %v", moment, got[i])
		}
		if first := []string{"ann/1", "bob/1", "by/ann/ann's", "none/1"}; !slices.Equal(got[0], first) || !slices.Equal(got[2], first) {
			t.Errorf("at first and after a restart: %v and %v, want %v", got[0], got[2], first)
		}
	})
}

// keepAndRestart returns the topics with a retained message at four moments.
func keepAndRestart(t *testing.T, b brokertest.Broker, lines string) (moments [][]string) {
	t.Helper()
	lines += "allow_anonymous true\ncheck_retain_source true\npersistence true\npersistence_location {{.Vars.store}}/\n"
	passwd := accounts("ann", "bob", "reader")
	store := brokertest.Var("store", t.TempDir())
	r := start(t, b, passwd, lines, store, brokertest.File("acl", rulesWithBob("write")))
	for id, topics := range map[string][]string{"ann": {"ann/1", "by/ann/ann's", "not/hers"}, "bob": {"bob/1"}, "": {"none/1"}} {
		o := mqtt.Options{ID: id + "'s"}
		if id != "" {
			o = as(id, id+"'s")
		}
		c := mqtt.Login(t, r.Addr, o)
		for _, topic := range topics {
			c.Publish(mqtt.Message{Topic: topic, Payload: "kept", QoS: 1, Retain: true})
		}
		c.Disconnect(mqtt.Success)
	}
	moments = append(moments, retained(t, r))
	write(t, filepath.Join(r.Dir, "acl"), rulesWithBob("read"))
	reload(t, r, 1)
	moments = append(moments, retained(t, r))
	r.Stop()
	for _, right := range []string{"write", "read"} {
		r = start(t, b, passwd, lines, store, brokertest.File("acl", rulesWithBob(right)))
		moments = append(moments, retained(t, r))
		r.Stop()
	}
	return moments
}

// retained returns the topics that have a retained message for the reader.
func retained(t *testing.T, r *brokertest.Running) []string {
	t.Helper()
	c := mqtt.Login(t, r.Addr, as("reader", "reader"))
	defer c.Disconnect(mqtt.Success)
	c.Subscribe(1, "#")
	return slices.Sorted(slices.Values(seen(t, c)))
}
