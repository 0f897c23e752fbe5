package conf

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// ReadFile reads the broker's configuration, in the way of Mosquitto 2.0 and
// 2.1 (config__read_file_core in its src/conf.c):
//
//   - A comment is a line whose first byte is #. There are no others.
//   - A line is split at its first blank; a TAB is not one. Blanks and TABs
//     before the value of a plugin's option do not count, all else does.
//   - include_dir stands in the main file only. Its files *.conf are read in
//     the order of the alphabet, capitals first among equal letters.
//   - The listener and the plugin that a line belongs to end with the file.
//
// It looks at what [File] holds, and passes over the broker's other settings.
//
// An error of the type [Faults] lists all that keeps the broker from starting;
// the File then holds what could be read. After any other error it is nil.
func ReadFile(path string) (*File, error) {
	return read(disk, path)
}

// Read reads a text as [ReadFile] reads the main file, but does not look into an
// include_dir. path is what places are called.
func Read(path string, content []byte) (*File, error) {
	return read(tree{
		read: func(string) ([]byte, error) { return content, nil },
		list: func(string) ([]string, error) { return nil, nil },
	}, path)
}

// tree is where configuration files are read from.
type tree struct {
	read func(name string) ([]byte, error)
	list func(dir string) ([]string, error) // names without the directory
}

var disk = tree{read: os.ReadFile, list: list}

func list(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names, err
}

func read(t tree, path string) (*File, error) {
	content, err := t.read(path)
	if err != nil {
		return nil, fmt.Errorf("reading the broker's configuration: %w", err)
	}
	r := &reader{tree: t, file: &File{Path: path, LocalOnly: true}}
	(&section{reader: r, path: path, main: true}).read(content)
	r.unused()
	if len(r.faults) > 0 {
		return r.file, r.faults
	}
	return r.file, nil
}

// reader is what outlives a single file.
type reader struct {
	tree
	file    *File
	faults  Faults
	implied *Listener // the one that settings without a listener make
	secured bool      // a setting was seen that per_listener_settings has to precede
}

// unused warns of plugins that are named but serve no listener.
func (r *reader) unused() {
	for _, p := range r.file.Plugins {
		if p.Name != "" && len(p.Listeners) == 0 {
			r.file.Warnings = append(r.file.Warnings, Remark{At: p.At, Key: "plugin_load",
				Text: "not loaded, since no plugin_use below a listener names " + p.Name})
		}
	}
}

// section reads one file. The listener and the plugin that its lines belong to
// are forgotten at its end.
type section struct {
	*reader
	path     string
	main     bool
	at       Position
	key      string
	listener *Listener
	plugin   *Plugin
}

func (s *section) read(content []byte) {
	n := 0
	for line := range bytes.SplitSeq(content, []byte("\n")) {
		n++
		s.at = Position{s.path, n}
		if len(line) > 0 && line[0] != '#' && line[0] != '\r' {
			s.line(strings.TrimLeft(strings.TrimRight(string(line), "\r"), " "))
		}
	}
}

func (s *section) line(line string) {
	key, value, blank := strings.Cut(line, " ")
	s.key = leadingName(key)
	switch {
	case key == "":
		return
	case strings.Contains(line, "\x00"):
		s.fault("the line holds a NUL byte")
		return
	case strings.HasPrefix(strings.TrimLeft(key, "\t"), "#"):
		s.fault("a comment has to begin at the very start of the line")
		return
	case strings.Contains(key, "\t"):
		s.fault("a TAB stands where the broker wants a blank")
		return
	}
	if name, ok := optionName(key); ok {
		s.option(name, value, blank)
		return
	}
	s.setting(key, value)
}

// optionName returns what follows auth_opt_ and plugin_opt_, which mean the same.
func optionName(key string) (name string, ok bool) {
	if name, ok = strings.CutPrefix(key, "auth_opt_"); ok {
		return name, true
	}
	return strings.CutPrefix(key, "plugin_opt_")
}

// minOptionName is the shortest name of a plugin's option that the broker takes.
const minOptionName = 3

func (s *section) option(name, value string, blank bool) {
	switch {
	case s.plugin == nil:
		s.fault("no plugin line stands before it in this file")
		return
	case len(name) < minOptionName:
		s.fault("the broker wants at least %d letters behind the _opt_", minOptionName)
		return
	case !blank || value == "":
		s.fault("it has no value")
		return
	}
	value = strings.TrimLeft(value, " \t")
	if value == "" {
		s.warn("it has an empty value, which the broker refuses before version 2.1")
	}
	s.plugin.Options = append(s.plugin.Options, Line{name, value, s.at})
}

func (s *section) setting(key, value string) {
	switch key {
	case "include_dir":
		s.include(value)
	case "per_listener_settings":
		s.perListener(value)
	case "listener":
		s.listen(value)
	case "port", "bind_address":
		s.listenByDefault(key, value)
	case "allow_anonymous", "password_file", "acl_file":
		s.secure(key, value)
	case "listener_allow_anonymous":
		s.listenerAnonymous(value)
	case "plugin", "auth_plugin", "global_plugin":
		s.load(key, value)
	case "plugin_load":
		s.loadNamed(value)
	case "plugin_use":
		s.use(value)
	case "auth_plugin_deny_special_chars":
		s.denySpecialChars()
	case "user":
		s.text(value, &s.file.User)
	case "enable_proxy_protocol": // makes no listener
		if s.listener != nil {
			s.listener.speak(key, value)
		}
	default:
		s.other(key, value)
	}
}

// Settings that have a bearing on those that File holds.
var (
	secures = []string{"allow_zero_length_clientid", "auto_id_prefix", "psk_file"}
	implies = []string{"bind_interface", "capath", "certfile", "ciphers", "ciphers_tls1.3", "crlfile",
		"keyfile", "max_connections", "max_qos", "maximum_qos", "protocol", "psk_hint",
		"require_certificate", "socket_domain", "tls_engine", "tls_engine_kpass_sha1", "tls_keyform",
		"use_identity_as_username", "use_subject_as_username", "use_username_as_clientid"}
)

func (s *section) other(key, value string) {
	switch {
	case slices.Contains(secures, key):
		s.scope()
	case slices.Contains(implies, key):
		s.implyListener()
		s.listener.speak(key, value)
	case strings.HasPrefix(key, "auth_"), strings.HasPrefix(key, "plugin"):
		s.fault("the broker has no such setting; for an option of a plugin write auth_opt_NAME or plugin_opt_NAME")
	case leadingName(key) != key, strings.ToLower(key) != key:
		s.fault("the broker has no such setting; names are in small letters, and a single blank belongs between a name and its value")
	}
}

func (s *section) include(dir string) {
	switch {
	case !s.main:
		s.fault("it belongs into the main file only")
		return
	case dir == "":
		s.fault("it has no value")
		return
	}
	names, err := s.list(dir)
	if err != nil {
		s.fault("the directory cannot be read: %w", err)
		return
	}
	slices.SortFunc(names, compareNames)
	for _, name := range names {
		if strings.HasSuffix(name, ".conf") && name != ".conf" {
			s.includeFile(dir + "/" + name)
		}
	}
}

func (s *section) includeFile(path string) {
	content, err := s.tree.read(path)
	if err != nil {
		s.fault("an included file cannot be read: %w", err)
		return
	}
	(&section{reader: s.reader, path: path}).read(content)
}

// compareNames orders as scmp_p does in Mosquitto's src/conf_includedir.c:
// letter by letter, A before a before B.
func compareNames(a, b string) int {
	for i := range min(len(a), len(b)) {
		if d := int(upper(a[i])) - int(upper(b[i])); d != 0 {
			return d
		}
		if d := int(a[i]) - int(b[i]); d != 0 {
			return d
		}
	}
	return len(a) - len(b)
}

func upper(c byte) byte {
	if 'a' <= c && c <= 'z' {
		return c - 'a' + 'A'
	}
	return c
}

// word returns the first word of a value. The broker ignores what follows.
func (s *section) word(value string) string {
	word, _, _ := strings.Cut(strings.TrimLeft(value, " "), " ")
	if word == "" {
		s.fault("it has no value")
	}
	return word
}

// text reads a value that is the rest of the line.
func (s *section) text(value string, to *Setting) {
	value = strings.Trim(value, " \t\v\f\r")
	switch {
	case value == "":
		s.fault("it has no value")
		return
	case !utf8.ValidString(value):
		s.fault("its value is not UTF-8")
		return
	}
	if _, found := cutComment(value); found {
		s.warn("all of the line is its value, also what follows the #; the broker knows no comments behind a value")
	}
	*to = Setting{value, s.at}
}

// truth reads true or false. The broker takes no other words than these.
func (s *section) truth(value string, to *Setting) {
	switch s.word(value) {
	case "":
	case "true", "1":
		*to = Setting{"true", s.at}
	case "false", "0":
		*to = Setting{"false", s.at}
	default:
		s.fault("write true or false")
	}
}

// port reads a TCP port; ok is false if there is none.
func (s *section) port(value string, least int) (port int, ok bool) {
	word := s.word(value)
	if word == "" {
		return 0, false
	}
	n, err := strconv.Atoi(word)
	if err != nil || n < least || n > 65535 {
		s.fault("write a port number from 1 to 65535")
		return 0, false
	}
	return n, true
}

func (s *section) fault(format string, args ...any) {
	s.faults = append(s.faults, Remark{At: s.at, Key: s.key, Text: explain(format, args)})
}

func (s *section) warn(format string, args ...any) {
	s.file.Warnings = append(s.file.Warnings, Remark{At: s.at, Key: s.key, Text: explain(format, args)})
}

var errNoListener = errors.New("with per_listener_settings it belongs below a listener in the same file; " +
	"Mosquitto 2.1 refuses it here, and 2.0 gives it to none of the listeners below")
