package redis

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
)

// conn is a connection that passes on nothing that could harm us, and tells its
// dialer when the server refuses us.
type conn struct {
	net.Conn
	replies replies
	fault   error // of what came; the connection is of no use then
}

// Read implements net.Conn.
func (c *conn) Read(p []byte) (int, error) {
	if c.fault != nil {
		return 0, c.fault
	}
	n, err := c.Conn.Read(p)
	if c.fault = c.replies.read(p[:n]); c.fault != nil {
		return 0, c.fault
	}
	return n, err
}

// SyscallConn lets the pool look whether the server has closed the connection,
// before it is used again: for that, the pool wants the socket, also under TLS.
func (c *conn) SyscallConn() (syscall.RawConn, error) {
	inner := c.Conn
	if t, ok := inner.(interface{ NetConn() net.Conn }); ok {
		inner = t.NetConn()
	}
	if s, ok := inner.(syscall.Conn); ok {
		return s.SyscallConn()
	}
	return nil, errors.ErrUnsupported
}

// hold is how long a server that refused our own password is left alone: logins
// that fail for it must not become a storm of them at the server, which has to
// check the password each time.
const hold = time.Second

// refusals are the servers that refused us lately. They are looked at before a
// question: an error while dialling would have the client library wait on its own.
type refusals struct {
	mu sync.Mutex
	by map[string]refusal // by address
}

func newRefusals() *refusals { return &refusals{by: map[string]refusal{}} }

type refusal struct {
	err   error
	when  time.Time
	tried bool // once more since then
}

// refused is what the server said. It is a reply, though nobody was asked.
type refused string

func (r refused) Error() string { return string(r) }

// RedisError implements redis.Error.
func (refused) RedisError() {}

var _ redis.Error = refused("")

// held returns the refusal if there was one just now. When its time is over, one
// question may try again, while the others wait for what it is told.
func (r *refusals) held() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for address, last := range r.by {
		switch {
		case time.Since(last.when) < hold:
			return last.err
		case last.tried: // and it was not refused, or the address is not used any more
			delete(r.by, address)
		default:
			r.by[address] = refusal{last.err, time.Now(), true}
		}
	}
	return nil
}

// told takes the first line of each reply.
func (r *refusals) told(address string, kind byte, line []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := refused(line); kind == '-' && denied(err) {
		r.by[address] = refusal{err, time.Now(), false}
	} else if kind != '-' {
		delete(r.by, address)
	}
}

// panicked makes an error of a panic of the client library, for instance over
// what a broken server sent. What it was called with could hold a secret.
func panicked(err *error) {
	if p := recover(); p != nil {
		*err = errPanic
	}
}

var errPanic = errors.New("the client library failed over what the server sent")

// hook stands where the library works in goroutines of its own, in which nobody
// else could stop a panic from ending the broker. The library itself gives up the
// connection then.
type hook struct{}

// DialHook implements redis.Hook.
func (hook) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, address string) (c net.Conn, err error) {
		defer panicked(&err)
		return next(ctx, network, address)
	}
}

// ProcessHook implements redis.Hook.
func (hook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, c redis.Cmder) error {
		return stopped([]redis.Cmder{c}, func() error { return next(ctx, c) })
	}
}

// ProcessPipelineHook implements redis.Hook.
func (hook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, all []redis.Cmder) error {
		return stopped(all, func() error { return next(ctx, all) })
	}
}

// stopped runs f. After a panic none of the commands has an answer.
func stopped(all []redis.Cmder, f func() error) (err error) {
	defer func() {
		if err == errPanic {
			for _, c := range all {
				c.SetErr(err)
			}
		}
	}()
	defer panicked(&err)
	return f()
}

// eachMaster calls f for each master of a Cluster, in goroutines of the library.
func eachMaster(ctx context.Context, c *redis.ClusterClient, f func(context.Context, *redis.Client) error) (err error) {
	return c.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) (err error) {
		defer panicked(&err)
		if err = f(ctx, node); err != nil {
			err = fmt.Errorf("node %s: %w", node.Options().Addr, err)
		}
		return err
	})
}
