package redis

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"

	"mosquitto-go-auth/backends"
)

var _ backends.Adviser = (*Redis)(nil)

// HowToGrant returns a line for redis-cli.
func (r *Redis) HowToGrant(name string, rule backends.Rule) string {
	if r.layout.foreign || name == "" || r.layout.reserved(name) || strings.ContainsFunc(name+rule.Pattern, unicode.IsControl) {
		return ""
	}
	for _, s := range sets {
		if s.access == rule.Access {
			return fmt.Sprintf("in %s:\nSADD %s %s", r.opts.place(), quoted(r.layout.set(name, s.suffix)), quoted(rule.Pattern))
		}
	}
	return ""
}

// quoted writes an argument as redis-cli reads it.
func quoted(text string) string {
	if text != "" && !strings.ContainsAny(text, " \"'\\") {
		return text
	}
	return strconv.Quote(text)
}
