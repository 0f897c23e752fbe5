package plugin_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"mosquitto-go-auth/backends"
	"mosquitto-go-auth/plugin"
)

// What is explained is what is answered.
func TestExplanationsAreTheAnswers(t *testing.T) {
	sections := []backends.Section{
		{{Pattern: "a/%u/#", Access: backends.Read}, {Pattern: "a/+", Access: backends.All}, {Pattern: "a/x", Access: backends.Write, Deny: true}},
		{{Pattern: "#", Access: backends.Read | backends.Subscribe}},
	}
	topics := []string{"a", "a/x", "a/y", "a/alice/b", "$SYS/x", "#", "a/#", "+/+", "$share/g/a/y", "$share/g", "b"}
	for name, options := range map[string][]string{
		"plain":      nil,
		"superusers": {"superusers al*"},
		"dollar":     {"wildcards_match_dollar true"},
		"prefix":     {"check_prefix true", "prefixes p, q", "strip_prefix true"},
		"client ids": {"use_clientid_as_username true"},
		"special":    {"deny_special_chars false"},
		"no supers":  {"disable_superuser true"},
		"no rules":   {"one_register user", "two_register user"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				one := newStore("one").with("alice", backends.Account{Hash: hashed(right), Sections: sections}).
					with("c+", backends.Account{Sections: sections}).with("root", backends.Account{Super: true})
				two := memoryStore("two").with("bob", backends.Account{Hash: hashed(right), Sections: grant("b", "c/%c")}).
					with("all", backends.Account{AllowAll: true}).with("c1", backends.Account{Subscribes: true})
				two.anonymous = &backends.Account{Sections: grant("a/y")}
				b := start(t, v21, []*store{one, two}, options...)
				granted, asked := 0, 0
				for _, user := range []string{"alice", "bob", "root", "all", "c+", "c1", "p_alice", "q_bob", "", "-"} {
					for _, id := range []string{"c1", "a/b", "+"} {
						for _, topic := range topics {
							for _, access := range []backends.Access{backends.Read, backends.Write, backends.Subscribe} {
								c := plugin.ACLCheck{Client: 1, ClientID: id, Username: user, HasUsername: user != "-", Topic: topic, Access: access}
								x := b.Explain(c)
								if strings.Contains(name, "client ids") && c.HasUsername {
									c.Username = id // the broker knows the client by it
								}
								want := b.CheckElsewhere(c.ClientID, c.Username, c.HasUsername, topic, access)
								if x.Answer != want {
									t.Fatalf("%+v: explained %v, answered %v\n%+v", c, x.Answer, want, x)
								}
								if fault := unreasonable(&x); fault != "" {
									t.Fatalf("%+v: %s\n%+v", c, fault, x)
								}
								asked++
								if x.Answer == plugin.Granted {
									granted++
								}
							}
						}
					}
				}
				if name != "no rules" && (granted < 20 || granted > asked-20) {
					t.Errorf("%d of %d granted", granted, asked)
				}
			})
		})
	}
}

// unreasonable says in what the reasons do not fit the answer.
func unreasonable(x *plugin.Explanation) string {
	switch {
	case x.Answer == plugin.Granted && x.By < 0 && x.Pattern == "":
		return "granted by nobody"
	case x.Answer != plugin.Granted && (x.By >= 0 || x.Pattern != ""):
		return "somebody grants it"
	case x.Answer == plugin.Granted && x.Advice != "":
		return "advice on what is granted"
	case !x.Sure && x.Answer == plugin.Granted:
		return "granted, but not sure"
	}
	return ""
}

// A store that does not answer may have granted it.
func TestExplanationsAreNotSureWithoutAStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one := newStore("one").with("alice", account(right, "a"))
		two := newStore("two").with("alice", account(right, "b"))
		b := start(t, v21, []*store{one, two})
		two.set(func() { two.err = errors.New("gone") })
		for topic, want := range map[string]string{"a/x": "1 true", "b/x": "0 false", "c": "0 false"} {
			x := b.Explain(plugin.ACLCheck{ClientID: "c1", Username: "alice", HasUsername: true, Topic: topic, Access: backends.Write})
			if got := fmt.Sprint(x.Answer, " ", x.Sure); got != want {
				t.Errorf("%s: %s, want %s", topic, got, want)
			}
		}
	})
}

// Opinions tell what there is, and not the hash.
func TestOpinions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one := newStore("one").with("alice", account(right, "a"))
		two := newStore("two").with("alice", backends.Account{Hash: "nonsense"})
		b := start(t, v21, []*store{one, two, newStore("three")}, "superusers bo*")
		list, _ := b.Opinions("alice", "c1")
		if len(list) != 3 || !list[0].Vouches || list[1].Vouches || !list[1].Known || list[1].HashErr == nil || list[2].Known {
			t.Errorf("%+v", list)
		}
		noSecrets(t, fmt.Sprintf("%+v", list))
		for name, want := range map[string]string{"bo1": "bo*", "bo+": "", "alice": ""} {
			if _, pattern := b.Opinions(name, "c1"); pattern != want {
				t.Errorf("superusers is about %s: %q, want %q", name, pattern, want)
			}
		}
	})
}

// One who asks at a terminal gets the answers of the broker, and leaves no traces:
// no watch, no probe, no log file.
func TestNewForOperator(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one := newStore("one").with("alice", account(right, "a"))
		one.probes = true
		b := newBroker(t, v21)
		name := t.TempDir() + "/log"
		e, err := plugin.NewForOperator(b, []backends.Driver{one.driver()}, lines("backends one", "log_dest file", "log_file "+name, "log_level error"))
		if err != nil {
			t.Fatal(err)
		}
		b.Engine = e
		l := plugin.Login{ClientID: "c1", Username: "alice", HasUsername: true, Password: right, HasPassword: true}
		if v, why := e.TryElsewhere(l); v != plugin.Accept || why != "password right (one)" {
			t.Error(v, why)
		}
		l.Password = wrong
		if v, why := e.TryElsewhere(l); v != plugin.Refuse || why != "wrong password (one)" {
			t.Error(v, why)
		}
		synctest.Wait()
		e.Drain()
		if len(one.probed) > 0 {
			t.Error("the store was probed")
		}
		if !strings.Contains(strings.Join(b.logs, "\n"), "wrong password") {
			t.Errorf("the log: %q", b.logs)
		}
		b.stop()
	})
}
