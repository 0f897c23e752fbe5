package redis

import (
	"context"
	"errors"
	"strings"

	"github.com/redis/go-redis/v9"

	"mosquitto-go-auth/backends"
)

// common is the name that owns the topics of everybody.
const common = "common"

const superuserSuffix = ":su"

// sets are the sets of topics that a name has. To read is not to subscribe, as in
// mosquitto-go-auth: a client that does both needs its topic in two sets.
var sets = [...]struct {
	suffix string
	access backends.Access
}{
	{":racls", backends.Read},
	{":wacls", backends.Write},
	{":rwacls", backends.Read | backends.Write},
	{":sacls", backends.Subscribe},
}

// layout tells which keys belong to a name.
type layout struct {
	key     word // of the password hash
	field   word // in that key, if inHash
	inHash  bool
	foreign bool // mosquitto-auth-plug's: there is nothing but password hashes
}

// word is a key, or a field, in which the user name may stand.
type word struct {
	before, after string
	named         bool
}

func (w word) with(name string) string {
	if !w.named {
		return w.before
	}
	return w.before + name + w.after
}

// nameIn undoes with.
func (w word) nameIn(key string) (string, bool) {
	rest, ok := strings.CutPrefix(key, w.before)
	if !ok || !w.named {
		return "", false
	}
	return strings.CutSuffix(rest, w.after)
}

// keys returns mosquitto-go-auth's layout, with something before each key.
func keys(prefix string) layout { return layout{key: word{before: prefix, named: true}} }

var errUserquery = errors.New("write GET and a key, or HGET, a key and a field, with one %s for the user name: GET %s")

// parseUserquery reads the userquery of mosquitto-auth-plug, "GET %s". What its
// client library would have made of other formats than %s is not offered.
func parseUserquery(text string) (layout, error) {
	l := layout{foreign: true}
	parts := strings.Fields(text)
	if strings.Count(text, "%") != 1 || strings.Count(text, "%s") != 1 || len(parts) < 2 || strings.Contains(parts[0], "%") {
		return l, errUserquery
	}
	l.key = parseWord(parts[1])
	switch command := strings.ToUpper(parts[0]); {
	case command == "GET" && len(parts) == 2:
	case command == "HGET" && len(parts) == 3:
		l.field, l.inHash = parseWord(parts[2]), true
	default:
		return l, errUserquery
	}
	return l, nil
}

func parseWord(s string) word {
	before, after, named := strings.Cut(s, "%s")
	return word{before, after, named}
}

// reserved tells whether a name's keys would be those of another name, or of
// everybody.
func (l layout) reserved(name string) bool {
	if l.foreign {
		return false
	}
	_, kind := cutSuffix(name)
	return kind || name == common
}

// cutSuffix splits a key into the name and whether it is more than the name.
func cutSuffix(key string) (string, bool) {
	for _, s := range sets {
		if name, ok := strings.CutSuffix(key, s.suffix); ok {
			return name, true
		}
	}
	return strings.CutSuffix(key, superuserSuffix)
}

// owner returns the name that a key belongs to, "" for everybody. It is false for
// a key that is none of ours.
func (l layout) owner(key string) (string, bool) {
	if !l.key.named {
		return "", key == l.key.before
	}
	name, ok := l.key.nameIn(key)
	if !ok || l.foreign {
		return name, ok
	}
	if name, _ = cutSuffix(name); name == common {
		return "", true
	}
	return name, true
}

func (l layout) askHash(ctx context.Context, p redis.Pipeliner, name string) *redis.StringCmd {
	if l.inHash {
		return p.HGet(ctx, l.key.with(name), l.field.with(name))
	}
	return p.Get(ctx, l.key.with(name))
}

func (l layout) superuser(name string) string { return l.key.with(name) + superuserSuffix }

func (l layout) set(name string, suffix string) string { return l.key.with(name) + suffix }

// pattern matches the keys that belong to names, and perhaps others, in Redis's
// own language of patterns.
func (l layout) pattern() string {
	quoted := strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`, "]", `\]`)
	if !l.key.named {
		return quoted.Replace(l.key.before)
	}
	return quoted.Replace(l.key.before) + "*" + quoted.Replace(l.key.after)
}
