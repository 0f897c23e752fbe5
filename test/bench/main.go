// Command bench measures what the plugin costs a Mosquitto and the clients of
// one, beside the same broker with its own password_file and acl_file. The
// README tells what each figure means.
//
//	go run ./test/bench [-quick] [-csv FILE] all | MEASURE...
//
// It ends with status 1 if a limit is missed, but with -quick.
package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
)

// measures are in the order in which `all` takes them.
var measures = []struct {
	name, what string
	run        func(*bench)
}{
	{"storm", "a bystander while 200 delayed logins arrive", storm},
	{"credit", "a bystander while 200 logins arrive that cannot be delayed", credit},
	{"cold", "logins a second, beside what the hashes allow", cold},
	{"warm", "logins a second with a known password, beside anonymous ones", warm},
	{"connack", "how long one login takes on an idle broker", connack},
	{"deliver", "the broker's CPU time for a message, 5 rules a user", deliver},
	{"rules", "the same with 200 rules a user", rules},
	{"walk", "one ACL check: time, allocations, entries into Go", walk},
	{"stopped", "a bystander while the database hangs", stopped},
	{"crossing", "the way from C into Go and back", crossing},
}

func main() {
	quick := flag.Bool("quick", false, "few and short runs, to see that all works: no figures to keep")
	csv := flag.String("csv", "", "write the bystander's latencies of storm and credit to this `file`")
	flag.Usage = usage
	flag.Parse()
	wanted := flag.Args()
	if len(wanted) == 1 && wanted[0] == "all" {
		wanted = nil
		for _, m := range measures {
			wanted = append(wanted, m.name)
		}
	} else if len(wanted) == 0 {
		usage()
		os.Exit(2)
	}
	b := &bench{size: full, out: &report{w: os.Stdout}}
	if *quick {
		b.size = short
	}
	if err := runAll(b, wanted, *csv); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	if b.out.missed > 0 && !*quick {
		os.Exit(1)
	}
}

func runAll(b *bench, wanted []string, csv string) error {
	for _, name := range wanted {
		if run, _ := measure(name); run == nil {
			return fmt.Errorf("there is no measure %q", name)
		}
	}
	b.out.machine()
	for _, name := range wanted {
		run, what := measure(name)
		b.out.title(name, what)
		if err := try(func(t *trial) { run(b.with(t)) }); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	b.out.verdict()
	if csv == "" {
		return nil
	}
	return b.out.writeCurves(csv)
}

func measure(name string) (run func(*bench), what string) {
	for _, m := range measures {
		if m.name == name {
			return m.run, m.what
		}
	}
	return nil, ""
}

func usage() {
	var list strings.Builder
	for _, m := range measures {
		fmt.Fprintf(&list, "  %-9s %s\n", m.name, m.what)
	}
	fmt.Fprintf(os.Stderr, "usage: bench [flags] all | MEASURE...\n%s", &list)
	flag.PrintDefaults()
}
