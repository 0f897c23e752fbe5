package redis

import (
	"testing"

	"mosquitto-go-auth/backends"
)

func TestHowToGrant(t *testing.T) {
	r := &Redis{layout: keys("auth:"), opts: &options{host: "db", port: 6379, db: 2}}
	for _, c := range []struct {
		name, topic string
		access      backends.Access
		want        string
	}{
		{"kitchen", "home/x", backends.Write, "in Redis at db:6379/2:\nSADD auth:kitchen:wacls home/x"},
		{"kitchen", "home/#", backends.Read, "in Redis at db:6379/2:\nSADD auth:kitchen:racls home/#"},
		{"my kitchen", `a"b`, backends.Subscribe, "in Redis at db:6379/2:\nSADD \"auth:my kitchen:sacls\" \"a\\\"b\""},
		{"kitchen", "home\nx", backends.Write, ""},
		{"common", "home/x", backends.Write, ""},
		{"x:su", "home/x", backends.Write, ""},
		{"", "home/x", backends.Write, ""},
	} {
		if got := r.HowToGrant(c.name, backends.Rule{Pattern: c.topic, Access: c.access}); got != c.want {
			t.Errorf("%q %q: got %q, want %q", c.name, c.topic, got, c.want)
		}
	}
	if got := (&Redis{layout: layout{foreign: true}, opts: r.opts}).HowToGrant("kitchen", backends.Rule{Pattern: "a", Access: backends.Read}); got != "" {
		t.Errorf("without rules: %q", got)
	}
}
