package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"mosquitto-go-auth/conf"
)

func healthCommand() command {
	return command{
		name: "health",
		doc:  "ask whether the broker answers",
		more: `It connects to a listener that FILE names, over TLS or websockets where the listener
wants that, and begins to log in with version 0 of MQTT. That does not exist, and the
broker says so before it looks for a user: no password is needed, no store is asked,
nobody's session is touched. It leaves two or three lines in the broker's log.

A Mosquitto has one thread, so one listener stands for all: the first without TLS,
or else with it. Where all want a client's certificate or a pre-shared key, the
answer is that the broker refuses the handshake for the lack of it.

It says nothing of the plugin, without which the broker would not have started, nor
of the stores, which ` + "`go-auth check`" + ` asks: a broker that cannot ask its database
still serves those who are connected.
`,
		status: [3]string{"the broker answers", "it does not, within 3 seconds", "cannot tell: FILE cannot be read, or has no such listener"},
		declare: func(f *flag.FlagSet) action {
			path := configFlag(f)
			listener := f.String("listener", "", "`PORT` of the listener to ask; or ADDRESS:PORT, or the path of a socket")
			return func(s streams, _ []string) int { return health(s, *path, *listener) }
		},
	}
}

// healthPatience is less than what supervisors grant, so that they hear the reason.
const healthPatience = 3 * time.Second

func health(s streams, path, listener string) int {
	d, err := doorOf(path, listener)
	if err != nil {
		s.complain(err)
		return exitUsage
	}
	ctx, cancel := context.WithTimeout(context.Background(), healthPatience)
	defer cancel()
	if err := d.ask(ctx); err != nil {
		fmt.Fprintf(s.out, "%s: the broker does not answer: %v\n", d, err)
		return exitBad
	}
	fmt.Fprintf(s.out, "%s: the broker answers\n", d)
	return exitGood
}

// door is a listener, and what is spoken there.
type door struct {
	*conf.Listener
	tls, keyed, websockets bool // keyed: it wants a certificate, or a pre-shared key
}

func (d door) String() string {
	text := d.Listener.String()
	if d.tls {
		text += ", TLS"
	}
	if d.websockets {
		text += ", websockets"
	}
	return text
}

// doorOf chooses the listener to ask; name is "" where any will do. Faults of the
// configuration do not count: the broker that runs has read it before they were made.
func doorOf(path, name string) (door, error) {
	file, err := conf.ReadFile(path)
	var faults conf.Faults
	if err != nil && !errors.As(err, &faults) {
		return door{}, err
	}
	listeners := file.Listeners
	if len(listeners) == 0 {
		listeners = []*conf.Listener{{Port: 1883, Address: "127.0.0.1"}} // the broker's default
	}
	var doors []door
	for _, l := range listeners {
		if name != "" && !isListener(l, name) {
			continue
		}
		d, err := spokenAt(l)
		if err != nil {
			return door{}, err
		}
		doors = append(doors, d)
	}
	if len(doors) == 0 {
		return door{}, fmt.Errorf("%s: there is no listener %q", path, name)
	}
	return slices.MinFunc(doors, func(a, b door) int { return cmp.Compare(a.hurdles(), b.hurdles()) }), nil
}

// hurdles are what stands between us and an answer, the highest first.
func (d door) hurdles() (n int) {
	for _, hurdle := range []bool{d.keyed, d.tls, d.websockets} {
		n *= 2
		if hurdle {
			n++
		}
	}
	return n
}

// spokenAt reads the lines below a listener's, to the next one or the end of the
// file.
func spokenAt(l *conf.Listener) (door, error) {
	d := door{Listener: l}
	if l.At.File == "" {
		return d, nil
	}
	text, err := os.ReadFile(l.At.File)
	if err != nil {
		return d, err
	}
	lines := strings.Split(string(text), "\n")
	for i, line := range lines[min(l.At.Line-1, len(lines)):] { // it may have become shorter
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		value = strings.TrimSpace(value)
		switch key {
		case "listener":
			if i > 0 {
				return d, nil
			}
		case "protocol":
			d.websockets = value == "websockets"
		case "certfile":
			d.tls = true
		case "psk_hint":
			d.tls, d.keyed = true, true
		case "require_certificate":
			d.keyed = d.keyed || value == "true" || value == "1"
		}
	}
	return d, nil
}
