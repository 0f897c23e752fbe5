package conf

import "strings"

// load reads plugin, auth_plugin and global_plugin.
func (s *section) load(key, value string) {
	p := &Plugin{At: s.at, Global: key == "global_plugin" || !s.file.PerListener.Given()}
	if key == "global_plugin" {
		s.secured = true
	} else {
		s.scope() // complains without a listener
	}
	if !p.Global && s.listener != nil {
		p.Listeners = []*Listener{s.listener}
	}
	p.Path = s.pluginPath(value)
	s.add(p)
}

// loadNamed reads plugin_load NAME PATH; plugin_use then tells for whom.
func (s *section) loadNamed(value string) {
	name, path, _ := strings.Cut(strings.TrimLeft(value, " "), " ")
	if name != "" && s.named(name) != nil {
		s.fault("a plugin of this name is already loaded")
	}
	s.add(&Plugin{At: s.at, Name: name, Path: s.pluginPath(path)})
}

func (s *section) add(p *Plugin) {
	s.plugin = p
	s.file.Plugins = append(s.file.Plugins, p)
}

// pluginPath reads the path of a plugin. Mosquitto 2.0 drops the blanks around
// it; 2.1.1 and later do not, and find no such file.
func (s *section) pluginPath(value string) string {
	path := strings.Trim(value, " \t")
	if path == "" {
		s.fault("it has no path")
		return ""
	}
	if before, found := cutComment(path); found {
		s.fault("the broker takes the comment for a part of the path")
		return before
	}
	if path != value {
		s.warn("Mosquitto 2.1 takes the blanks around the path for a part of it")
	}
	return path
}

func (s *section) use(value string) {
	var name Setting
	s.text(value, &name)
	switch p := s.named(name.Value); {
	case !name.Given():
	case s.listener == nil || s.listener == s.implied:
		s.fault("it belongs below a listener in the same file")
	case p == nil:
		s.fault("no plugin_load of this name stands before it")
	default:
		p.Listeners = append(p.Listeners, s.listener)
		s.plugin = p
	}
}

func (s *section) named(name string) *Plugin {
	for _, p := range s.file.Plugins {
		if p.Name == name && name != "" {
			return p
		}
	}
	return nil
}

func (s *section) denySpecialChars() {
	switch {
	case s.plugin == nil:
		s.fault("no plugin line stands before it in this file")
	case s.plugin.Ours():
		s.warn("the broker does not tell its plugins; write auth_opt_deny_special_chars")
	}
}
