package main

import (
	"fmt"
	"strings"
)

func manCommand() command {
	return command{
		name: "man",
		doc:  "print the manual page, as man reads it",
		more: "`make install` puts it where man looks. To read it from here:\n\n  go-auth man | man -l -\n",
		declare: noFlags(func(s streams, _ []string) int {
			fmt.Fprint(s.out, page(commands()))
			return exitGood
		}),
	}
}

// page is the manual page, in the macros of man(7).
func page(list []command) string {
	var b strings.Builder
	fmt.Fprintf(&b, ".TH GO\\-AUTH 1 \"\" \"mosquitto\\-go\\-auth %s\" \"User commands\"\n", roff(version))
	b.WriteString(".SH NAME\ngo\\-auth \\- check, ask and migrate the authentication of a Mosquitto broker with go\\-auth.so\n")
	b.WriteString(".SH SYNOPSIS\n.B go\\-auth\n.I COMMAND\n.RI [ FLAGS ]\n.RI [ ARGUMENTS ]\n")
	b.WriteString(".SH DESCRIPTION\n" + paragraphs(`go-auth.so is a plugin that has the broker mosquitto ask files and databases who
may log in and do what. This command checks what is configured there, answers the
questions that the broker would ask, and makes password hashes.

Flags may stand before and behind the other arguments; what stands behind -- is
no flag. A -c may also stand before the command.
`))
	b.WriteString(".SH COMMANDS\n")
	for _, c := range list {
		b.WriteString(c.page())
	}
	b.WriteString(".SH FILES\n.TP\n.I /etc/mosquitto/mosquitto.conf\nthe broker's configuration, unless \\-c names another\n")
	b.WriteString(".SH SEE ALSO\n.BR mosquitto (8),\n.BR mosquitto.conf (5),\n.BR mosquitto_passwd (1)\n")
	return b.String()
}

// page is the part of the manual page on a command.
func (c command) page() string {
	var b strings.Builder
	usage := strings.TrimPrefix(c.usage(), "usage: ")
	fmt.Fprintf(&b, ".SS %s\n.B %s\n.PP\n%s.\n", roff(c.name), roff(usage), roff(strings.ToUpper(c.doc[:1])+c.doc[1:]))
	b.WriteString(paragraphs(c.more))
	for _, f := range c.flags() {
		fmt.Fprintf(&b, ".TP\n.B %s\n%s\n", roff(f.spelled()), roff(f.doc))
	}
	heading := ".PP\nExit status:\n"
	for i, meaning := range c.status {
		if meaning != "" {
			fmt.Fprintf(&b, "%s.TP\n.B %d\n%s\n", heading, i, roff(meaning))
			heading = ""
		}
	}
	return b.String()
}

// paragraphs sets a text whose indented lines are to be kept as they are.
func paragraphs(text string) string {
	var b strings.Builder
	kept, begun := false, false
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		indented := strings.HasPrefix(line, "  ")
		if kept && !indented && line != "" {
			b.WriteString(".fi\n")
			kept = false
		}
		switch {
		case line == "":
			begun = false
			continue
		case !begun:
			b.WriteString(".PP\n")
		}
		if indented && !kept {
			b.WriteString(".nf\n")
			kept = true
		}
		begun = true
		b.WriteString(roff(line) + "\n")
	}
	if kept {
		b.WriteString(".fi\n")
	}
	return b.String()
}

// roff escapes a text, so that it is shown as it is.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`, "^", `\(ha`, "~", `\(ti`, "`", `\(ga`, "'", `\(aq`).Replace(text)
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		if strings.HasPrefix(l, ".") {
			lines[i] = `\&` + l
		}
	}
	return strings.Join(lines, "\n")
}
