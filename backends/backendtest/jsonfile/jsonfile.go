// Package jsonfile reads accounts from a JSON file. It is the example of a
// backend in CONTRIBUTING.md, and is not built into the plugin.
package jsonfile

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"mosquitto-go-auth/backends"
	"mosquitto-go-auth/conf"
)

// Driver makes backends that answer from a JSON file.
var Driver = backends.Driver{Name: "json", Prefix: "json", Doc: "a JSON file", Declare: declare}

func declare(s *conf.Set) backends.Open {
	var f file
	s.Group("json")
	s.String(&f.path, "json_path", "", "the file: user names, and of each the hash, super and rules")
	return func(backends.Checks) (backends.Opened, error) {
		if f.path == "" {
			return backends.Opened{}, errors.New("json_path is missing; write the path of the file")
		}
		return backends.Opened{Backend: f, Provides: backends.AllChecks}, nil
	}
}

type file struct{ path string }

type entry struct {
	Hash  string
	Super bool
	Rules map[string]backends.Access // by topic filter; the sum of 1 (read), 2 (write), 4 (subscribe)
}

// User reads the file anew each time.
func (f file) User(ctx context.Context, l backends.Lookup) (a backends.Account, err error) {
	if err := ctx.Err(); err != nil {
		return a, fmt.Errorf("reading %s: %w", f.path, err)
	}
	text, err := os.ReadFile(f.path)
	if err != nil {
		return a, fmt.Errorf("json_path: %w", err)
	}
	var entries map[string]json.RawMessage
	if err := json.Unmarshal(text, &entries); err != nil {
		return a, fmt.Errorf("reading %s: %w", f.path, err)
	}
	raw, ok := entries[l.Name]
	if !ok {
		return a, backends.ErrNoUser
	}
	var e entry
	err = json.Unmarshal(raw, &e)
	var rules backends.Section
	for pattern, access := range e.Rules {
		if access > backends.All {
			err = backends.ErrBadAnswer
		}
		rules = append(rules, backends.Rule{Pattern: pattern, Access: access})
	}
	if err != nil { // its text could show the hash
		return a, fmt.Errorf("%s: %w: write {\"hash\": text, \"super\": true or false, \"rules\": {topic: 0 to 7}}", f.path, backends.ErrBadAnswer)
	}
	if l.RulesOnly {
		e.Hash = ""
	}
	return backends.Account{Name: l.Name, Hash: e.Hash, Super: e.Super, Sections: []backends.Section{rules}}, nil
}

// Close releases nothing.
func (f file) Close() error { return nil }
