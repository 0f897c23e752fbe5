package main

import (
	"bytes"
	"encoding/csv"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// tiny is enough to see that the pieces fit together.
var tiny = size{runs: 1, rounds: 1, pairs: 1, logins: 4, idle: 50 * time.Millisecond, window: 200 * time.Millisecond,
	outage: 100 * time.Millisecond, laps: 1}

func tinyBench(t *testing.T) (*bench, *bytes.Buffer) {
	var out bytes.Buffer
	return (&bench{size: tiny, out: &report{w: &out}}).with(t), &out
}

// A storm at the broker's own files goes all the way to the points of a curve.
func TestStorm(t *testing.T) {
	b, _ := tinyBench(t)
	broker := b.start(builtin, files(cheap(b.logins), "")...)
	by := b.watch(broker.Addr)
	time.Sleep(b.idle)
	begin := by.now()
	a := b.arrive(broker.Addr, crowd{b.logins, b.logins, 5})
	time.Sleep(b.idle)
	b.done(by)
	if a.tries != b.logins {
		t.Errorf("%d tries of %d clients", a.tries, b.logins)
	}
	if n := len(by.samples); n < 10 {
		t.Errorf("the bystander sent only %d messages", n)
	}
	b.out.keep("storm", nil)
	b.out.keep("storm", by.between(begin, by.now()))
	path := filepath.Join(t.TempDir(), "storm.csv")
	if err := b.out.writeCurves(path); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	if err != nil || len(lines) < 2 || lines[1][0] != "storm" || lines[1][1] != "0.0000" {
		t.Errorf("%v\n%s", err, text)
	}
}

// A client that is refused comes back, here until the broker knows it.
func TestInsist(t *testing.T) {
	b, _ := tinyBench(t)
	broker := b.start(builtin, files(cheap(0), "")...)
	go func() {
		for !strings.Contains(broker.Log(), "not authorised") && b.Context().Err() == nil {
			time.Sleep(backOff / 100)
		}
		path := filepath.Join(broker.Dir, "passwords")
		if err := os.WriteFile(path, []byte(user(0)+":"+mosquittoHash(1)+"\n"), 0o600); err != nil {
			t.Error(err)
		}
		broker.Reload()
	}()
	c, tries, err := insist(broker.Addr, account(user(0)))
	if err != nil {
		t.Fatal(err)
	}
	c.leave()
	if tries < 2 {
		t.Errorf("%d tries", tries)
	}
}

// A flow is delivered, and costs the broker time.
func TestDelivery(t *testing.T) {
	b, _ := tinyBench(t)
	broker, cpu := b.delivery(builtin, flow{"", 1, 2, 500}, fewRules)
	if cpu <= 0.1 || cpu > 1000 {
		t.Errorf("%v µs a message", cpu)
	}
	if broker.Version == "" {
		t.Error("no broker")
	}
}

func TestChecks(t *testing.T) {
	b, out := tinyBench(t)
	walk(b)
	if b.out.met+b.out.missed != 4 {
		t.Errorf("the table:\n%s", out)
	}
	for _, never := range []string{"allocations in ", "entries into Go "} { // the times need a quiet machine
		_, row, _ := strings.Cut(out.String(), "\n"+never)
		if row, _, _ = strings.Cut(row, "\n"); !strings.HasSuffix(row, " met") {
			t.Errorf("%s:\n%s", never, out)
		}
	}
}

// What a measure starts is stopped, and what it cannot do without ends it.
func TestTry(t *testing.T) {
	var events []string
	err := try(func(t *trial) {
		t.Cleanup(func() { events = append(events, "first") })
		dir := t.TempDir()
		t.Cleanup(func() {
			if _, err := os.Stat(dir); err == nil {
				events = append(events, "second")
			}
		})
		t.Errorf("fault %d", 1)
		t.Fatal("fault 2")
		events = append(events, "went on")
	})
	if !slices.Equal(events, []string{"second", "first"}) {
		t.Errorf("%q", events)
	}
	if err == nil || err.Error() != "fault 1\nfault 2" {
		t.Errorf("%v", err)
	}
	if err := try(func(*trial) {}); err != nil {
		t.Error(err)
	}
}

func TestReport(t *testing.T) {
	var out bytes.Buffer
	r := &report{w: &out}
	r.row("plain", nil, []float64{3, 1, 2})
	r.row("met", atMost(2), []float64{0, 2, 9, 1})
	r.row("also met", atLeast(0.5), []float64{0.5})
	r.row("missed", atLeast(1), []float64{0.123456, 5000, 0.1})
	r.verdict()
	want := [][]string{
		{"plain", "1", "2", "3"},
		{"met", "0", "1.5", "9", "≤", "2", "met"},
		{"also", "met", "0.5", "0.5", "0.5", "≥", "0.5", "met"},
		{"missed", "0.1", "0.123", "5000", "≥", "1", "MISSED"},
		{},
		{"2", "of", "3", "limits", "are", "met"},
	}
	for i, line := range strings.Split(strings.TrimSpace(out.String()), "\n") {
		if !slices.Equal(strings.Fields(line), want[i]) {
			t.Errorf("got %q, want %q", line, want[i])
		}
	}
}

func TestQuantile(t *testing.T) {
	v := []float64{4, 1, 3, 2}
	for _, c := range []struct{ q, want float64 }{{0, 1}, {0.25, 1}, {0.5, 2}, {0.75, 3}, {0.99, 4}, {1, 4}} {
		if got := quantile(v, c.q); got != c.want {
			t.Errorf("quantile %v: %v, want %v", c.q, got, c.want)
		}
	}
}

// Every measure can be asked for by its name, and none twice.
func TestMeasures(t *testing.T) {
	seen := map[string]bool{"all": true}
	for _, m := range measures {
		if run, what := measure(m.name); run == nil || what == "" || seen[m.name] {
			t.Errorf("measure %q", m.name)
		}
		seen[m.name] = true
	}
	if run, _ := measure("nothing"); run != nil {
		t.Error("a measure that there is not")
	}
}
