package plugin

// start hands a login over to a worker. It returns the reason if there is no
// room for it.
func (e *Engine) start(j *job) (why string) {
	if j.address != "" && e.underWay[j.address] >= e.o.addressMax {
		e.counts.AddressFull.Add(1)
		return "too many logins from that address are waiting"
	}
	j.young = e.young(j.name)
	if e.crowded(j) || !e.work.submit(j) {
		e.counts.QueueFull.Add(1)
		return "too many logins are waiting"
	}
	if j.address != "" {
		e.underWay[j.address]++
	}
	return ""
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
	if j.kind != jobLogin || j.address == "" {
		return
	}
	if e.underWay[j.address]--; e.underWay[j.address] <= 0 {
		delete(e.underWay, j.address)
	}
}
