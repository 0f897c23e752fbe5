package main

import (
	"bufio"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"mosquitto-go-auth/test/brokertest"
	"mosquitto-go-auth/test/mqtt"
)

// A flow is messages at a fixed rate, on many topics.
type flow struct {
	what                    string
	publishers, subscribers int // subscribers of each publisher
	rate                    int // messages a second of each publisher
}

var flows = []flow{
	{"2 pairs", 2, 1, 5000},
	{"1 to 20", 1, 20, 500},
}

const topicsOfFlow = 1000

// Rights of the users of the flows: what they use is the middle one.
const fewRules = 5
const manyRules = 200

func deliver(b *bench) { b.deliveries(fewRules, 1.10) }
func rules(b *bench)   { b.deliveries(manyRules, 0.8) }

// deliveries compares the CPU time that the broker takes for a message with that at
// acl_file, and at a broker that judges nothing: less than that no plugin can cost.
func (b *bench) deliveries(rules int, limit float64) {
	for _, f := range flows {
		var with, without, bare, entries []float64
		for range b.pairs {
			b.each(func(b *bench) {
				_, cpu := b.delivery(builtin, f, rules)
				without = append(without, cpu)
			})
			b.each(func(b *bench) {
				broker, cpu := b.delivery(ours, f, rules)
				with = append(with, cpu)
				broker.Stop()
				asked := f.publishers * f.subscribers // SUBSCRIBE is answered in Go
				entries = append(entries, float64(b.answeredInGo(broker.Log())-asked))
			})
			b.each(func(b *bench) {
				_, cpu := b.delivery(unjudged, f, rules)
				bare = append(bare, cpu)
			})
		}
		b.out.row(f.what+": CPU a message, acl_file, µs", nil, without)
		b.out.row(f.what+": CPU a message, ours, µs", nil, with)
		b.out.row(f.what+": CPU a message, every right granted, µs", nil, bare)
		least := ratios(bare, without)
		b.out.row("  every right granted ÷ acl_file: the least there could be", nil, least)
		if median(slices.Sorted(slices.Values(least))) <= limit {
			b.out.row("  ours ÷ acl_file", atMost(limit), ratios(with, without))
		} else {
			b.out.row(fmt.Sprintf("  ours ÷ acl_file; %s is out of reach on this machine", atMost(limit)), nil, ratios(with, without))
		}
		b.out.row("  ours ÷ every right granted", atMost(1.10), ratios(with, bare))
		b.out.row("  entries into Go beside SUBSCRIBE", atMost(0), entries)
	}
}

// someRules are rules for acl_file, of which the middle one is for the flows.
func someRules(n int) string {
	var text strings.Builder
	for i := range n {
		switch {
		case i == n/2:
			text.WriteString("topic readwrite flow/#\n")
		case i%2 == 0:
			fmt.Fprintf(&text, "topic read site/%d/+/temperature\n", i)
		default:
			fmt.Fprintf(&text, "topic write site/%d/command/#\n", i)
		}
	}
	return text.String()
}

// delivery starts a broker, lets messages flow and returns the microseconds of
// CPU time that one took when it was delivered.
func (b *bench) delivery(conf string, f flow, rules int) (broker *brokertest.Running, cpu float64) {
	b.Helper()
	broker = b.start(conf, files(cheap(f.publishers*(1+f.subscribers)), someRules(rules))...)
	s := b.newStream(broker, f)
	time.Sleep(b.window / 6)
	used, got, start := b.processCPU(broker.PID), s.delivered.Load(), time.Now()
	time.Sleep(b.window)
	used, got = b.processCPU(broker.PID)-used, s.delivered.Load()-got
	took := time.Since(start)
	s.end(b)
	planned := float64(f.publishers*f.subscribers*f.rate) * took.Seconds()
	if float64(got) < 0.8*planned {
		b.Fatalf("%d messages were delivered in %v, not %.0f: the machine is too slow for the rate", got, took, planned)
	}
	return broker, used.Seconds() * 1e6 / float64(got)
}

// A stream is a flow under way.
type stream struct {
	delivered atomic.Int64
	stop      chan struct{}
	writers   sync.WaitGroup
	clients   []*client
	fault     atomic.Value
}

// newStream logs the clients in, each as a user of its own. When all are in and
// the broker has come to rest, messages flow.
func (b *bench) newStream(broker *brokertest.Running, f flow) *stream {
	b.Helper()
	s := &stream{stop: make(chan struct{})}
	var publishers []*client
	for p := range f.publishers {
		for range f.subscribers {
			c := s.enter(b, broker.Addr)
			if err := c.subscribe(fmt.Sprintf("flow/%d/#", p)); err != nil {
				b.Fatal(err)
			}
			go s.count(c)
		}
		publishers = append(publishers, s.enter(b, broker.Addr))
	}
	time.Sleep(100 * time.Millisecond)
	for p, c := range publishers {
		s.writers.Go(func() { s.publish(c, p, f.rate) })
	}
	return s
}

func (s *stream) enter(b *bench, addr string) *client {
	b.Helper()
	c, err := login(addr, account(user(len(s.clients))))
	if err != nil {
		b.Fatal(err)
	}
	s.clients = append(s.clients, c)
	return c
}

func (s *stream) count(c *client) {
	for {
		kind, _, err := c.next()
		if err != nil {
			return
		}
		if kind == mqtt.PUBLISH {
			s.delivered.Add(1)
		}
	}
}

// publish sends what is due every millisecond.
func (s *stream) publish(c *client, p, rate int) {
	messages := make([][]byte, topicsOfFlow)
	for i := range messages {
		messages[i] = publish(fmt.Sprintf("flow/%d/room/%d/temperature", p, i), make([]byte, 16))
	}
	w := bufio.NewWriterSize(c, 1<<16)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	start := time.Now()
	for sent := 0; ; {
		select {
		case <-tick.C:
		case <-s.stop:
			return
		}
		for ; sent < int(time.Since(start).Seconds()*float64(rate)); sent++ {
			w.Write(messages[sent%len(messages)])
		}
		if err := w.Flush(); err != nil {
			s.fault.Store(err)
			return
		}
	}
}

func (s *stream) end(b *bench) {
	b.Helper()
	close(s.stop)
	s.writers.Wait()
	for _, c := range s.clients {
		c.leave()
	}
	if err := s.fault.Load(); err != nil {
		b.Fatal(err)
	}
}
