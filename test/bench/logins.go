package main

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"mosquitto-go-auth/test/mqtt"
)

// cold measures logins that each need a hash, as fast as they come.
func cold(b *bench) {
	_, conf := b.database(b.costly(b.logins), seedQueries)
	var took, rate, share []float64
	for range b.runs {
		b.each(func(b *bench) {
			before := b.oneHash()
			broker := b.start(conf)
			a := b.arrive(broker.Addr, crowd{b.logins, min(b.logins, 50), 4})
			hash := (before + b.oneHash()) / 2
			took = append(took, hash.Seconds()*1000)
			rate = append(rate, float64(b.logins)/a.took.Seconds())
			share = append(share, rate[len(rate)-1]*hash.Seconds()/float64(gate()))
		})
	}
	b.out.row("one hash (bcrypt, cost 10), ms", nil, took)
	b.out.row("logins a second", nil, rate)
	b.out.row(fmt.Sprintf("  ÷ (%d at once ÷ the time of one hash)", gate()), atLeast(0.9), share)
}

// regulars is how many clients log in again and again at the same time.
const regulars = 16

// warm measures logins whose password is known, beside those of anonymous clients.
func warm(b *bench) {
	server, mask := b.database(b.costly(regulars), maskQueries)
	sites := []struct {
		what, conf string
		named      bool
		runs       []pace
	}{
		{"anonymous, no plugin", "allow_anonymous true\n", false, nil},
		{"ours, MariaDB, bit-mask query", mask, true, nil},
		{"ours, MariaDB, the seed's queries", asking(server, seedQueries), true, nil},
	}
	for range b.runs {
		for i := range sites {
			s := &sites[i]
			b.each(func(b *bench) {
				broker := b.start(s.conf)
				pids := []int{broker.PID, server.PID(), os.Getpid()}
				b.loginRate(broker.Addr, s.named, 0, pids)
				s.runs = append(s.runs, b.loginRate(broker.Addr, s.named, b.window, pids))
			})
		}
	}
	rate := func(site int) []float64 { return column(sites[site].runs, func(p pace) float64 { return p.rate }) }
	for i, s := range sites {
		b.out.row("logins a second, "+s.what, nil, rate(i))
		for k, who := range []string{"broker", "database", "clients"} {
			b.out.row("  CPU time of the "+who+" for one, µs", nil, column(s.runs, func(p pace) float64 { return p.cpu[k] }))
		}
	}
	b.out.row("bit-mask query ÷ anonymous", atLeast(0.5), ratios(rate(1), rate(0)))
	b.out.row("the seed's queries ÷ anonymous", nil, ratios(rate(2), rate(0)))
}

// A pace is how fast clients logged in.
type pace struct {
	rate float64   // logins a second
	cpu  []float64 // µs of CPU time for one, of each process
}

func column(runs []pace, of func(pace) float64) (all []float64) {
	for _, p := range runs {
		all = append(all, of(p))
	}
	return all
}

// loginRate has clients log in and leave for a time, each at least once.
func (b *bench) loginRate(addr string, named bool, window time.Duration, pids []int) (p pace) {
	b.Helper()
	var all sync.WaitGroup
	var count atomic.Int64
	var fault atomic.Value
	used := make([]time.Duration, len(pids))
	for i, pid := range pids {
		used[i] = b.processCPU(pid)
	}
	start := time.Now()
	for i := range regulars {
		all.Go(func() {
			o := mqtt.Options{ID: user(i)}
			if named {
				o = account(user(i))
			}
			for again := true; again; again = time.Since(start) < window {
				c, err := login(addr, o)
				if err != nil {
					fault.Store(err)
					return
				}
				c.leave()
				count.Add(1)
			}
		})
	}
	all.Wait()
	if err := fault.Load(); err != nil {
		b.Fatal(err)
	}
	p.rate = float64(count.Load()) / time.Since(start).Seconds()
	for i, pid := range pids {
		p.cpu = append(p.cpu, (b.processCPU(pid)-used[i]).Seconds()*1e6/float64(count.Load()))
	}
	return p
}

// connack measures single logins whose hash costs next to nothing.
func connack(b *bench) {
	users := cheap(b.logins)
	_, conf := b.database(users, maskQueries)
	for _, site := range []struct {
		what, conf string
		version    byte
		limit      *limit
	}{
		{"Mosquitto's password_file", builtin, 4, nil},
		{"ours, files, delayed", ours, 4, atMost(2)},
		{"ours, files, by stall credit", ours, 5, atMost(2)},
		{"ours, MariaDB, delayed", conf, 4, atMost(2)},
		{"ours, MariaDB, by stall credit", conf, 5, atMost(2)},
	} {
		var p50, p99 []float64
		for range b.runs {
			b.each(func(b *bench) {
				broker := b.start(site.conf, files(users, "")...)
				took := b.single(broker.Addr, site.version)
				p50, p99 = append(p50, quantile(took, 0.5)), append(p99, quantile(took, 0.99))
			})
		}
		b.out.row("CONNACK p50, ms: "+site.what, site.limit, p50)
		b.out.row("        p99, ms", nil, p99)
	}
}

// single logs each user in once, one after the other with a pause between, and
// returns the milliseconds that each took from CONNECT to CONNACK.
func (b *bench) single(addr string, version byte) (took []float64) {
	b.Helper()
	const pause = 10 * time.Millisecond
	for i := range b.logins {
		o := account(user(i))
		o.Version = version
		c, err := dial(addr, o)
		if err != nil {
			b.Fatal(err)
		}
		time.Sleep(pause)
		start := time.Now()
		if err := c.connect(o); err != nil {
			b.Fatal(errors.Join(fmt.Errorf("user %d", i), err))
		}
		took = append(took, time.Since(start).Seconds()*1000)
		c.leave()
	}
	return took
}
