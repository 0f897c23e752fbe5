// Package redis reads accounts from Redis, in the key layout of
// mosquitto-go-auth: a password hash in the key NAME, the word true in NAME:su,
// and topics in the sets NAME:racls, NAME:wacls, NAME:rwacls and NAME:sacls, and
// in common:racls and so on for everybody.
package redis

import (
	"context"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"

	"mosquitto-go-auth/backends"
	"mosquitto-go-auth/conf"
)

// Driver makes backends that ask a Redis server, one that Sentinels name, or a
// Redis Cluster.
var Driver = backends.Driver{
	Name:    "redis",
	Prefix:  "redis",
	Doc:     "keys in Redis, alone, with Sentinel or as a Cluster",
	Declare: declare,
}

// maxRules bounds what one account may bring along.
const maxRules = 100_000

// Redis is a [backends.Backend] over a pool of connections, which are made
// when they are needed.
type Redis struct {
	client   redis.UniversalClient
	refusals *refusals  // of the servers, not of Sentinels
	finder   *sentinels // nil without Sentinel
	opts     *options
	layout   layout
	checks   backends.Checks // what is asked and provided
}

var (
	_ backends.Backend = (*Redis)(nil)
	_ backends.Prober  = (*Redis)(nil)
	_ backends.Watcher = (*watched)(nil)
)

func declare(s *conf.Set) backends.Open {
	o := declareOptions(s)
	return func(checks backends.Checks) (backends.Opened, error) {
		return o.open(checks)
	}
}

// open makes the backend without a word to the server.
func (o *options) open(checks backends.Checks) (backends.Opened, error) {
	l, notes, faults := o.check()
	config, tlsNotes, tlsFaults := o.tls.config(o.set)
	if faults = append(faults, tlsFaults...); len(faults) > 0 {
		return backends.Opened{}, faults
	}
	if o.disableSuperuser || l.foreign {
		checks &^= backends.CheckSuperuser
	}
	r := &Redis{opts: o, layout: l, checks: checks}
	r.connect(config)
	notes = append(notes, tlsNotes...)
	if r.allowAll() {
		notes = append(notes, fmt.Sprintf("redis_userquery is mosquitto-auth-plug's, which had no rights with it: "+
			"everything is allowed to every user of %s.", o.place()))
	}
	opened := backends.Opened{Backend: r, Provides: checks, Notes: notes}
	if o.channel != "" || o.keyspace {
		opened.Backend = &watched{r}
	}
	return opened, nil
}

// allowAll tells whether there are no rules and that means everything.
func (r *Redis) allowAll() bool { return r.layout.foreign && r.checks&backends.CheckACL != 0 }

// question is one account's part of a pipeline.
type question struct {
	hash, super *redis.StringCmd // nil if not asked
	sets        []set
}

// set is a set of topics that was asked for.
type set struct {
	key     string
	access  backends.Access
	literal bool
	topics  *redis.StringSliceCmd
}

// User fetches an account with one pipeline; on a Cluster, where the keys of an
// account are in different slots, with one to each node that has some of them.
func (r *Redis) User(ctx context.Context, l backends.Lookup) (backends.Account, error) {
	if r.layout.reserved(l.Name) {
		return backends.Account{}, backends.ErrNoUser
	}
	rulesOnly := l.RulesOnly || r.checks&backends.CheckUser == 0
	wantHash := !rulesOnly || r.allowAll()
	q := &question{}
	if err := r.pipeline(ctx, func(p redis.Pipeliner) { r.ask(ctx, p, q, l, wantHash) }); err != nil {
		return backends.Account{}, r.wrap(err)
	}
	a, err := r.answer(q, l.Name)
	switch {
	case err != nil:
		return backends.Account{}, err
	case rulesOnly && !a.Super && !a.AllowAll && len(a.Sections) == 0:
		return backends.Account{}, backends.ErrNoUser
	case rulesOnly:
		a.Hash = ""
	}
	return a, nil
}

func (r *Redis) ask(ctx context.Context, p redis.Pipeliner, q *question, l backends.Lookup, wantHash bool) {
	if wantHash {
		q.hash = r.layout.askHash(ctx, p, l.Name)
	}
	if l.PasswordOnly || r.layout.foreign {
		return
	}
	if r.checks&backends.CheckSuperuser != 0 {
		q.super = p.Get(ctx, r.layout.superuser(l.Name))
	}
	if r.checks&backends.CheckACL == 0 {
		return
	}
	for _, owner := range []string{l.Name, common} {
		for _, s := range sets {
			key := r.layout.set(owner, s.suffix)
			q.sets = append(q.sets, set{key, s.access, owner != common, p.SMembers(ctx, key)})
		}
	}
}

// answer reads what the pipeline brought. Without a key for the password there
// is no such user, whatever rights there are.
func (r *Redis) answer(q *question, name string) (a backends.Account, err error) {
	if q.hash != nil {
		if a.Hash, err = text(q.hash, r.layout.key.with(name)); err != nil {
			return a, r.wrap(err)
		}
		if q.hash.Err() != nil {
			return a, backends.ErrNoUser
		}
		a.Name, a.AllowAll = name, r.allowAll()
	}
	if q.super != nil {
		flag, err := text(q.super, r.layout.superuser(name))
		if err != nil {
			return a, r.wrap(err)
		}
		if a.Super = flag == "true"; a.Super {
			return a, nil
		}
	}
	var rules backends.Section
	for _, s := range q.sets {
		topics, err := s.topics.Result()
		if err != nil {
			return a, r.wrap(wrongType(err, s.key, "set"))
		}
		if len(rules)+len(topics) > maxRules {
			return a, r.wrap(fmt.Errorf("%w: more than %d topics for one user", backends.ErrBadAnswer, maxRules))
		}
		for _, t := range topics {
			rules = append(rules, backends.Rule{Pattern: t, Access: s.access, Literal: s.literal})
		}
	}
	if len(rules) > 0 {
		a.Sections = []backends.Section{rules}
	}
	return a, nil
}

// text returns a string, "" if there is none.
func text(c *redis.StringCmd, key string) (string, error) {
	s, err := c.Result()
	if errors.Is(err, redis.Nil) {
		return "", nil
	}
	return s, wrongType(err, key, "string")
}

// pipeline sends commands together and waits for all answers, or for the end of
// ctx. That a key is missing, or of another type, is left to the commands to tell.
func (r *Redis) pipeline(ctx context.Context, ask func(redis.Pipeliner)) error {
	return r.call(ctx, func() error {
		p := r.client.Pipeline()
		ask(p)
		commands, err := p.Exec(ctx)
		for _, c := range commands {
			if e := c.Err(); e != nil && !isAnswer(e) {
				return e
			}
		}
		if err != nil && !isAnswer(err) { // no connection, so that the commands know nothing of it
			return err
		}
		return nil
	})
}

// call runs f, and gives up waiting for it when ctx ends: the client library
// heeds deadlines, but not a cancellation in mid-question. A fault of the library
// is an error, not the end of the broker.
func (r *Redis) call(ctx context.Context, f func() error) error {
	if err := r.refusals.held(); err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() {
		var err error
		defer func() { done <- err }()
		defer panicked(&err)
		err = f()
	}()
	select {
	case err := <-done:
		r.lookAgain(err)
		return err
	case <-ctx.Done():
		r.lookAgain(ctx.Err())
		return ctx.Err()
	}
}

// lookAgain has a Cluster's client ask who is master of what, after an error
// that a fail-over could explain. The library itself does so only when a node
// sends it elsewhere, which a dead one does not.
func (r *Redis) lookAgain(err error) {
	if c, ok := r.client.(*redis.ClusterClient); ok && err != nil {
		c.ReloadState(context.Background()) // in the background, once at a time
	}
}

// Close ends the connections. Questions that are under way fail.
func (r *Redis) Close() error {
	err := r.client.Close()
	if r.finder != nil {
		err = errors.Join(err, r.finder.Close())
	}
	if err != nil {
		return fmt.Errorf("closing the connections to %s: %w", r.opts.place(), err)
	}
	return nil
}
