package picture

import (
	"fmt"
	"html"
	"strings"
	"unicode/utf8"
)

// A terminal is dark on every page.
const terminalStyle = `text { font: 13px ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace; fill: #e6edf3; white-space: pre; }
.screen { fill: #161b22; stroke: #57606a; }
.typed { fill: #ffffff; font-weight: bold; }
.fault { fill: #ff9d92; font-weight: bold; }
.warning { fill: #f2cc60; font-weight: bold; }
`

const (
	columns    = 88
	charWidth  = 8 // no common font is wider at 13 px
	lineHeight = 18
	margin     = 16
)

// Terminal draws what was typed and printed; lines that begin with "$ " were typed.
func Terminal(title, session string) []byte {
	lines := wrap(strings.Split(strings.TrimSuffix(session, "\n"), "\n"))
	width, height := 2*margin+columns*charWidth, 2*margin+len(lines)*lineHeight
	var c canvas
	c.begin(width, height, title, session, terminalStyle)
	fmt.Fprintf(&c, "<rect x=\"0.5\" y=\"0.5\" width=\"%d\" height=\"%d\" rx=\"8\" class=\"screen\"/>\n", width-1, height-1)
	for i, line := range lines {
		if line != "" {
			fmt.Fprintf(&c, "<text x=\"%d\" y=\"%d\" xml:space=\"preserve\">%s</text>\n", margin, margin+13+i*lineHeight, colour(line))
		}
	}
	return c.end()
}

// wrap breaks long lines after a blank.
func wrap(lines []string) (wrapped []string) {
	for _, line := range lines {
		for utf8.RuneCountInString(line) > columns {
			first := string([]rune(line)[:columns+1])
			first = first[:max(strings.LastIndex(first, " "), columns/2)+1]
			wrapped, line = append(wrapped, first), line[len(first):]
		}
		wrapped = append(wrapped, line)
	}
	return wrapped
}

// colour marks the first word of a line that has a colour.
func colour(line string) string {
	if typed, ok := strings.CutPrefix(line, "$ "); ok {
		return `$ <tspan class="typed">` + html.EscapeString(typed) + "</tspan>"
	}
	for _, mark := range []struct{ word, class string }{{"fault:", "fault"}, {"denied:", "fault"}, {"warning:", "warning"}} {
		if before, after, ok := strings.Cut(line, mark.word); ok {
			return html.EscapeString(before) + `<tspan class="` + mark.class + `">` + mark.word + "</tspan>" + html.EscapeString(after)
		}
	}
	return html.EscapeString(line)
}
