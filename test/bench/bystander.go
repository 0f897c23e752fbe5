package main

import (
	"encoding/binary"
	"fmt"
	"sync"
	"time"

	"mosquitto-go-auth/test/mqtt"
)

// A bystander is a client that is in, and sends itself a message every 2 ms
// whatever becomes of the ones before: each tells how long the broker took.
type bystander struct {
	c     *client
	begun time.Time
	sent  int
	stop  chan struct{}
	ended sync.WaitGroup
	err   error

	mu      sync.Mutex
	samples []sample
}

// A sample is one message: when it was sent, and when it came back.
type sample struct{ at, took time.Duration }

const (
	bystanderTopic = "by/stander"
	bystanderGap   = 2 * time.Millisecond
)

// watch logs a bystander in.
func (b *bench) watch(addr string) *bystander {
	b.Helper()
	o := account("bystander")
	c, err := login(addr, o)
	if err == nil {
		err = c.subscribe(bystanderTopic)
	}
	if err != nil {
		b.Fatalf("the bystander: %v", err)
	}
	by := &bystander{c: c, begun: time.Now(), stop: make(chan struct{})}
	by.ended.Add(2)
	go by.send()
	go by.receive()
	return by
}

func (by *bystander) send() {
	defer by.ended.Done()
	tick := time.NewTicker(bystanderGap)
	defer tick.Stop()
	for {
		select {
		case <-by.stop:
			by.c.SetReadDeadline(time.Now().Add(patience)) // for those that are on their way
			by.c.Write(publish(bystanderTopic, make([]byte, 8)))
			return
		case <-tick.C:
		}
		at := binary.BigEndian.AppendUint64(nil, uint64(time.Since(by.begun)))
		by.sent++
		if _, err := by.c.Write(publish(bystanderTopic, at)); err != nil {
			by.err = fmt.Errorf("the bystander was thrown out: %w", err)
			return
		}
	}
}

// receive ends with the message that tells no time.
func (by *bystander) receive() {
	defer by.ended.Done()
	for {
		kind, body, err := by.c.next()
		if err != nil {
			return
		}
		if kind != mqtt.PUBLISH || len(body) < 8 {
			continue
		}
		at := time.Duration(binary.BigEndian.Uint64(body[len(body)-8:]))
		if at == 0 {
			return
		}
		by.mu.Lock()
		by.samples = append(by.samples, sample{at, time.Since(by.begun) - at})
		by.mu.Unlock()
	}
}

// now is the time as samples have it.
func (by *bystander) now() time.Duration { return time.Since(by.begun) }

// leave ends the bystander. Messages that were lost are an error.
func (by *bystander) leave() error {
	close(by.stop)
	by.ended.Wait()
	by.c.leave()
	if by.err == nil && len(by.samples) != by.sent {
		by.err = fmt.Errorf("the bystander sent %d messages and got %d", by.sent, len(by.samples))
	}
	return by.err
}

// between returns the messages that were sent in a span of time, with times
// since its begin.
func (by *bystander) between(from, to time.Duration) (some []sample) {
	for _, s := range by.samples {
		if s.at >= from && s.at < to {
			some = append(some, sample{s.at - from, s.took})
		}
	}
	return some
}

// milliseconds are the latencies of samples.
func milliseconds(samples []sample) []float64 {
	v := make([]float64, len(samples))
	for i, s := range samples {
		v[i] = s.took.Seconds() * 1000
	}
	return v
}
