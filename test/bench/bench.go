package main

import (
	"runtime"
	"testing"
	"time"

	"mosquitto-go-auth/test/brokertest"
)

// A bench is one measure's surroundings. Through testing.TB it starts what is
// stopped when the measure ends.
type bench struct {
	testing.TB
	size
	out *report
}

// A size says how much is measured.
type size struct {
	runs   int           // of each storm
	rounds int           // of rates that are compared
	pairs  int           // of runs of the brokers in turn
	logins int           // in a storm
	idle   time.Duration // of a bystander before a storm
	window time.Duration // over which a rate or a CPU time is taken
	outage time.Duration // of the database
	laps   int           // of ACL checks
}

var (
	full  = size{runs: 3, rounds: 7, pairs: 9, logins: 200, idle: 3 * time.Second, window: 3 * time.Second, outage: 10 * time.Second, laps: 9}
	short = size{runs: 1, rounds: 1, pairs: 2, logins: 30, idle: time.Second, window: time.Second, outage: 3 * time.Second, laps: 3}
)

func (b *bench) with(t testing.TB) *bench {
	c := *b
	c.TB = t
	return &c
}

// each does one run, and stops at its end what it has started.
func (b *bench) each(run func(*bench)) {
	b.Helper()
	if err := try(func(t *trial) { run(b.with(t)) }); err != nil {
		b.Fatal(err)
	}
}

// broker returns the newest of the brokers that are there.
func (b *bench) broker() brokertest.Broker {
	b.Helper()
	all := brokertest.All(b)
	newest := all[len(all)-1]
	if !newest.Delays() {
		b.Fatalf("the newest broker here is %s, which cannot delay logins; scripts/brokers brings others", newest.Version)
	}
	return newest
}

func (b *bench) start(text string, files ...brokertest.Option) *brokertest.Running {
	b.Helper()
	return brokertest.Start(b, b.broker(), "set_tcp_nodelay true\n"+text, files...)
}

// gate is how many hashes the plugin computes at once, if it is not told
// otherwise.
func gate() int { return max(runtime.NumCPU()-1, 1) }
