package main

import (
	"time"
)

// callers is how many log in while the database hangs.
const callers = 50

// stopped measures a bystander while the database is there but does not answer.
func stopped(b *bench) {
	n := min(callers, b.logins)
	server, conf := b.database(cheap(n), seedQueries)
	var idle, p99, longest, late []float64
	for range b.runs {
		b.each(func(b *bench) {
			broker := b.start(conf)
			by := b.watch(broker.Addr)
			time.Sleep(b.idle)
			begin := by.now()
			server.Pause(b)
			goOn := time.AfterFunc(b.outage, func() { server.Continue(b) })
			defer goOn.Stop()
			a := b.arrive(broker.Addr, crowd{n, n, 4})
			end := by.now()
			b.done(by)
			if a.took < b.outage {
				b.Fatalf("all logins succeeded after %v, in spite of the outage", a.took)
			}
			during := milliseconds(by.between(begin, end))
			idle = append(idle, quantile(milliseconds(by.between(0, begin)), 0.99))
			p99 = append(p99, quantile(during, 0.99))
			longest = append(longest, quantile(during, 1))
			late = append(late, (a.took - b.outage).Seconds())
		})
	}
	b.out.row("bystander's p99 idle, ms", nil, idle)
	b.out.row("bystander's p99 in the outage, ms", nil, p99)
	b.out.row("  ÷ idle", atMost(10), ratios(p99, idle))
	b.out.row("longest stall in the outage, ms", nil, longest)
	b.out.row("until all were in after it, s", nil, late)
}
