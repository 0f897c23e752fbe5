package main

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-sql-driver/mysql"

	"mosquitto-go-auth/test/mariadbtest"
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
// Others of these ask the database for the row themselves before they log in: that
// much any plugin would cost that asks for it at each login.
func warm(b *bench) {
	server, mask := b.database(b.costly(regulars), maskQueries)
	db := b.asker(server)
	sites := []struct {
		what, conf string
		named      bool
		ask        *sql.Stmt
		runs       []pace
	}{
		{what: "anonymous, no plugin", conf: "allow_anonymous true\n"},
		{what: "the same, the clients ask MariaDB for their rows", conf: "allow_anonymous true\n", ask: db},
		{what: "ours, MariaDB, bit-mask query", conf: mask, named: true},
		{what: "ours, MariaDB, the seed's queries", conf: asking(server, seedQueries), named: true},
	}
	for range b.rounds {
		for i := range sites {
			s := &sites[i]
			b.each(func(b *bench) {
				broker := b.start(s.conf)
				pids := []int{broker.PID, server.PID(), os.Getpid()}
				b.loginRate(broker.Addr, s.named, s.ask, 0, pids)
				s.runs = append(s.runs, b.loginRate(broker.Addr, s.named, s.ask, b.window, pids))
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
	b.out.row("bit-mask query ÷ anonymous", atLeast(0.5), ratios(rate(2), rate(0)))
	b.out.row("the clients ask ÷ anonymous, as a yardstick", nil, ratios(rate(1), rate(0)))
	b.out.row("the seed's queries ÷ anonymous", nil, ratios(rate(3), rate(0)))
}

// asker prepares the seed's question for the row of a user.
func (b *bench) asker(server *mariadbtest.Server) *sql.Stmt {
	b.Helper()
	c := server.Config()
	c.DBName = "bench"
	connector, err := mysql.NewConnector(c)
	if err != nil {
		b.Fatal(err)
	}
	db := sql.OpenDB(connector)
	db.SetMaxIdleConns(regulars)
	b.Cleanup(func() { db.Close() })
	ask, err := db.Prepare(userQuery)
	if err != nil {
		b.Fatal(err)
	}
	return ask
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

// loginRate has clients log in and leave for a time, each at least once. With ask
// they fetch their rows first.
func (b *bench) loginRate(addr string, named bool, ask *sql.Stmt, window time.Duration, pids []int) (p pace) {
	b.Helper()
	var all sync.WaitGroup
	var count atomic.Int64
	var fault atomic.Pointer[error]
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
				if err := visit(addr, o, ask); err != nil {
					fault.Store(&err)
					return
				}
				count.Add(1)
			}
		})
	}
	all.Wait()
	if err := fault.Load(); err != nil {
		b.Fatal(*err)
	}
	p.rate = float64(count.Load()) / time.Since(start).Seconds()
	for i, pid := range pids {
		p.cpu = append(p.cpu, (b.processCPU(pid)-used[i]).Seconds()*1e6/float64(count.Load()))
	}
	return p
}

// visit is one login, and what goes with it.
func visit(addr string, o mqtt.Options, ask *sql.Stmt) error {
	if ask != nil {
		var hash string
		if err := ask.QueryRow(o.ID).Scan(&hash); err != nil {
			return err
		}
	}
	c, err := login(addr, o)
	if err != nil {
		return err
	}
	c.leave()
	return nil
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
