package redis

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"

	"mosquitto-go-auth/backends"
)

// fewKeys is how many keys a database may have for Probe to look through them
// all.
const fewKeys = 10_000

// Probe asks for a name that no user has, which shows whether the server lets us
// ask and whether the common sets are sets, looks whether there is any key of
// ours, and whether the server tells of changes if it is to.
func (r *Redis) Probe(ctx context.Context, name string) (notes []string, err error) {
	nobody := backends.Lookup{Name: "go-auth probe " + rand.Text()}
	rules := nobody
	rules.RulesOnly = true
	for _, l := range []backends.Lookup{nobody, rules} {
		_, err := r.User(ctx, l)
		switch {
		case errors.Is(err, backends.ErrBadAnswer):
			notes = append(notes, err.Error()+".")
		case err != nil && !errors.Is(err, backends.ErrNoUser):
			return nil, err
		}
	}
	if name == "" {
		notes = append(notes, r.probeKeys(ctx)...)
	}
	if r.opts.keyspace {
		notes = append(notes, r.probeEvents(ctx)...)
	}
	return notes, nil
}

// probeKeys looks whether there are keys. That is a convenience: a server that
// does not let us look is not complained of.
func (r *Redis) probeKeys(ctx context.Context) []string {
	var found bool
	var n int64
	err := r.call(ctx, func() (err error) {
		if n, err = r.client.DBSize(ctx).Result(); err != nil || n == 0 || n > fewKeys {
			found = n > 0
			return err
		}
		found, err = r.scan(ctx)
		return err
	})
	if err != nil || found {
		return nil
	}
	note := fmt.Sprintf("%s has no key %s: no user is known there.", r.opts.place(), r.layout.pattern())
	if r.opts.mode != cluster && r.opts.set.Given("redis_db") == "" {
		note += fmt.Sprintf(" Database %d was asked, since redis_db is not set.", r.opts.db)
	}
	return []string{note}
}

// scan tells whether a key matches, on any node.
func (r *Redis) scan(ctx context.Context) (bool, error) {
	var mu sync.Mutex
	found := false
	one := func(ctx context.Context, c *redis.Client) error {
		keys := c.Scan(ctx, 0, r.layout.pattern(), 1000).Iterator()
		any := keys.Next(ctx)
		mu.Lock()
		defer mu.Unlock()
		found = found || any
		return keys.Err()
	}
	switch c := r.client.(type) {
	case *redis.ClusterClient:
		err := eachMaster(ctx, c, one)
		return found, err
	case *redis.Client:
		err := one(ctx, c)
		return found, err
	}
	return true, nil
}

// probeEvents looks, on each master, whether the events that we listen for are
// switched on. We never switch them on ourselves: it is the operator's server.
func (r *Redis) probeEvents(ctx context.Context) (notes []string) {
	var mu sync.Mutex
	one := func(ctx context.Context, c *redis.Client) error {
		flags, err := c.ConfigGet(ctx, "notify-keyspace-events").Result()
		note := fmt.Sprintf("whether Redis at %s tells of changed keys cannot be seen (CONFIG GET is not allowed): redis_keyspace_events needs notify-keyspace-events K$sgxe there.", c.Options().Addr)
		switch {
		case err == nil && tellsAll(flags["notify-keyspace-events"]):
			return nil
		case err == nil:
			note = fmt.Sprintf("Redis at %s does not tell of all changed keys: redis_keyspace_events needs notify-keyspace-events K$sgxe there (CONFIG SET notify-keyspace-events K$sgxe, and in redis.conf).", c.Options().Addr)
		case !isReply(err):
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		notes = append(notes, note)
		return nil
	}
	err := r.call(ctx, func() error {
		if c, ok := r.client.(*redis.ClusterClient); ok {
			return eachMaster(ctx, c, one)
		}
		return one(ctx, r.client.(*redis.Client))
	})
	if err != nil {
		return nil // the next question will tell
	}
	return notes
}

// tellsAll reads the flags of notify-keyspace-events.
func tellsAll(flags string) bool {
	if !strings.Contains(flags, "K") {
		return false
	}
	for _, f := range "$sgxe" {
		if !strings.ContainsRune(flags, f) && !strings.Contains(flags, "A") {
			return false
		}
	}
	return true
}
