package plugin

import (
	"context"
	"os"
	"path/filepath"

	"mosquitto-go-auth/backends"
	"mosquitto-go-auth/conf"
	"mosquitto-go-auth/hashing"
)

// Report is what [CheckConfig] found out about the options of one instance.
type Report struct {
	Faults   conf.Faults   // why the broker would not start
	Warnings []conf.Remark // what is probably not meant
	Judges   bool          // it judges rights; otherwise Mosquitto's acl_file does, without which everything is allowed
	Backends []Finding     // in the order in which they are asked
}

// Finding is what there is to say of one backend.
type Finding struct {
	Name   string          // as in the option backends
	Checks backends.Checks // what it is asked for
	Notes  []string        // what an operator should know, a sentence each
	Asked  bool            // its store was asked; one without a server has nothing to ask
	Faults []error         // of its queries, which the store cannot answer as they are
	Err    error           // why the store could not answer

	// Refuses says why a hash in the store would verify no password, nil if it
	// could.
	Refuses func(hash string) error
}

// CheckConfig reads the options of one instance as [New] does, opens the
// backends, asks each store that can be asked whether it answers and what it
// makes of the queries, unless it is to be offline, and closes all of them again.
// A store gets ten seconds, unless ctx ends before. Where there are faults, no
// store is asked: what it would say of options that count in part could mislead.
func CheckConfig(ctx context.Context, drivers []backends.Driver, lines []conf.Line, offline bool) (r Report) {
	set := conf.NewSet()
	o, open := Declare(set, drivers)
	set.Parse(lines)
	chain, _ := openChain(set, o, drivers, open) // each source holds its notes, too
	defer func() {
		// Nothing was written, and nobody waits for the connections.
		_ = chain.close()
	}()
	o.check(set)
	o.log.check(set)
	r.Warnings, r.Faults = set.Result()
	r.Judges = chain.judges()
	for _, s := range chain.sources {
		f := Finding{Name: s.name, Checks: s.checks, Notes: s.Notes}
		f.Refuses = func(hash string) error {
			_, err := hashing.Parse(hash, s.salt, o.limits)
			return err
		}
		if len(r.Faults) == 0 && !offline {
			f.ask(ctx, s.Backend)
		}
		r.Backends = append(r.Backends, f)
	}
	return r
}

// ask has a backend examine itself against its store.
func (f *Finding) ask(ctx context.Context, b backends.Backend) {
	p, ok := b.(backends.Prober)
	if !ok {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	notes, err := p.Probe(ctx, "")
	f.Notes = append(f.Notes[:len(f.Notes):len(f.Notes)], notes...)
	f.Asked = true
	f.Faults, f.Err = queryFaults(err)
}

// check warns of a file that could not be made: the broker would start without.
func (o *logOptions) check(set *conf.Set) {
	if o.dest != "file" || o.file == "" {
		return
	}
	if _, err := os.Stat(filepath.Dir(o.file)); err != nil {
		set.Warn("log_file", "its directory cannot be found (%w): the lines would go to the broker's log instead", err)
	}
}
