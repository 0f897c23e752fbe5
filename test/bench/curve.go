package main

import (
	"encoding/csv"
	"errors"
	"os"
	"slices"
	"strconv"
	"time"
)

// A curve is the bystander's latency over the time since a storm began.
type curve struct {
	name    string
	samples []sample
}

// bin is the width of a point of a curve: of all the latencies in it the plot
// shows the longest.
const bin = 50 * time.Millisecond

// writeCurves writes a table of the curves' names, seconds since the storm began
// and the longest latency from then on, in milliseconds.
func (r *report) writeCurves(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := csv.NewWriter(f)
	w.Write([]string{"curve", "seconds", "milliseconds"})
	for _, c := range r.curves {
		for _, p := range c.points() {
			w.Write([]string{c.name, decimal(p.at), decimal(p.took * 1000)})
		}
	}
	w.Flush()
	return errors.Join(w.Error(), f.Close())
}

func decimal(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', 4, 64) }

// points reduces a curve to its longest latencies.
func (c curve) points() (points []sample) {
	for _, s := range c.samples {
		at := s.at.Truncate(bin)
		if n := len(points); n > 0 && points[n-1].at == at {
			points[n-1].took = max(points[n-1].took, s.took)
		} else {
			points = append(points, sample{at, s.took})
		}
	}
	return points
}

// keep takes a curve in the place of an earlier one of its name.
func (r *report) keep(name string, samples []sample) {
	r.curves = slices.DeleteFunc(r.curves, func(c curve) bool { return c.name == name })
	r.curves = append(r.curves, curve{name, samples})
}
