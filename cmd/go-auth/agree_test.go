package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"mosquitto-go-auth/test/brokertest"
	"mosquitto-go-auth/test/mqtt"
)

// TestCommandAgreesWithBroker asks real brokers and the command the same.
func TestCommandAgreesWithBroker(t *testing.T) {
	passwords := ""
	for _, name := range []string{"kitchen", "boss-1"} {
		hash := ask(t, name+"-secret\n", "hash", "bcrypt", "--cost", "4")
		passwords += name + ":" + hash.out
	}
	brokertest.Each(t, func(t *testing.T, b brokertest.Broker) {
		r := brokertest.Start(t, b, `
allow_anonymous true
plugin {{.Plugin}}
plugin_opt_files_password_path {{.Dir}}/passwords
plugin_opt_files_acl_path {{.Dir}}/acl
plugin_opt_superusers boss-*
`, brokertest.File("passwords", passwords), brokertest.File("acl", `
topic read news
user kitchen
topic write home/kitchen/#
topic read home/#
topic deny home/safe/#
pattern readwrite dev/%c/%u
`))
		config := filepath.Join(r.Dir, "mosquitto.conf")
		for _, password := range []string{"kitchen-secret", "boss-1-secret"} {
			_, answer := mqtt.TryLogin(t, r.Addr, mqtt.As("kitchen", password))
			status := ask(t, password+"\n", "login", "kitchen", "-c", config).status
			agree(t, "kitchen with "+password, answer.Code == 0, status)
		}
		for _, name := range []string{"kitchen", "boss-1", ""} {
			o := mqtt.As(name, name+"-secret")
			if name == "" {
				o = mqtt.Options{}
			}
			o.ID, o.Version = "c-"+name, 5
			c := mqtt.Login(t, r.Addr, o)
			who := []string{name}
			if name == "" {
				who = []string{"--anonymous"}
			}
			for _, topic := range []string{"home/kitchen/a", "home/safe/a", "home/bath", "dev/c-kitchen/kitchen", "dev/c-kitchen/other", "news", "x"} {
				args := append(append([]string{"acl"}, who...), o.ID, topic, "w", "-c", config)
				agree(t, strings.Join(args, " "), c.Publish(mqtt.Message{Topic: topic, QoS: 1}) < 0x80, ask(t, "", args...).status)
			}
			for _, filter := range []string{"home/#", "home/+/a", "#", "home/safe/a", "$share/g/home/bath", "dev/c-kitchen/+", "news"} {
				args := append(append([]string{"acl"}, who...), o.ID, filter, "s", "--explain", "-c", config)
				agree(t, strings.Join(args, " "), c.Subscribe(0, filter)[0] < 0x80, ask(t, "", args...).status)
			}
		}
	})
}

// agree compares what a broker allowed with the command's exit status.
func agree(t *testing.T, what string, allowed bool, status int) {
	t.Helper()
	if want := map[bool]int{true: exitGood, false: exitBad}[allowed]; status != want {
		t.Errorf("%s: the broker says %v, the command ends with %d", what, allowed, status)
	}
}

type answer struct {
	out    string
	status int
}

// ask runs the command in a process of its own.
func ask(t *testing.T, in string, args ...string) answer {
	t.Helper()
	self, err := os.Executable() // which is go-auth under that name, see TestMain
	if err != nil {
		t.Fatal(err)
	}
	var out, complaints bytes.Buffer
	cmd := exec.Command(self)
	cmd.Args = append([]string{"go-auth"}, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(in), &out, &complaints
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && (!errors.As(err, &exit) || exit.ExitCode() != exitBad) {
		t.Fatal(err, args, out.String(), complaints.String())
	}
	return answer{out.String(), cmd.ProcessState.ExitCode()}
}
