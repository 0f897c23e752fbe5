package main

import (
	"errors"
	"sync"
	"time"

	"mosquitto-go-auth/test/mqtt"
)

// A crowd is users who want in, each once.
type crowd struct {
	users   int
	atOnce  int
	version byte // of MQTT
}

// backOff is how long a client waits that was not let in.
const backOff = time.Second

// givesUp is how long a client tries.
const givesUp = 2 * time.Minute

// arrival is what came of a crowd.
type arrival struct {
	took  time.Duration // until the last was in
	tries int
}

// arrive logs all of them in. They stay until the measure ends; one that is not
// let in comes back.
func (b *bench) arrive(addr string, cr crowd) arrival {
	b.Helper()
	var (
		mu    sync.Mutex
		fault error
		all   sync.WaitGroup
		in    []*client
		a     arrival
	)
	defer func() {
		for _, c := range in {
			c.leave()
		}
	}()
	places := make(chan struct{}, cr.atOnce)
	start := time.Now()
	for i := range cr.users {
		places <- struct{}{}
		all.Go(func() {
			defer func() { <-places }()
			o := account(user(i))
			o.Version = cr.version
			c, tries, err := insist(addr, o)
			mu.Lock()
			defer mu.Unlock()
			a.tries += tries
			fault = errors.Join(fault, err)
			if err == nil {
				in = append(in, c)
			}
		})
	}
	all.Wait()
	a.took = time.Since(start)
	if fault != nil {
		b.Fatal(fault)
	}
	return a
}

// insist logs a client in that comes back until it is let in.
func insist(addr string, o mqtt.Options) (c *client, tries int, err error) {
	for deadline := time.Now().Add(givesUp); ; time.Sleep(backOff) {
		tries++
		c, err = login(addr, o)
		var r refusal
		if !errors.As(err, &r) || time.Now().After(deadline) {
			return c, tries, err
		}
	}
}
