// Package picture draws the pictures of the documents, which its test keeps as they
// are drawn. After a change: go test ./test/picture -update
package picture

import (
	"fmt"
	"html"
	"strings"
)

// canvas is an SVG that grows.
type canvas struct{ strings.Builder }

// begin writes the head. Who cannot see the picture is told the title and the
// description.
func (c *canvas) begin(width, height int, title, description, style string) {
	fmt.Fprintf(c, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%[2]d" viewBox="0 0 %[1]d %[2]d" role="img" aria-labelledby="title description">
<title id="title">%s</title>
<desc id="description">%s</desc>
<style>
%s</style>
`, width, height, html.EscapeString(title), html.EscapeString(description), style)
}

func (c *canvas) end() []byte {
	c.WriteString("</svg>\n")
	return []byte(c.String())
}

func (c *canvas) text(x, y int, class, text string) {
	fmt.Fprintf(c, "<text x=\"%d\" y=\"%d\" class=\"%s\">%s</text>\n", x, y, class, html.EscapeString(text))
}

func (c *canvas) box(x, y, width, height int, class string) {
	fmt.Fprintf(c, "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"6\" class=\"%s\"/>\n", x, y, width, height, class)
}
