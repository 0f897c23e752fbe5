package main

import (
	"fmt"
	"slices"
	"strings"

	"mosquitto-go-auth/backends/all"
	"mosquitto-go-auth/conf"
	"mosquitto-go-auth/plugin"
)

const optionsMore = `GROUP is "general" or the name of a backend; without it, all are printed.
In mosquitto.conf, auth_opt_ or plugin_opt_ stands before each name.

  --markdown  print tables in Markdown
`

func options(s streams, args []string) int {
	f := newFlags(s, "options")
	markdown := f.Bool("markdown", false, "")
	rest, status, ok := f.parse(args, 1)
	if !ok {
		return status
	}
	set := declared()
	groups := set.Groups()
	if len(rest) == 1 {
		if !slices.Contains(groups, rest[0]) {
			s.complain(fmt.Errorf("there are no options of %q; there are those of %s", rest[0], strings.Join(groups, ", ")))
			return exitUsage
		}
		groups = rest
	}
	for i, g := range groups {
		if i > 0 {
			fmt.Fprintln(s.out)
		}
		printGroup(s, set, g, *markdown, len(groups) > 1)
	}
	return exitGood
}

func printGroup(s streams, set *conf.Set, group string, markdown, title bool) {
	switch {
	case title && markdown:
		fmt.Fprintf(s.out, "## %s\n\n", group)
	case title:
		fmt.Fprintf(s.out, "%s\n\n", strings.ToUpper(group))
	}
	if markdown {
		fmt.Fprint(s.out, set.Markdown(group))
		return
	}
	fmt.Fprint(s.out, set.Text(group))
}

// declared is the set of all options of the plugin.
func declared() *conf.Set {
	set := conf.NewSet()
	plugin.Declare(set, all.Drivers())
	return set
}
