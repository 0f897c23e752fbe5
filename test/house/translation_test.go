package house

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const translated = "README.zh-TW.md"

// part is a heading of a document with what is the same in every language.
type part struct {
	level string // of the heading, as many # as it has
	title string
	same  []string // blocks of code, links, code in the text; of each row of a table its numbers and its code
}

var (
	link   = regexp.MustCompile(`\]\(([^)]+)\)`)
	inline = regexp.MustCompile("`[^`]+`")
	figure = regexp.MustCompile(`\d+(\.\d+)?`)
)

// parts cuts a document at its headings.
func parts(text string) (list []part) {
	var code, prose []string // the lines of the block and of the text so far
	within := false
	flush := func() {
		if len(list) == 0 {
			return
		}
		p, joined := &list[len(list)-1], strings.Join(prose, " ")
		for _, l := range link.FindAllStringSubmatch(joined, -1) {
			p.same = append(p.same, "link "+l[1])
		}
		p.same = append(p.same, inline.FindAllString(joined, -1)...)
		slices.Sort(p.same)
		prose = nil
	}
	for line := range strings.Lines(text) {
		heading := strings.TrimLeft(line, "#")
		switch {
		case strings.HasPrefix(line, "```"):
			if code = append(code, line); within {
				list[len(list)-1].same = append(list[len(list)-1].same, strings.Join(code, ""))
				code = nil
			}
			within = !within
		case within:
			code = append(code, line)
		case strings.HasPrefix(line, "#"):
			flush()
			list = append(list, part{level: line[:len(line)-len(heading)], title: strings.TrimSpace(heading)})
		case strings.HasPrefix(line, "| "):
			p, figures := &list[len(list)-1], figure.FindAllString(line, -1)
			slices.Sort(figures)
			p.same = append(p.same, "row with "+strings.Join(append(figures, inline.FindAllString(line, -1)...), " "))
			fallthrough
		default:
			prose = append(prose, strings.TrimSpace(line))
		}
	}
	flush()
	return list
}

// The translation of the README has the headings, examples, options, figures and
// links of the README.
func TestTranslation(t *testing.T) {
	english := string(read(t, filepath.Join(top, "README.md")))
	if n := strings.Count(english, "\n"); n >= 250 {
		t.Errorf("README.md has %d lines: it should be read in one go", n)
	}
	// Each links to the other, and to the guide in its own language.
	chinese := strings.Replace(string(read(t, filepath.Join(top, translated))), "(README.md)", "("+translated+")", 1)
	chinese = strings.ReplaceAll(chinese, "(conf/guide.zh-TW.md", "(conf/guide.md")
	want, got := parts(english), parts(chinese)
	for i := range max(len(want), len(got)) {
		switch {
		case i >= len(got):
			t.Fatalf("%s lacks the part %q", translated, want[i].title)
		case i >= len(want) || want[i].level != got[i].level:
			t.Fatalf("%s has the part %q, which README.md has not there", translated, got[i].title)
		}
		for _, s := range without(want[i].same, got[i].same) {
			t.Errorf("%s, %q: lacks of README.md, %q:\n%s", translated, got[i].title, want[i].title, s)
		}
		for _, s := range without(got[i].same, want[i].same) {
			t.Errorf("%s, %q: has what README.md, %q, has not:\n%s", translated, got[i].title, want[i].title, s)
		}
	}
}

// without returns what is in a more often than in b.
func without(a, b []string) (rest []string) {
	left := map[string]int{}
	for _, s := range b {
		left[s]++
	}
	for _, s := range a {
		if left[s]--; left[s] < 0 {
			rest = append(rest, s)
		}
	}
	return rest
}
