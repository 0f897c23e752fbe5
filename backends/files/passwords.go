package files

import (
	"strings"
	"unicode/utf8"
)

// Password is what a password file has of a user.
type Password struct {
	Line int
	Hash string
}

// Passwords reads a password file as the backend does, and leaves out the lines
// that do not count, of which the backend's notes tell.
func Passwords(path string) (byName map[string]Password, err error) {
	var r remarks
	text, err := source{path: path}.read(0, &r)
	if err != nil {
		return nil, err
	}
	byName = map[string]Password{}
	eachPassword(text, func(line int, name, hash, fault string) {
		if fault == "" {
			byName[name] = Password{line, hash}
		}
	})
	return byName, nil
}

// parsePasswords reads lines of the form name:hash; empty ones and those that
// begin with # say nothing. A line that cannot be read is skipped with a note,
// so that one slip does not lock everybody out: both Mosquitto 2.0 and the
// predecessor do so. Whether a hash is one is not looked at.
func parsePasswords(text string, notes *remarks) (hashes map[string]string) {
	hashes = map[string]string{}
	eachPassword(text, func(line int, name, hash, fault string) {
		if fault != "" {
			notes.add(line, "skipped: %s", fault)
			return
		}
		if _, twice := hashes[name]; twice {
			notes.add(line, "the user has an earlier line, which no longer counts")
		}
		hashes[name] = hash
	})
	return hashes
}

// eachPassword yields the lines that say something, and why one cannot be used.
// Blanks around name and hash are dropped, as Mosquitto does.
func eachPassword(text string, yield func(line int, name, hash, fault string)) {
	for n, line := range lines(text) {
		if line == "" || line[0] == '#' {
			continue
		}
		name, hash, _ := strings.Cut(line, ":")
		name, hash = strings.Trim(name, blanks), strings.Trim(hash, blanks)
		yield(n, name, hash, passwordFault(name, hash))
	}
}

// passwordFault says why a line cannot be used, "" if it can.
func passwordFault(name, hash string) string {
	switch {
	case name == "":
		return "no user name; write name:hash"
	case hash == "":
		return "no hash; write name:hash"
	case strings.Contains(hash, ":") && !strings.HasPrefix(hash, "SCRAM-SHA-256$"): // it alone has colons inside
		return "a second colon; neither names nor hashes of this kind can have one"
	case !validText(name):
		return "the user name is not UTF-8 as MQTT demands it"
	default:
		return ""
	}
}

// validText tells whether MQTT can carry a text (MQTT 5.0, section 1.5.4).
func validText(s string) bool {
	return utf8.ValidString(s) && !strings.Contains(s, "\x00")
}
