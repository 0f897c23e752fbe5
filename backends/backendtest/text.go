package backendtest

import (
	_ "embed"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"mosquitto-go-auth/backends"
)

//go:embed testdata/names.txt
var namesText string

//go:embed testdata/hashes.txt
var hashesText string

//go:embed testdata/rights.txt
var rightsText string

// show renders a question for a message; names can be long.
func show(l backends.Lookup) string {
	text := fmt.Sprintf("%.80q", l.Name)
	if len(l.Name) > 80 {
		text += fmt.Sprintf(" (%d bytes)", len(l.Name))
	}
	if l.RulesOnly {
		text += ", rules only"
	}
	if l.PasswordOnly {
		text += ", password only"
	}
	return text
}

// entry is a line of a table in testdata.
type entry struct {
	number int
	text   string
}

// entries returns the lines that say something.
func entries(text string) (list []entry) {
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimRight(line, "\r\n")
		if line != "" && !strings.HasPrefix(line, "#") {
			list = append(list, entry{number, line})
		}
	}
	return list
}

// quoted returns the strings of a table of Go's string literals.
func quoted(t testing.TB, text string) (list []string) {
	t.Helper()
	for _, e := range entries(text) {
		s, err := strconv.Unquote(e.text)
		if err != nil {
			t.Fatalf("line %d: %s is no string: %v", e.number, e.text, err)
		}
		list = append(list, s)
	}
	return list
}
