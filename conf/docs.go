package conf

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Dump returns what the set holds, an option a line, "name value", in the order
// of declaration. For a secret it says only that there is one.
func (s *Set) Dump() string {
	var b strings.Builder
	for _, o := range s.options {
		if o.holder != nil {
			continue
		}
		b.WriteString(o.Name)
		if v := o.value.String(); v != "" {
			b.WriteString(" " + o.show(v))
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// show returns a value as fit for a line of text.
func (o *Option) show(value string) string {
	if o.secret {
		return "(secret)"
	}
	if strings.ContainsFunc(value, func(r rune) bool { return !strconv.IsPrint(r) }) {
		return strconv.Quote(value)
	}
	return value
}

// Groups returns the headings in the order of declaration.
func (s *Set) Groups() []string {
	var groups []string
	for _, o := range s.options {
		if !slices.Contains(groups, o.Group) {
			groups = append(groups, o.Group)
		}
	}
	return groups
}

// Documented returns the options of a group that the documents list: all but the
// files of secrets.
func (s *Set) Documented(group string) []*Option {
	return slices.DeleteFunc(slices.Clone(s.options), func(o *Option) bool {
		return o.Group != group || o.holder != nil
	})
}

// Markdown returns the options of a group as a table.
func (s *Set) Markdown(group string) string {
	var b strings.Builder
	b.WriteString("| Option | Type | Default | Meaning |\n| --- | --- | --- | --- |\n")
	for _, o := range s.Documented(group) {
		meaning := cell(strings.TrimSuffix(o.Doc, "."))
		if o.secret {
			meaning += fmt.Sprintf(". Also `%s_file` and `${VARIABLE}`", o.Name)
		}
		if len(o.Former) > 0 {
			meaning += ". Former name: " + code(o.Former...)
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", code(o.Name), cell(o.Type), code(o.Default), meaning)
	}
	return b.String()
}

// cell escapes what would end a cell of a table.
func cell(text string) string {
	return strings.NewReplacer("|", `\|`, "\n", " ").Replace(text)
}

func code(words ...string) string {
	var cells []string
	for _, w := range words {
		if w != "" {
			cells = append(cells, "`"+cell(w)+"`")
		}
	}
	return strings.Join(cells, ", ")
}

// Text returns the options of a group for the terminal.
func (s *Set) Text(group string) string {
	var b strings.Builder
	for _, o := range s.Documented(group) {
		b.WriteString(o.Text())
	}
	return b.String()
}

// Text returns the option for the terminal.
func (o *Option) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s (%s", o.Name, o.Type)
	if o.Default != "" {
		b.WriteString(", default " + o.Default)
	}
	fmt.Fprintf(&b, ")\n    %s\n", o.Doc)
	if o.secret {
		fmt.Fprintf(&b, "    also %s_file FILE, or ${VARIABLE} as the value\n", o.Name)
	}
	if len(o.Former) > 0 {
		fmt.Fprintf(&b, "    former name: %s\n", strings.Join(o.Former, ", "))
	}
	return b.String()
}

const (
	tableBegins = "<!-- options "
	tableEnds   = "<!-- end -->"
)

// Regenerate replaces what stands in a document between a line
// "<!-- options GROUP -->" and the next line "<!-- end -->" with the table of
// that group. A group without a table is an error.
func Regenerate(doc []byte, tables map[string]string) ([]byte, error) {
	var out []byte
	opened := 0 // the line where the present table begins
	n := 0
	for line := range bytes.Lines(doc) {
		n++
		group, begins := tableMark(line)
		ends := string(bytes.TrimSpace(line)) == tableEnds
		switch {
		case begins && opened > 0, ends && opened == 0:
			return nil, fmt.Errorf("line %d: %s and %sGROUP --> do not alternate", n, tableEnds, tableBegins)
		case begins:
			table, ok := tables[group]
			if !ok {
				return nil, fmt.Errorf("line %d: there is no group %q of options", n, group)
			}
			opened = n
			out = append(out, line...)
			out = append(out, strings.TrimSuffix(table, "\n")+"\n"...)
		case ends:
			opened = 0
			out = append(out, line...)
		case opened == 0:
			out = append(out, line...)
		}
	}
	if opened > 0 {
		return nil, fmt.Errorf("line %d: the table has no %s", opened, tableEnds)
	}
	return out, nil
}

func tableMark(line []byte) (group string, ok bool) {
	group, ok = strings.CutPrefix(string(bytes.TrimSpace(line)), tableBegins)
	if !ok {
		return "", false
	}
	return strings.CutSuffix(group, " -->")
}
