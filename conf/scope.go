package conf

import "strings"

// perListener reads per_listener_settings, which cannot be undone.
func (s *section) perListener(value string) {
	if s.file.PerListener.Given() {
		return
	}
	var on Setting
	s.truth(value, &on)
	if on.Value != "true" {
		return
	}
	if s.secured {
		s.fault("it has to stand before allow_anonymous, password_file, acl_file and all plugins")
	}
	s.file.PerListener = on
}

// scope returns where a setting goes that can be one of the listener's.
func (s *section) scope() *Scope {
	s.secured = true
	if !s.file.PerListener.Given() {
		return &s.file.Scope
	}
	if s.listener == nil {
		s.fault("%w", errNoListener)
		return &Scope{}
	}
	return &s.listener.Scope
}

func (s *section) secure(key, value string) {
	scope := s.scope()
	switch key {
	case "allow_anonymous":
		s.truth(value, &scope.AllowAnonymous)
	case "password_file":
		s.text(value, &scope.PasswordFile)
	case "acl_file":
		s.text(value, &scope.ACLFile)
	}
}

// listenerAnonymous reads what Mosquitto 2.1 has in place of
// per_listener_settings.
func (s *section) listenerAnonymous(value string) {
	if s.listener == nil {
		s.fault("it belongs below a listener in the same file")
		return
	}
	s.truth(value, &s.listener.AllowAnonymous)
}

func (s *section) listen(value string) {
	port, ok := s.port(value, 0)
	if !ok {
		return
	}
	_, rest, _ := strings.Cut(strings.TrimLeft(value, " "), " ")
	address, _, _ := strings.Cut(strings.TrimLeft(rest, " "), " ")
	if strings.HasPrefix(address, "#") {
		address = ""
	}
	s.file.LocalOnly = false
	if port == 0 && address == "" {
		s.fault("a listener with port 0 needs the path of a Unix socket")
	}
	s.listener = &Listener{Port: port, Address: address, At: s.at}
	s.file.Listeners = append(s.file.Listeners, s.listener)
}

// listenByDefault reads port and bind_address, the old way to name a listener.
func (s *section) listenByDefault(key, value string) {
	s.file.LocalOnly = false
	s.listener = nil
	s.implyListener()
	if key == "port" {
		if port, ok := s.port(value, 1); ok {
			s.listener.Port = port
		}
		return
	}
	var address Setting
	s.text(value, &address)
	s.listener.Address = address.Value
}

// implyListener makes the default listener the present one, if there is none.
func (s *section) implyListener() {
	if s.listener != nil {
		return
	}
	if s.implied == nil {
		s.implied = &Listener{Port: 1883, At: s.at}
		s.file.Listeners = append(s.file.Listeners, s.implied)
	}
	s.listener = s.implied
}

// speak takes over a setting that tells how a listener is to be spoken to. What is
// wrong with its value the broker says.
func (l *Listener) speak(key, value string) {
	value = strings.Trim(value, " \t\v\f\r")
	switch word, _, _ := strings.Cut(value, " "); key {
	case "protocol":
		l.Protocol = word
		if word == "mqtt" {
			l.Protocol = ""
		}
	case "certfile":
		l.TLS = true
	case "psk_hint":
		l.TLS, l.Keyed = true, true
	case "require_certificate":
		l.Keyed = l.Keyed || word == "true" || word == "1"
	case "enable_proxy_protocol":
		l.Proxy = word != ""
	case "bind_interface":
		l.Interface = value
	}
}
