package backends

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// The most that a topic filter may have: bytes by MQTT's rules, levels by
// Mosquitto's (it refuses topics with more than 200 slashes).
const (
	maxFilter = 65535
	maxLevels = 201
)

// CheckFilter tells why a rule's pattern is no topic filter (MQTT 5.0, section
// 4.7), nil if it is one. The error does not repeat the pattern.
func CheckFilter(f string) error {
	switch {
	case f == "":
		return errors.New("no topic filter")
	case len(f) > maxFilter:
		return fmt.Errorf("the topic filter is longer than %d bytes", maxFilter)
	case strings.Count(f, "/") >= maxLevels:
		return fmt.Errorf("the topic filter has more than %d levels", maxLevels)
	case !utf8.ValidString(f) || strings.IndexByte(f, 0) >= 0:
		return errors.New("the topic filter is not UTF-8 as MQTT demands it")
	}
	for rest, more := f, true; more; {
		var level string
		level, rest, more = strings.Cut(rest, "/")
		switch {
		case strings.Contains(level, "#") && (level != "#" || more):
			return errors.New("bad topic filter: # must be the whole of the last level")
		case strings.Contains(level, "+") && level != "+":
			return errors.New("bad topic filter: + must be the whole of a level")
		}
	}
	return nil
}
