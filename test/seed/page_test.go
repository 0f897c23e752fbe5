package seed

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"mosquitto-go-auth/backends"
	"mosquitto-go-auth/plugin/acl"
)

const page = "../../conf/rights.md"

// table returns the cells of the page's table with this first column.
func table(t *testing.T, first string) (rows [][]string) {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	_, below, _ := strings.Cut(string(text), "\n| "+first+" |")
	for i, line := range strings.Split(below, "\n") {
		if i < 2 { // the headings, the rule
			continue
		}
		if !strings.HasPrefix(line, "| ") {
			break
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		for j := range cells {
			cells[j] = strings.TrimSpace(cells[j])
		}
		rows = append(rows, cells)
	}
	if len(rows) == 0 {
		t.Fatalf("%s has no table that begins with %q", page, first)
	}
	return rows
}

// The table of what rw >= ? grants is what the numbers mean, and what the brokers
// of the other tests do.
func TestPageOfRights(t *testing.T) {
	rows := table(t, "`rw`")
	if len(rows) != 7 {
		t.Fatalf("%d rows", len(rows))
	}
	for i, row := range rows {
		rw := i + 1
		want := []string{fmt.Sprint(rw), "", "", "", "", "", ""}
		bySize, bits := []byte("---"), []byte("---")
		for j, right := range []string{"read", "write", "subscribe"} {
			number := 1 << j
			if rw&number != 0 {
				bits[j], want[1+j] = right[0], right
			}
			if rw >= number {
				bySize[j], want[4+j] = right[0], right
				if rw&number == 0 {
					want[4+j] = "**" + right + " ✗**"
				}
			}
		}
		if !slices.Equal(row, want) {
			t.Errorf("%q, want %q", row, want)
		}
		n := numbers[slices.IndexFunc(numbers, func(n number) bool { return n.rw == rw })]
		if string(bySize) != n.bySize || string(bits) != n.bits {
			t.Errorf("rw %d: the page says %s and %s, the brokers %s and %s", rw, bySize, bits, n.bySize, n.bits)
		}
	}
}

// The examples of filters are as the rules are read.
func TestPageOfFilters(t *testing.T) {
	quoted := regexp.MustCompile("`[^`]+`")
	for _, row := range table(t, "a rule with 4") {
		var rules backends.Section
		for _, pattern := range quoted.FindAllString(row[0], -1) {
			rules = append(rules, backends.Rule{Pattern: strings.Trim(pattern, "`"), Access: backends.Subscribe})
		}
		image, _, err := acl.Compile([]backends.Section{rules}, acl.Options{})
		if err != nil {
			t.Fatal(err)
		}
		filters := quoted.FindAllString(row[1], -1)
		if len(filters) == 0 {
			t.Errorf("%q has no filter", row)
		}
		for _, filter := range filters {
			profile := acl.Profile{{User: "display", Image: image}}
			if got := profile.Allows("c", strings.Trim(filter, "`"), backends.Subscribe); got != (row[2] == "yes") {
				t.Errorf("%q: %s: %v", row, filter, got)
			}
		}
	}
}
