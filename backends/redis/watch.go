package redis

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// idle is how long nothing may be heard before the server is asked whether
	// it is still there.
	idle = 10 * time.Second

	// census is how often the masters of a Cluster are counted: one that was
	// added is not watched yet.
	census = 10 * time.Second
)

// watched is a Redis that is told of changes.
type watched struct{ *Redis }

// listener is one connection that takes notices.
type listener struct {
	*redis.PubSub
	expected int // confirmations
}

// Watch listens on the channel, and to the events of the keys, as far as they are
// configured. It ends when a connection breaks or the Cluster's masters change:
// what happened meanwhile is unknown, so the next Watch begins by saying that
// anything may have changed.
func (w *watched) Watch(ctx context.Context, changed func(name string)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	listeners, masters, err := w.subscribe(ctx)
	defer closeAll(listeners)
	context.AfterFunc(ctx, func() { closeAll(listeners) }) // reading heeds no ctx
	for _, l := range listeners {
		if err == nil {
			err = w.confirm(ctx, l)
		}
	}
	if err != nil {
		return w.ended(ctx, err)
	}
	changed("")

	var all sync.WaitGroup
	ends := make(chan error, len(listeners)+1)
	start := func(f func() error) {
		all.Go(func() {
			defer cancel()
			var err error
			defer func() { ends <- err }()
			defer panicked(&err)
			err = f()
		})
	}
	for _, l := range listeners {
		start(func() error { return w.listen(ctx, l, changed) })
	}
	if masters != nil {
		start(func() error { return w.count(ctx, masters) })
	}
	err = <-ends
	cancel()
	all.Wait()
	return w.ended(ctx, err)
}

func (w *watched) ended(ctx context.Context, err error) error {
	w.lookAgain(err)
	return fmt.Errorf("listening to %s for changes: %w", w.opts.place(), w.opts.explain(err))
}

func closeAll(listeners []listener) {
	for _, l := range listeners {
		l.Close()
	}
}

// subscribe makes a listener for the channel, which a Cluster has on all nodes,
// and one to each master for the events, which each node tells of its own keys
// only. masters is nil unless it is a Cluster whose masters matter.
func (w *watched) subscribe(ctx context.Context) (listeners []listener, masters []string, err error) {
	add := func(p *redis.PubSub) { listeners = append(listeners, listener{p, 1}) }
	if w.opts.channel != "" {
		add(w.client.Subscribe(ctx, w.opts.channel))
	}
	if !w.opts.keyspace {
		return listeners, nil, nil
	}
	pattern := fmt.Sprintf("__keyspace@%d__:%s", w.opts.db, w.layout.pattern())
	c, ok := w.client.(*redis.ClusterClient)
	if !ok {
		add(w.client.PSubscribe(ctx, pattern))
		return listeners, nil, nil
	}
	masters = []string{}
	var mu sync.Mutex
	err = eachMaster(ctx, c, func(ctx context.Context, node *redis.Client) error {
		p := node.PSubscribe(ctx, pattern)
		mu.Lock()
		defer mu.Unlock()
		add(p)
		masters = append(masters, node.Options().Addr)
		return nil
	})
	slices.Sort(masters)
	return listeners, masters, err
}

// confirm waits until the server has confirmed a subscription.
func (w *watched) confirm(ctx context.Context, l listener) error {
	for range l.expected {
		m, err := l.ReceiveTimeout(ctx, w.opts.timeout)
		if err != nil {
			return err
		}
		if _, ok := m.(*redis.Subscription); !ok {
			return fmt.Errorf("a subscription was answered with %T", m)
		}
	}
	return nil
}

var errSilent = errors.New("the server does not answer")

// listen passes notices on until the connection breaks.
func (w *watched) listen(ctx context.Context, l listener, changed func(name string)) error {
	timeout := idle
	for {
		m, err := l.ReceiveTimeout(ctx, timeout)
		var late net.Error
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.As(err, &late) && late.Timeout() && timeout == idle:
			if err := l.Ping(ctx); err != nil {
				return err
			}
			timeout = w.opts.timeout
			continue
		case errors.As(err, &late) && late.Timeout():
			return errSilent
		case err != nil:
			return err
		}
		timeout = idle
		switch m := m.(type) {
		case *redis.Message:
			w.notice(m, changed)
		case *redis.Subscription:
			return errors.New("the connection was lost for a moment") // the library has subscribed anew
		}
	}
}

// notice passes on whom a message is about. Looking for a missing key is an event
// too (keymiss): passed on, it would make us look again, for ever.
func (w *watched) notice(m *redis.Message, changed func(name string)) {
	if m.Pattern == "" {
		changed(m.Payload)
		return
	}
	if m.Payload == "keymiss" || m.Payload == "new" {
		return
	}
	_, key, _ := strings.Cut(m.Channel, "__:")
	if name, ok := w.layout.owner(key); ok {
		changed(name)
	}
}

var errMasters = errors.New("the Cluster has other masters now")

// count ends when the masters are no longer those that are listened to.
func (w *watched) count(ctx context.Context, masters []string) error {
	tick := time.NewTicker(census)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		now, err := w.masters(ctx)
		if err == nil && !slices.Equal(now, masters) {
			return errMasters
		}
	}
}

// masters returns the addresses of a Cluster's masters, sorted.
func (w *watched) masters(ctx context.Context) (addresses []string, err error) {
	var mu sync.Mutex
	err = eachMaster(ctx, w.client.(*redis.ClusterClient), func(_ context.Context, node *redis.Client) error {
		mu.Lock()
		defer mu.Unlock()
		addresses = append(addresses, node.Options().Addr)
		return nil
	})
	slices.Sort(addresses)
	return addresses, err
}
