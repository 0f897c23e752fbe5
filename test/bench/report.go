package main

import (
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// A report is the table of figures, and the curves for the plot.
type report struct {
	w           io.Writer
	met, missed int
	curves      []curve
}

// A limit is what the median of a figure must reach.
type limit struct {
	at   float64
	most bool // else at least
}

func atMost(at float64) *limit  { return &limit{at, true} }
func atLeast(at float64) *limit { return &limit{at, false} }

func (l *limit) String() string {
	if l.most {
		return "≤ " + number(l.at)
	}
	return "≥ " + number(l.at)
}

func (l *limit) met(v float64) bool { return v == l.at || v < l.at == l.most }

// machine says on what the figures were taken.
func (r *report) machine() {
	fmt.Fprintf(r.w, "%d × %s, %s, %s\n", runtime.NumCPU(), cpuModel(), kernel(), runtime.Version())
}

func cpuModel() string {
	text, _ := os.ReadFile("/proc/cpuinfo")
	_, model, _ := strings.Cut(string(text), "model name\t: ")
	model, _, _ = strings.Cut(model, "\n")
	return model
}

func kernel() string {
	text, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	return "Linux " + strings.TrimSpace(string(text))
}

func (r *report) title(name, what string) {
	fmt.Fprintf(r.w, "\n%s: %s\n%-62s %9s %9s %9s  %s\n", name, what, "", "min", "median", "max", "limit")
}

// row prints a figure that was taken once in each run, the runs in their order.
// l may be nil.
func (r *report) row(what string, l *limit, runs []float64) {
	v := slices.Sorted(slices.Values(runs))
	verdict := ""
	if l != nil {
		verdict = l.String() + "  met"
		if r.met++; !l.met(median(v)) {
			r.met--
			r.missed++
			verdict = l.String() + "  MISSED"
		}
	}
	line := fmt.Sprintf("%-62s %9s %9s %9s  %s", what, number(v[0]), number(median(v)), number(v[len(v)-1]), verdict)
	fmt.Fprintln(r.w, strings.TrimRight(line, " "))
}

func (r *report) verdict() {
	fmt.Fprintf(r.w, "\n%d of %d limits are met\n", r.met, r.met+r.missed)
}

// number shows three digits, or all before the point.
func number(v float64) string {
	if v != 0 && math.Abs(v) < 100 {
		return strconv.FormatFloat(v, 'g', 3, 64)
	}
	return strconv.FormatFloat(v, 'f', 0, 64)
}

func median(sorted []float64) float64 {
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// quantile is the smallest value that a share q of the values does not exceed.
func quantile(values []float64, q float64) float64 {
	v := slices.Sorted(slices.Values(values))
	return v[max(int(math.Ceil(q*float64(len(v))))-1, 0)]
}

// ratios divides run by run.
func ratios(a, b []float64) []float64 {
	return combine(a, b, func(x, y float64) float64 { return x / y })
}

// differences subtracts run by run.
func differences(a, b []float64) []float64 {
	return combine(a, b, func(x, y float64) float64 { return x - y })
}

func combine(a, b []float64, f func(x, y float64) float64) []float64 {
	out := make([]float64, len(a))
	for i := range a {
		out[i] = f(a[i], b[i])
	}
	return out
}
