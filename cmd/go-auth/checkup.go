package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"mosquitto-go-auth/conf"
)

// checkup is what check found out. Its JSON is described by the command's help.
type checkup struct {
	Config    string     `json:"config"`
	Result    string     `json:"result"`
	Remarks   []remark   `json:"remarks"`
	Instances []instance `json:"instances"`

	offline bool
	untold  bool // something could not be looked at from here
}

const (
	resultGood    = "good"
	resultFaults  = "faults"
	resultUnknown = "cannot tell"
)

// remark is a fault or a warning, and its place.
type remark struct {
	Severity severity `json:"severity"`
	place
	Option  string `json:"option,omitempty"`
	Backend string `json:"backend,omitempty"` // whose it is
	Text    string `json:"text"`
}

type severity string

const (
	isFault   severity = "fault"
	isWarning severity = "warning"
)

type place struct {
	File string `json:"file,omitempty"`
	Line int    `json:"line,omitempty"`
}

// instance is one loading of the plugin.
type instance struct {
	place
	Plugin    string    `json:"plugin"`
	Listeners []string  `json:"listeners,omitempty"` // empty: all
	Backends  []finding `json:"backends"`
}

// finding is what there is to say of a backend.
type finding struct {
	Name   string   `json:"name"`
	Checks []string `json:"checks"` // what it answers
	Asked  bool     `json:"asked"`  // its store was asked
	Error  string   `json:"error,omitempty"`
}

func (c *checkup) faults(from []conf.Remark)   { c.add(isFault, from) }
func (c *checkup) warnings(from []conf.Remark) { c.add(isWarning, from) }

// add takes over remarks, each once: several instances may find the same.
func (c *checkup) add(s severity, from []conf.Remark) {
	for _, r := range from {
		one := remark{Severity: s, place: place(r.At), Option: r.Key, Text: r.Text}
		if !slices.Contains(c.Remarks, one) {
			c.Remarks = append(c.Remarks, one)
		}
	}
}

// count tells how many remarks there are of a severity.
func (c *checkup) count(s severity) (n int) {
	for _, r := range c.Remarks {
		if r.Severity == s {
			n++
		}
	}
	return n
}

// conclude draws the result, and puts the faults first.
func (c *checkup) conclude() {
	c.Result = resultGood
	if c.untold {
		c.Result = resultUnknown
	}
	for _, in := range c.Instances {
		if slices.ContainsFunc(in.Backends, func(f finding) bool { return f.Error != "" }) {
			c.Result = resultUnknown
		}
	}
	if c.count(isFault) > 0 {
		c.Result = resultFaults
	}
	slices.SortStableFunc(c.Remarks, func(a, b remark) int { return cmp.Compare(a.Severity, b.Severity) })
	if c.Remarks == nil {
		c.Remarks = []remark{} // [] in JSON
	}
}

func (c *checkup) status() int {
	return map[string]int{resultGood: exitGood, resultFaults: exitBad, resultUnknown: exitUsage}[c.Result]
}

func (c *checkup) printJSON(to io.Writer) error {
	e := json.NewEncoder(to)
	e.SetEscapeHTML(false) // queries have < and >
	e.SetIndent("", "  ")
	return e.Encode(c)
}

func (c *checkup) print(to io.Writer) {
	for _, r := range c.Remarks {
		fmt.Fprintln(to, r)
	}
	for _, in := range c.Instances {
		in.print(to, c)
	}
	fmt.Fprintf(to, "%s: %s (%s, %s)\n", c.Config, c.Result,
		count(c.count(isFault), "fault"), count(c.count(isWarning), "warning"))
}

func (r remark) String() string {
	text := string(r.Severity) + ": "
	if r.Option != "" && r.Backend == "" { // whose text names it
		text += "option " + r.Option + ": "
	}
	if r.Backend != "" {
		text += "backend " + r.Backend + ": "
	}
	if at := conf.Position(r.place).String(); at != "" {
		text = at + ": " + text
	}
	return text + r.Text
}

func (in *instance) print(to io.Writer, c *checkup) {
	serves := "all listeners"
	if len(in.Listeners) > 0 {
		serves = strings.Join(in.Listeners, ", ")
	}
	fmt.Fprintf(to, "%s: %s, for %s\n", conf.Position(in.place), in.Plugin, serves)
	for _, b := range in.Backends {
		fmt.Fprintf(to, "    %s (%s): %s\n", b.Name, strings.Join(b.Checks, ", "), b.state(c))
	}
}

// state says in a line how a backend is.
func (f *finding) state(c *checkup) string {
	switch {
	case f.Error != "":
		return "does not answer: " + f.Error
	case f.Asked:
		return "answers"
	case c.offline:
		return "not asked"
	case c.Result == resultFaults:
		return "not tried, for the faults"
	case c.untold:
		return "not tried, since something cannot be told from here"
	default:
		return "ready"
	}
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
