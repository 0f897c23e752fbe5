package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"

	"mosquitto-go-auth/backends/all"
	"mosquitto-go-auth/conf"
	"mosquitto-go-auth/plugin"
)

func optionsCommand() command {
	return command{
		name: "options", args: "[GROUP|NAME]", max: 1, words: func() []string { return declared().Groups() },
		doc: "print the options of the plugin",
		more: `GROUP is "general" or the name of a backend; without it, all are printed. NAME is
one option, by its own name or one that a predecessor had. In mosquitto.conf,
auth_opt_ or plugin_opt_ stands before each name.
`,
		status: [3]string{"it was printed", "", "there is no such group or option"},
		declare: func(f *flag.FlagSet) action {
			former := f.Bool("former", false, "print the predecessors' options that have no effect or are refused")
			markdown := f.Bool("markdown", false, "print tables in Markdown, not for NAME and --former")
			asJSON := f.Bool("json", false, "print a list for a program to read, not for NAME and --former")
			return func(s streams, args []string) int { return options(s, args, *former, *markdown, *asJSON) }
		},
	}
}

func options(s streams, rest []string, former, markdown, asJSON bool) int {
	set := declared()
	groups := set.Groups()
	one := len(rest) == 1 && !slices.Contains(groups, rest[0])
	switch {
	case former && len(rest) > 0:
		return s.misused("options", errors.New("--former prints all of them"))
	case markdown && (former || one || asJSON):
		return s.misused("options", errors.New("--markdown prints tables of groups only"))
	case asJSON && (former || one):
		return s.misused("options", errors.New("--json prints groups only"))
	case former:
		fmt.Fprint(s.out, goneText(set.Gone()))
		return exitGood
	case one:
		return printOption(s, set, rest[0])
	case len(rest) == 1:
		groups = rest
	}
	if asJSON {
		return printOptions(s, set, groups)
	}
	for i, g := range groups {
		if i > 0 {
			fmt.Fprintln(s.out)
		}
		printGroup(s, set, g, markdown, len(groups) > 1)
	}
	return exitGood
}

// printOptions prints the options of groups as a list in JSON.
func printOptions(s streams, set *conf.Set, groups []string) int {
	type option struct {
		Name    string   `json:"name"`
		Group   string   `json:"group"`
		Type    string   `json:"type"`
		Default string   `json:"default"`
		Doc     string   `json:"doc"`
		Former  []string `json:"former"`
		Secret  bool     `json:"secret"` // there is NAME_file, too
	}
	list := []option{}
	for _, g := range groups {
		for _, o := range set.Documented(g) {
			list = append(list, option{o.Name, o.Group, o.Type, o.Default, o.Doc, append([]string{}, o.Former...), o.IsSecret()})
		}
	}
	e := json.NewEncoder(s.out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(list); err != nil {
		s.complain(err)
		return exitUsage
	}
	return exitGood
}

// printOption prints what a name in a configuration means.
func printOption(s streams, set *conf.Set, name string) int {
	for _, prefix := range []string{"auth_opt_", "plugin_opt_"} {
		name = strings.TrimPrefix(name, prefix)
	}
	found := set.Named(name)
	for _, o := range found {
		fmt.Fprint(s.out, o.Text())
	}
	if len(found) > 0 {
		return exitGood
	}
	for _, g := range set.Gone() {
		if g.Is(name) {
			fmt.Fprint(s.out, goneText([]conf.Gone{{Name: name, Refused: g.Refused, Why: g.Why}}))
			return exitGood
		}
	}
	set.Parse([]conf.Line{{Key: name}}) // which knows what was meant
	_, faults := set.Result()
	s.complain(fmt.Errorf("%s; there are groups of options: %s", strings.TrimSuffix(faults.Error(), "?"), strings.Join(set.Groups(), ", ")))
	return exitUsage
}

// goneText renders former options, those with the same reason together.
func goneText(list []conf.Gone) string {
	var b strings.Builder
	for len(list) > 0 {
		first := list[0]
		var names []string
		list = slices.DeleteFunc(list, func(g conf.Gone) bool {
			if g.Refused != first.Refused || g.Why != first.Why {
				return false
			}
			if g.Prefix {
				g.Name += "…"
			}
			names = append(names, g.Name)
			return true
		})
		state := "has no effect"
		if first.Refused {
			state = "refused"
		}
		fmt.Fprintf(&b, "%s\n    %s: %s\n", strings.Join(names, ", "), state, first.Why)
	}
	return b.String()
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
