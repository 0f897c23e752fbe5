package redis

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

// patience is how long one Sentinel may take to answer before the next is asked.
const patience = time.Second

// sentinels ask for the master's address whenever a connection is made, in the
// way that Redis describes (Sentinel clients: resolve, connect, verify with ROLE).
// A fail-over ends the connections to the former master, and the new ones go to
// its successor; so nothing has to be watched.
type sentinels struct {
	dialer  dialer
	master  string
	replica bool // a replica is wanted
	each    []oneSentinel
	first   atomic.Int32 // the one that answered last
}

type oneSentinel struct {
	address  string
	refusals *refusals
	*redis.SentinelClient
}

func newSentinels(o *options, d dialer) *sentinels {
	s := &sentinels{dialer: d, master: o.master, replica: o.readFrom == "replica"}
	for _, address := range o.sentinels {
		own := d
		own.refusals = newRefusals()
		settings := o.settings(own.dial)
		settings.Addr, settings.Username, settings.Password = address, o.sentinelUser, o.sentinelPassword
		settings.PoolSize, settings.MaxActiveConns, settings.MaxRetries = 2, 2, 1
		c := redis.NewSentinelClient(settings)
		c.AddHook(hook{})
		s.each = append(s.each, oneSentinel{address, own.refusals, c})
	}
	return s
}

// dial connects to the server that the Sentinels name. The address that the pool
// gives is none.
func (s *sentinels) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	address, err := s.ask(ctx)
	if err != nil {
		return nil, err
	}
	return s.dialer.dial(ctx, "tcp", address)
}

// ask asks one Sentinel after the other.
func (s *sentinels) ask(ctx context.Context) (string, error) {
	var errs []error
	first := int(s.first.Load())
	for i := range s.each {
		n := (first + i) % len(s.each)
		address, err := s.askOne(ctx, s.each[n])
		if err == nil {
			s.first.Store(int32(n))
			return address, nil
		}
		if errors.Is(err, redis.Nil) {
			err = fmt.Errorf("it knows of no master %q, see redis_sentinel_master", s.master)
		}
		errs = append(errs, fmt.Errorf("Sentinel at %s: %w", s.each[n].address, err))
	}
	return "", errors.Join(errs...)
}

func (s *sentinels) askOne(ctx context.Context, c oneSentinel) (string, error) {
	if err := c.refusals.held(); err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if s.replica {
		if address := s.askReplica(ctx, c); address != "" {
			return address, nil
		}
	}
	parts, err := c.GetMasterAddrByName(ctx, s.master).Result()
	if err == nil && len(parts) != 2 {
		err = errors.New("it gives no address and port")
	}
	if err != nil {
		return "", err
	}
	return net.JoinHostPort(parts[0], parts[1]), nil
}

// askReplica returns one of the replicas that are well, "" if there is none; then
// the master answers.
func (s *sentinels) askReplica(ctx context.Context, c oneSentinel) string {
	replicas, err := c.Replicas(ctx, s.master).Result()
	if err != nil {
		return ""
	}
	for _, n := range rand.Perm(len(replicas)) {
		r := replicas[n]
		ill := strings.Contains(r["flags"], "down") || strings.Contains(r["flags"], "disconnected") || r["master-link-status"] != "ok"
		if !ill && r["ip"] != "" && r["port"] != "" {
			return net.JoinHostPort(r["ip"], r["port"])
		}
	}
	return ""
}

var errRole = errors.New("the server that the Sentinels name is no master yet")

// verify refuses a server that has not become the master, or is it no longer. A
// user who may not ask is not told.
func (s *sentinels) verify(ctx context.Context, c *redis.Conn) error {
	if s.replica {
		return nil
	}
	role, err := c.Do(ctx, "role").Slice()
	var reply redis.Error
	if errors.As(err, &reply) {
		return nil
	}
	if err == nil && (len(role) == 0 || role[0] != "master") {
		err = errRole
	}
	return err
}

// Close ends the connections to the Sentinels.
func (s *sentinels) Close() error {
	var errs []error
	for _, c := range s.each {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}
