package conf

import (
	"fmt"
	"path/filepath"
	"strings"
)

// File is what the broker's configuration, mosquitto.conf and the files it
// includes, says about plugins and about who is let in.
type File struct {
	Path      string
	Plugins   []*Plugin
	Listeners []*Listener
	LocalOnly bool // no listener is named: the broker listens on this host only
	Scope          // for all listeners, unless PerListener is given

	PerListener Setting // per_listener_settings, if it is true
	User        Setting // the system's user that the broker becomes

	Warnings []Remark
}

// Plugin is a plugin that the broker loads.
type Plugin struct {
	Path      string
	At        Position
	Name      string      // given by plugin_load; "" for the other kinds of line
	Global    bool        // serves all listeners
	Listeners []*Listener // that it serves, if not all; none if no plugin_use names it: it is not loaded then
	Options   []Line
}

// Ours tells whether the plugin is this one, by the name of its file: go-auth.so
// and auth-plug.so, also as a part, as in the copies go-auth2.so that the
// predecessors needed to serve several listeners.
func (p *Plugin) Ours() bool {
	name := filepath.Base(p.Path)
	return strings.HasSuffix(name, ".so") &&
		(strings.Contains(name, "go-auth") || strings.Contains(name, "auth-plug"))
}

// Listener is an address at which the broker listens.
type Listener struct {
	Port    int    // 0 for a Unix socket
	Address string // "" for all addresses; the path of a Unix socket
	At      Position

	Protocol  string // "" for MQTT, or websockets, http_api, as it is written
	TLS       bool
	Keyed     bool   // with TLS: clients need a certificate, or a pre-shared key
	Proxy     bool   // a proxy in front of it tells of each client's address first
	Interface string // the network interface to whose addresses it is bound; "" for any

	Scope // its own; of these only AllowAnonymous counts unless per_listener_settings is given
}

func (l *Listener) String() string {
	switch {
	case l.Port == 0:
		return l.Address
	case l.Address == "":
		return fmt.Sprintf("port %d", l.Port)
	default:
		return fmt.Sprintf("%s port %d", l.Address, l.Port)
	}
}

// Scope holds the settings that the broker keeps once, or for each listener.
type Scope struct {
	AllowAnonymous Setting // "true" or "false"
	PasswordFile   Setting
	ACLFile        Setting
}

// Setting is a setting of the broker; the zero Setting is one not given.
type Setting struct {
	Value string
	At    Position
}

// Given tells whether the setting is given at all.
func (s Setting) Given() bool { return s.At != Position{} }

// For returns the settings that count for a listener.
func (f *File) For(l *Listener) Scope {
	if f.PerListener.Given() {
		return l.Scope
	}
	s := f.Scope
	if l.AllowAnonymous.Given() {
		s.AllowAnonymous = l.AllowAnonymous
	}
	return s
}

// Anonymous tells whether a listener lets clients in that show no user name; l
// is nil where the file names no listener. Without allow_anonymous the broker
// (2.0 and later) lets them in only if it is local.
func (f *File) Anonymous(l *Listener) bool {
	setting := f.AllowAnonymous
	if l != nil {
		setting = f.For(l).AllowAnonymous
	}
	if setting.Given() {
		return setting.Value == "true"
	}
	return f.LocalOnly
}
