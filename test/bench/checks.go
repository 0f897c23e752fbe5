package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"mosquitto-go-auth/test/brokertest"
)

// few and many are the numbers of rules between which a check may differ little.
const (
	few  = 10
	many = 10000
)

// walk measures ACL checks in a process that plays the broker.
func walk(b *bench) {
	lines, entries := b.checks(few, many)
	var same, random [2][]float64
	var allocations []float64
	for i, line := range lines {
		same[i%2] = append(same[i%2], line[1])
		random[i%2] = append(random[i%2], line[2])
		allocations = append(allocations, line[3])
	}
	b.out.row("a check, 10 rules, ns", nil, same[0])
	b.out.row("a check, 10,000 rules, ns", nil, same[1])
	b.out.row("  10,000 ÷ 10", atMost(1.5), ratios(same[1], same[0]))
	b.out.row("topics at random, 10 rules, ns", nil, random[0])
	b.out.row("topics at random, 10,000 rules, ns", nil, random[1])
	b.out.row("  10,000 ÷ 10", atMost(1.5), ratios(random[1], random[0]))
	b.out.row("allocations in 400,000 checks", atMost(0), allocations)
	b.out.row("entries into Go in all these checks", atMost(0), []float64{float64(entries)})
}

// checks returns the lines of host/check.c, for users with so many rules, and
// how many checks were answered in Go.
func (b *bench) checks(rules ...int) (lines [][4]float64, entries int) {
	b.Helper()
	dir := b.TempDir()
	var users []stored
	var acl strings.Builder
	var who []string
	for _, n := range rules {
		name := fmt.Sprintf("rules%d", n)
		users = append(users, stored{name, mosquittoHash(1)})
		who = append(who, name, fmt.Sprint(n))
		fmt.Fprintf(&acl, "user %s\n", name)
		for i := range n {
			fmt.Fprintf(&acl, "topic readwrite site/%d/+/%s/#\n", i, name)
		}
	}
	var passwords strings.Builder
	for _, u := range users {
		fmt.Fprintf(&passwords, "%s:%s\n", u.name, u.hash)
	}
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			b.Fatal(err)
		}
		return path
	}
	host := b.compile("check", "-DBROKER=21", "-rdynamic", "-pthread", "-I", b.path("test/fakebroker/host"),
		b.path("test/bench/host/check.c"), b.path("test/fakebroker/host/broker.c"), "-ldl")
	args := append([]string{brokertest.Plugin(b), write("passwords", passwords.String()), write("acl", acl.String()),
		password, fmt.Sprint(b.laps)}, who...)
	out, log := b.output(host, args...)
	for line := range strings.Lines(out) {
		var f [4]float64
		if _, err := fmt.Sscan(line, &f[0], &f[1], &f[2], &f[3]); err != nil {
			b.Fatalf("check printed %q: %v", line, err)
		}
		lines = append(lines, f)
	}
	return lines, b.answeredInGo(log)
}

var inGo = regexp.MustCompile(`(\d+) ACL checks answered in Go`)

// answeredInGo reads in a broker's log how many ACL checks were, when the plugin
// has ended.
func (b *bench) answeredInGo(log string) int {
	b.Helper()
	match := inGo.FindStringSubmatch(log)
	if match == nil {
		b.Fatalf("the log does not tell how many ACL checks were answered in Go:\n%s", log)
	}
	n, _ := strconv.Atoi(match[1])
	return n
}

// crossing measures calls of a Go function that does nothing.
func crossing(b *bench) {
	dir := b.TempDir()
	library := filepath.Join(dir, "crossing.so")
	b.output("go", "build", "-C", b.path("test/bench/crossing"), "-buildmode=c-shared", "-o", library, ".")
	host := b.compile("pace", b.path("test/bench/host/pace.c"), "-ldl")
	for _, rate := range []int{1000, 10000, 100000} {
		var wall, cpu []float64
		for range b.laps {
			var w, c float64
			out, _ := b.output(host, library, "crossing", fmt.Sprint(rate), fmt.Sprint(b.window.Seconds()/6))
			if _, err := fmt.Sscan(out, &w, &c); err != nil {
				b.Fatalf("pace printed %q: %v", out, err)
			}
			wall, cpu = append(wall, w), append(cpu, c)
		}
		b.out.row(fmt.Sprintf("%d a second: time of a call, ns", rate), nil, wall)
		b.out.row("  CPU time of the process for it, ns", nil, cpu)
	}
}

// compile makes a program in C.
func (b *bench) compile(name string, args ...string) (path string) {
	b.Helper()
	path = filepath.Join(b.TempDir(), name)
	b.output("gcc", append([]string{"-std=gnu11", "-O2", "-Wall", "-Wextra", "-o", path}, args...)...)
	return path
}

// output runs a program that must succeed.
func (b *bench) output(name string, args ...string) (out, faults string) {
	b.Helper()
	cmd := exec.Command(name, args...)
	var o, f strings.Builder
	cmd.Stdout, cmd.Stderr = &o, &f
	if err := cmd.Run(); err != nil {
		b.Fatalf("%s: %v\n%s", name, err, &f)
	}
	return o.String(), f.String()
}

// path returns where a file of the module is.
func (b *bench) path(name string) string {
	b.Helper()
	dir, err := os.Getwd()
	if err != nil {
		b.Fatal(err)
	}
	for ; dir != "/"; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(dir, name)
		}
	}
	b.Fatal("run it inside the module")
	return ""
}
