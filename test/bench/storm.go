package main

import (
	"time"

	"mosquitto-go-auth/test/mqtt"
)

// storm lets users arrive at a broker that can delay their logins.
func storm(b *bench) {
	b.builtinCurve()
	s := b.storms("ours, delayed (MQTT 3.1.1)", crowd{b.logins, min(b.logins, 50), 4})
	b.out.row("bystander's p99 idle, ms", nil, s.idle)
	b.out.row("bystander's p99 in the storm, ms", nil, s.p99)
	b.out.row("  ÷ idle", atMost(10), ratios(s.p99, s.idle))
	b.out.row("control's p99 idle, and busy, ms", nil, s.controlIdle)
	b.out.row("", nil, s.controlP99)
	b.out.row("longest stall in the storm, ms", nil, s.longest)
	b.out.row("longest stall of the control, ms", nil, s.control)
	b.out.row("  difference, ms", atMost(50), differences(s.longest, s.control))
	b.out.row("logins a second", nil, s.rate)
	b.out.row("tries a login", nil, s.tries)
}

// credit lets users arrive whose logins cannot be delayed.
func credit(b *bench) {
	s := b.storms("ours, by stall credit (MQTT 5)", crowd{b.logins, b.logins, 5})
	b.out.row("bystander's p99 idle, ms", nil, s.idle)
	b.out.row("bystander's p99 in the storm, ms", nil, s.p99)
	b.out.row("longest stall in the storm, ms", nil, s.longest)
	b.out.row("longest stall of the control, ms", nil, s.control)
	b.out.row("  difference, ms", atMost(150), differences(s.longest, s.control))
	b.out.row("until all were in, s", nil, s.took)
	b.out.row("  ÷ the time of the hashes alone", atMost(2), ratios(s.took, s.hashes))
	b.out.row("tries a login", nil, s.tries)
}

// storms are figures of several storms, in the order of the runs. Latencies are
// in milliseconds, the rest is in seconds.
type storms struct {
	idle, p99, longest               []float64
	controlIdle, controlP99, control []float64
	took, hashes, rate, tries        []float64
}

// storms measures several storms and controls in turn. The bystander of the last
// is kept for the plot.
func (b *bench) storms(curve string, cr crowd) (s storms) {
	b.Helper()
	users := b.costly(b.logins)
	_, conf := b.database(users, seedQueries)
	for range b.runs {
		b.each(func(b *bench) { b.control(&s) })
		b.each(func(b *bench) { b.oneStorm(&s, conf, curve, cr) })
	}
	return s
}

// control is the broker without a plugin while other processes use as many
// processors as hashing would.
func (b *bench) control(s *storms) {
	b.Helper()
	broker := b.start(builtin, files(cheap(0), "")...)
	by := b.watch(broker.Addr)
	time.Sleep(b.idle)
	busy := by.now()
	stop := b.burn(gate())
	time.Sleep(2 * b.idle)
	stop()
	b.done(by)
	s.controlIdle = append(s.controlIdle, quantile(milliseconds(by.between(0, busy)), 0.99))
	latencies := milliseconds(by.between(busy, by.now()))
	s.controlP99 = append(s.controlP99, quantile(latencies, 0.99))
	s.control = append(s.control, quantile(latencies, 1))
}

// done ends a bystander, which must have lost nothing.
func (b *bench) done(by *bystander) {
	b.Helper()
	if err := by.leave(); err != nil {
		b.Fatal(err)
	}
}

func (b *bench) oneStorm(s *storms, conf, curve string, cr crowd) {
	b.Helper()
	hash := b.oneHash()
	broker := b.start(conf)
	by := b.watch(broker.Addr)
	time.Sleep(b.idle)
	begin := by.now()
	a := b.arrive(broker.Addr, cr)
	end := by.now()
	time.Sleep(b.idle / 2) // for the plot
	b.done(by)
	b.out.keep(curve, by.between(begin, by.now()))

	during := milliseconds(by.between(begin, end))
	s.idle = append(s.idle, quantile(milliseconds(by.between(0, begin)), 0.99))
	s.p99 = append(s.p99, quantile(during, 0.99))
	s.longest = append(s.longest, quantile(during, 1))
	s.took = append(s.took, a.took.Seconds())
	s.hashes = append(s.hashes, hash.Seconds()*float64(cr.users)/float64(gate()))
	s.rate = append(s.rate, float64(cr.users)/a.took.Seconds())
	s.tries = append(s.tries, float64(a.tries)/float64(cr.users))
}

// builtinCurve shows, for the plot alone, what a storm does to the broker's own
// password_file when its hashes cost what the others' do.
func (b *bench) builtinCurve() {
	b.Helper()
	iterations := b.asCostly()
	b.each(func(b *bench) {
		users := []stored{{"bystander", mosquittoHash(1)}}
		hash := mosquittoHash(iterations)
		for i := range b.logins {
			users = append(users, stored{user(i), hash})
		}
		broker := b.start(builtin, files(users, "")...)
		by := b.watch(broker.Addr)
		begin := by.now()
		b.arrive(broker.Addr, crowd{b.logins, min(b.logins, 50), 4})
		time.Sleep(b.idle / 2)
		b.done(by)
		b.out.keep("Mosquitto's password_file", by.between(begin, by.now()))
	})
}

// asCostly is for how many iterations one login at the broker's password_file
// takes as long as one of the seed's hashes.
func (b *bench) asCostly() (iterations int) {
	b.Helper()
	const trial = 20000
	b.each(func(b *bench) {
		users := []stored{{"bystander", mosquittoHash(1)}, {user(0), mosquittoHash(trial)}}
		broker := b.start(builtin, files(users, "")...)
		fast := b.loginTime(broker.Addr, account("bystander"))
		slow := b.loginTime(broker.Addr, account(user(0)))
		iterations = int(trial * b.oneHash().Seconds() / (slow - fast).Seconds())
	})
	return iterations
}

// loginTime is the shortest of a few logins.
func (b *bench) loginTime(addr string, o mqtt.Options) time.Duration {
	b.Helper()
	shortest := patience
	for range 5 {
		start := time.Now()
		c, err := login(addr, o)
		if err != nil {
			b.Fatal(err)
		}
		shortest = min(shortest, time.Since(start))
		c.leave()
	}
	return shortest
}
