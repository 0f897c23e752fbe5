package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"net"
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
answer is that the broker refuses the handshake for the lack of it. Listeners with
enable_proxy_protocol, or of the protocol http_api, cannot be asked so.

It says nothing of the plugin, without which the broker would not have started, nor
of the stores, which ` + "`go-auth check`" + ` asks: a broker that cannot ask its database
still serves those who are connected.
`,
		status: [3]string{"the broker answers", "it does not, within 3 seconds", "cannot tell: FILE cannot be read, or has no such listener, or none that can be asked"},
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
	host, err := d.host()
	if err != nil {
		s.complain(err)
		return exitUsage
	}
	ctx, cancel := context.WithTimeout(context.Background(), healthPatience)
	defer cancel()
	if err := d.ask(ctx, host); err != nil {
		fmt.Fprintf(s.out, "%s: the broker does not answer: %v\n", d, err)
		return exitBad
	}
	fmt.Fprintf(s.out, "%s: the broker answers\n", d)
	return exitGood
}

// door is a listener that can be asked.
type door struct{ *conf.Listener }

func (d door) websockets() bool { return d.Protocol == "websockets" }

func (d door) String() string {
	text := d.Listener.String()
	if d.TLS {
		text += ", TLS"
	}
	if d.websockets() {
		text += ", websockets"
	}
	return text
}

// doorOf chooses the listener to ask; name is "" where any will do. Faults of the
// configuration do not count: the broker that runs has read it before they were made.
func doorOf(path, name string) (door, error) {
	file, err := readConfig(path)
	if file == nil {
		return door{}, err
	}
	listeners := file.Listeners
	if len(listeners) == 0 {
		listeners = []*conf.Listener{{Port: 1883, Address: "127.0.0.1"}} // the broker's default
	}
	var doors []door
	var closed []string
	for _, l := range listeners {
		if name != "" && !isListener(l, name) {
			continue
		}
		if why := unaskable(l); why != "" {
			closed = append(closed, fmt.Sprintf("%s %s", l, why))
			continue
		}
		doors = append(doors, door{l})
	}
	switch {
	case len(doors) > 0:
		return slices.MinFunc(doors, func(a, b door) int { return cmp.Compare(a.hurdles(), b.hurdles()) }), nil
	case len(closed) > 0:
		return door{}, fmt.Errorf("%s: no listener that can be asked: %s", path, strings.Join(closed, "; "))
	}
	return door{}, fmt.Errorf("%s: there is no listener %q", path, name)
}

// unaskable says why a listener that works would not answer, "" if it would.
func unaskable(l *conf.Listener) string {
	switch {
	case l.Protocol == "http_api":
		return "does not speak MQTT (protocol http_api)"
	case l.Proxy:
		return "answers a proxy only (enable_proxy_protocol)"
	}
	return ""
}

// hurdles are what stands between us and an answer, the highest first.
func (d door) hurdles() (n int) {
	for _, hurdle := range []bool{d.Keyed, d.TLS, d.websockets()} {
		n *= 2
		if hurdle {
			n++
		}
	}
	return n
}

// host is where to find the listener: "" is this host.
func (d door) host() (string, error) {
	if d.Interface == "" || d.Address != "" || d.Port == 0 {
		return d.Address, nil
	}
	found, err := net.InterfaceByName(d.Interface)
	if err != nil {
		return "", fmt.Errorf("the network interface %s (bind_interface): %w", d.Interface, err)
	}
	addresses, err := found.Addrs()
	if err != nil {
		return "", err
	}
	for _, a := range addresses { // of the IPv4 first
		if ip, ok := a.(*net.IPNet); ok && !ip.IP.IsLinkLocalUnicast() {
			return ip.IP.String(), nil
		}
	}
	return "", fmt.Errorf("the network interface %s (bind_interface) has no address", d.Interface)
}
