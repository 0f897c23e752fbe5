package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"mosquitto-go-auth/backends/all"
	"mosquitto-go-auth/conf"
	"mosquitto-go-auth/plugin"
)

// asking holds the flags of the commands that ask the engine.
type asking struct {
	config, listener *string
	verbose          *bool
}

func declareAsking(f *flag.FlagSet) asking {
	return asking{
		config:   configFlag(f),
		listener: f.String("listener", "", "`PORT` of the listener, if not all have the same plugin; or ADDRESS:PORT, or the path of a socket"),
		verbose:  f.Bool("verbose", false, "show what the backends are asked, what they say, and how long it takes"),
	}
}

// engine starts the engine with the options that the broker would hand over. done
// ends it.
func (a asking) engine(s streams) (e *plugin.Engine, done func(), err error) {
	file, err := readConfig(*a.config)
	if err != nil {
		return nil, nil, err
	}
	p, err := instanceFor(file, *a.listener)
	if err != nil {
		return nil, nil, err
	}
	t := &terminal{io.Discard}
	if *a.verbose {
		t.log = s.err
		fmt.Fprintf(t.log, "go-auth: %s: %s\n", p.At, p.Path)
	}
	e, err = plugin.NewForOperator(t, all.Drivers(), p.Options)
	var faults conf.Faults
	if errors.As(err, &faults) {
		for i := range faults {
			if faults[i].At == (conf.Position{}) { // an option is missing
				faults[i].At = p.At
			}
			faults[i], _ = onlyHere(file, faults[i])
		}
		return nil, nil, faults
	}
	done = func() {
		t.log = io.Discard // no counters of a single question
		e.Close()
	}
	return e, done, err
}

// cannotTell says why there is no answer. Each fault of a configuration has a
// line of its own.
func (s streams) cannotTell(err error) int {
	var faults conf.Faults
	if !errors.As(err, &faults) {
		s.complain(err)
		return exitUsage
	}
	wouldStart := true
	for _, f := range faults {
		s.complain(errors.New(f.String()))
		wouldStart = wouldStart && f.Here != nil
	}
	if wouldStart { // as far as can be told
		return exitUsage
	}
	s.complain(errors.New("the broker would not start; `go-auth check` says more"))
	return exitUsage
}

// instanceFor returns the loading of the plugin that serves a listener; "" stands
// for any, if it is the same for all.
func instanceFor(file *conf.File, listener string) (*conf.Plugin, error) {
	var ours []*conf.Plugin
	for _, p := range file.Plugins {
		if p.Ours() && (p.Global || len(p.Listeners) > 0) {
			ours = append(ours, p)
		}
	}
	if len(ours) == 0 {
		return nil, fmt.Errorf("%s: no line loads go-auth.so", file.Path)
	}
	if listener != "" {
		i := slices.IndexFunc(file.Listeners, func(l *conf.Listener) bool { return isListener(l, listener) })
		if i < 0 {
			return nil, fmt.Errorf("%s: there is no listener %q", file.Path, listener)
		}
		l := file.Listeners[i]
		ours = slices.DeleteFunc(ours, func(p *conf.Plugin) bool { return !p.Global && !slices.Contains(p.Listeners, l) })
		if len(ours) == 0 {
			return nil, fmt.Errorf("%s: go-auth.so is not loaded for %s", file.Path, l)
		}
		return ours[0], nil // which answers before the others
	}
	if slices.ContainsFunc(ours[1:], func(p *conf.Plugin) bool { return !p.Global || !ours[0].Global }) {
		text := "the listeners have plugins of their own; choose one with --listener:"
		for _, p := range ours {
			text += "\n    " + p.At.String() + ": " + served(p)
		}
		return nil, errors.New(text)
	}
	return ours[0], nil
}

// served says for whom a plugin is loaded.
func served(p *conf.Plugin) string {
	if p.Global {
		return "all listeners"
	}
	var names []string
	for _, l := range p.Listeners {
		names = append(names, l.String())
	}
	return strings.Join(names, ", ")
}

func isListener(l *conf.Listener, name string) bool {
	if l.Port == 0 {
		return name == l.Address
	}
	port := strconv.Itoa(l.Port)
	return name == port || name == l.Address+":"+port || name == net.JoinHostPort(l.Address, port)
}

// terminal takes the broker's place.
type terminal struct{ log io.Writer }

var _ plugin.Host = (*terminal)(nil)

func (t *terminal) Log(_ plugin.Level, text string) {
	fmt.Fprintln(t.log, strings.ReplaceAll(text, "\n", " "))
}
func (t *terminal) Complete(string, bool)          {}
func (t *terminal) Kick(string)                    {}
func (t *terminal) Find(string) (plugin.Ref, bool) { return 0, false }
func (t *terminal) SetUsername(plugin.Ref, string) {}
func (t *terminal) Wake()                          {}
func (t *terminal) Start(f func())                 { go f() }
func (t *terminal) Turn() uint64                   { return 0 }
func (t *terminal) Delays() bool                   { return false }

// shown writes a text from a store or the command line so that it stays in its
// place.
func shown(text string) string {
	if text == "" || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsGraphic(r) || unicode.IsSpace(r) }) {
		return strconv.Quote(text)
	}
	return text
}
