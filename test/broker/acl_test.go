package broker_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"mosquitto-go-auth/test/brokertest"
	"mosquitto-go-auth/test/mqtt"
)

// boss sends what others receive, and may do everything.
const boss = "boss"

// questions are what is asked of an ACL file; testdata/README.md says how they
// are written.
type questions struct {
	acl             string
	clients         []string // "NAME ID"
	topics, filters []string
	rights          []string
	differs         []string
}

func readQuestions(t *testing.T, path string) (q questions) {
	t.Helper()
	archive, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range archive.Files {
		text := string(f.Data)
		lines := slices.DeleteFunc(strings.Split(text, "\n"), func(s string) bool { return s == "" })
		switch f.Name {
		case "acl":
			q.acl = text + "\nuser " + boss + "\ntopic readwrite #\ntopic readwrite $test/#\ntopic readwrite $x\n" +
				"topic readwrite $/#\ntopic readwrite $clients/#\ntopic readwrite $ann/#\n"
		case "clients":
			q.clients = lines
		case "topics":
			q.topics = lines
		case "filters":
			q.filters = lines
		case "rights":
			q.rights = lines
		case "differs":
			q.differs = lines
		default:
			t.Fatalf("%s: there is no part %q", path, f.Name)
		}
	}
	return q
}

func (q questions) passwd() string {
	names := []string{boss}
	for _, c := range q.clients {
		if name, _, _ := strings.Cut(c, " "); name != "-" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return accounts(names...)
}

// ask returns all that is allowed on a broker, in lines CLIENT RIGHT TOPIC.
func (q questions) ask(t *testing.T, r *brokertest.Running) (rights []string) {
	t.Helper()
	var clients []*mqtt.Client
	for _, c := range q.clients {
		name, id, _ := strings.Cut(c, " ")
		o := mqtt.Options{ID: id}
		if name != "-" {
			o = as(name, id)
		}
		o.Version = 5
		clients = append(clients, mqtt.Login(t, r.Addr, o))
	}
	allowed := func(i int, right, topic string, yes bool) {
		if yes {
			rights = append(rights, fmt.Sprintf("%s %s %s", q.clients[i], right, topic))
		}
	}
	for i, c := range clients {
		for j, code := range c.Subscribe(0, q.filters...) {
			allowed(i, "subscribe", q.filters[j], code < 0x80)
		}
		for j, code := range c.Unsubscribe(q.filters...) {
			if code >= 0x80 {
				t.Errorf("%s unsubscribes %s: %v", q.clients[i], q.filters[j], code)
			}
		}
		seen(t, c) // the retained messages of the filters
		c.Subscribe(0, q.topics...)
	}
	q.send(t, r)
	for i, c := range clients {
		got := seen(t, c)
		for _, topic := range q.topics {
			allowed(i, "read", topic, slices.Contains(got, topic))
		}
	}
	for i, c := range clients {
		for _, topic := range q.topics {
			allowed(i, "write", topic, c.Publish(mqtt.Message{Topic: topic, QoS: 1}) < 0x80)
		}
	}
	return rights
}

// send has every topic published, but for those that only the broker may.
func (q questions) send(t *testing.T, r *brokertest.Running) {
	t.Helper()
	c := mqtt.Login(t, r.Addr, with(as(boss, "sender"), func(o *mqtt.Options) { o.Version = 5 }))
	for _, topic := range q.topics {
		if strings.HasPrefix(topic, "$SYS/") {
			continue
		}
		if code := c.Publish(mqtt.Message{Topic: topic, QoS: 1}); code >= 0x80 {
			t.Fatalf("%s cannot publish %s: %v", boss, topic, code)
		}
	}
}

func tables(t *testing.T, kind string) map[string]questions {
	t.Helper()
	paths, err := filepath.Glob("testdata/" + kind + "/*.txt")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no tables in %s (%v)", kind, err)
	}
	all := map[string]questions{}
	for _, path := range paths {
		all[strings.TrimSuffix(filepath.Base(path), ".txt")] = readQuestions(t, path)
	}
	return all
}

// diff returns the lines that only one has, with + for those of got, but for
// those that may differ.
func diff(got, want []string, differs ...string) string {
	var d strings.Builder
	only := func(mark string, in, notIn []string) {
		for _, line := range in {
			if !slices.Contains(notIn, line) && !slices.Contains(differs, line) {
				d.WriteString(mark + line + "\n")
			}
		}
	}
	only("+ ", got, want)
	only("- ", want, got)
	return d.String()
}

// The plugin reads Mosquitto's own kind of ACL file as the broker it runs in does.
func TestACLFileMeansTheSame(t *testing.T) {
	for name, q := range tables(t, "same") {
		t.Run(name, func(t *testing.T) {
			brokertest.Each(t, func(t *testing.T, b brokertest.Broker) {
				acl := brokertest.File("acl", q.acl)
				before := brokertest.Start(t, b, "allow_anonymous true\npassword_file {{.Dir}}/passwd\nacl_file {{.Dir}}/acl\n",
					acl, brokertest.File("passwd", q.passwd()))
				after := start(t, b, q.passwd(), "plugin_opt_acl_file {{.Dir}}/acl\nallow_anonymous true\n", acl)
				want, got := q.ask(t, before), q.ask(t, after)
				if d := diff(got, want, q.differs...); d != "" {
					t.Errorf("the plugin (+) differs from the broker (-):\n%s", d)
				}
				t.Logf("%d questions, %d rights", len(q.clients)*(len(q.filters)+2*len(q.topics)), len(want))
			})
		})
	}
}

// The predecessor's kind of ACL file.
func TestPredecessorsACLFile(t *testing.T) {
	for name, q := range tables(t, "predecessor") {
		t.Run(name, func(t *testing.T) {
			brokertest.Each(t, func(t *testing.T, b brokertest.Broker) {
				r := start(t, b, q.passwd(), "plugin_opt_files_acl_path {{.Dir}}/acl\nplugin_opt_superusers "+boss+"\nallow_anonymous true\n",
					brokertest.File("acl", q.acl))
				if d := diff(q.ask(t, r), q.rights); d != "" {
					t.Errorf("allowed and not listed (+), listed and not allowed (-):\n%s", d)
				}
			})
		})
	}
}
