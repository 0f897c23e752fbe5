package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"

	"mosquitto-go-auth/backends"
	"mosquitto-go-auth/plugin"
	"mosquitto-go-auth/plugin/acl"
)

func userCommand() command {
	return command{
		name: "user", args: "USER", max: 1,
		doc: "print what the backends know of a user, and all rules",
		more: `For each backend: whether it knows the user, with what kind of password hash, and
the rules. Before each stand the rights that it gives: r to receive, w to publish,
s to subscribe. The hash itself is not printed.
`,
		status:  [3]string{"the user can log in, with the right password", "the user cannot", "cannot tell: a store does not answer, the configuration has faults, or the command was not understood"},
		declare: declareUser,
	}
}

func declareUser(f *flag.FlagSet) action {
	a := declareAsking(f)
	client := f.String("client", operator, "`ID` the client id, for queries that use it")
	return func(s streams, args []string) int {
		if len(args) == 0 {
			return s.misused("user", errors.New("which? name a user"))
		}
		e, done, err := a.engine(s)
		if err != nil {
			return s.cannotTell(err)
		}
		defer done()
		list, super := e.Opinions(args[0], *client)
		e.Drain()
		if super != "" {
			fmt.Fprintf(s.out, "%s may do everything: the option superusers (%s) is about the name\n", shown(args[0]), super)
		}
		for i := range list {
			printOpinion(s.out, &list[i])
		}
		return s.whetherKnown(args[0], list)
	}
}

// whetherKnown concludes what the backends said.
func (s streams) whetherKnown(name string, list []plugin.Opinion) int {
	for i := range list {
		if list[i].Err != nil {
			fmt.Fprintln(s.out, "cannot tell more: a backend did not answer")
			return exitUsage
		}
	}
	if slices.ContainsFunc(list, func(o plugin.Opinion) bool { return o.Vouches }) {
		return exitGood
	}
	if !slices.ContainsFunc(list, func(o plugin.Opinion) bool { return o.Checks&backends.CheckUser != 0 }) {
		fmt.Fprintln(s.out, "no backend is asked for passwords: the plugin leaves logins to Mosquitto")
		return exitUsage
	}
	fmt.Fprintf(s.out, "%s cannot log in\n", shown(name))
	return exitBad
}

// title begins what is said of one backend.
func title(o *plugin.Opinion) string {
	return fmt.Sprintf("%s (%s): ", o.Backend, strings.Join(words(o.Checks), ", "))
}

// subject is who a backend was asked about.
func subject(o *plugin.Opinion) string {
	if o.Name == "" {
		return "clients without a user name"
	}
	return shown(o.Name)
}

func printOpinion(to io.Writer, o *plugin.Opinion) {
	fmt.Fprint(to, title(o))
	switch {
	case o.Err != nil:
		fmt.Fprintf(to, "cannot tell: %s\n", strings.TrimPrefix(o.Err.Error(), o.Backend+": "))
		return
	case !o.Known:
		fmt.Fprintf(to, "does not know %s\n", subject(o))
		return
	default:
		fmt.Fprintf(to, "%s%s\n", acquaintance(o), passwordState(o))
	}
	if whole := wholly(o); whole != "" {
		fmt.Fprintf(to, "    %s\n", whole)
		return
	}
	for i, s := range o.Account.Sections {
		if i > 0 {
			fmt.Fprintln(to, "    and if none of these matches:")
		}
		for _, r := range s {
			fmt.Fprintf(to, "    %s\n", rule(r))
		}
	}
	for _, n := range o.Notes {
		fmt.Fprintf(to, "    %s\n", n)
	}
}

// acquaintance says how a backend knows who it was asked about.
func acquaintance(o *plugin.Opinion) string {
	if o.NoUser {
		return fmt.Sprintf("has no user %s, but rules that hold for the name", subject(o))
	}
	return "knows " + subject(o)
}

// passwordState says whether the user can log in by what a backend has.
func passwordState(o *plugin.Opinion) string {
	switch {
	case o.NoUser:
		return ""
	case o.Expired:
		return ", but the account has expired"
	case !o.Tried:
		return ""
	case o.HashErr != nil:
		return fmt.Sprintf(", but the stored hash cannot be used: %v", o.HashErr)
	case o.Hash == "":
		return ", but has no password"
	}
	return ", password hash " + o.Hash
}

// wholly says what stands in place of rules that are looked at one by one, "" if
// they are.
func wholly(o *plugin.Opinion) string {
	switch {
	case o.Account.Super && o.Everything():
		return "is a superuser, who may do everything"
	case o.Everything():
		return "may do everything, since there are no rules in this backend"
	case o.Checks&backends.CheckACL == 0:
		return "is not asked for rules"
	case o.Broken != nil:
		return "the rules cannot be used, and grant nothing: " + o.Broken.Error()
	case len(o.Account.Sections) == 0 && o.Account.Subscribes:
		return "no rules; every subscription is granted"
	case len(o.Account.Sections) == 0:
		return "no rules"
	}
	return ""
}

// rule writes a rule with its rights in front.
func rule(r backends.Rule) string { return fmt.Sprintf("%-8s %s", kind(r), pattern(r)) }

func kind(r backends.Rule) string {
	if r.Deny {
		return "deny " + acl.Letters(r.Access)
	}
	return acl.Letters(r.Access)
}

func pattern(r backends.Rule) string {
	if r.Literal && (strings.Contains(r.Pattern, "%u") || strings.Contains(r.Pattern, "%c")) {
		return shown(r.Pattern) + " (its % is plain text)"
	}
	return shown(r.Pattern)
}
