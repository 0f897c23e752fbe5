package plugin

// underWay is the logins that workers have.
type underWay struct {
	from   map[string]int // by the clients' network
	costly int            // those that will need a hash, and are not behind others
	late   int            // those that are behind others
}

// start hands a login over to a worker. It returns the reason if there is no
// room for it. One whose password was verified lately will hardly need a hash.
func (e *Engine) start(j *job, proven bool) (why string) {
	if j.network != "" && e.underWay.from[j.network] >= e.o.addressMax {
		e.counts.AddressFull.Add(1)
		return "too many logins from that address are waiting"
	}
	j.young = e.young(j)
	j.costly = !proven && !j.late
	if e.crowded(j) || !e.work.submit(j) {
		e.counts.QueueFull.Add(1)
		return "too many logins are waiting"
	}
	e.begun(j)
	return ""
}

func (e *Engine) begun(j *job) {
	if j.network != "" {
		e.underWay.from[j.network]++
	}
	e.underWay.count(j, 1)
}

func (u *underWay) count(j *job, n int) {
	if j.costly {
		u.costly += n
	}
	if j.late {
		u.late += n
	}
}

// before is how many hashes may be computed before a login's own, and how many
// logins from its address are under way. Addresses take turns.
func (e *Engine) before(j *job) (before, own int) {
	if j.network == "" { // these are together in one queue
		return e.underWay.costly, e.o.queueMax
	}
	own = e.underWay.from[j.network]
	return min(e.underWay.costly, (own+1)*len(e.underWay.from)), own
}

// crowded tells whether there is no room for a login that has to let others go
// first: half of the queue is theirs. Else a few addresses that guess could fill it,
// and nobody else would get a place in which to wait for a turn.
func (e *Engine) crowded(j *job) bool {
	return j.late && e.work.inFlight.Load() > int64(e.o.queueMax/2)
}

// landed makes the room of a job free again.
func (e *Engine) landed(r result) {
	e.work.inFlight.Add(-1)
	j := r.job
	if j.kind != jobLogin {
		return
	}
	e.underWay.count(j, -1)
	if j.network == "" {
		return
	}
	if e.underWay.from[j.network]--; e.underWay.from[j.network] <= 0 {
		delete(e.underWay.from, j.network)
	}
}
