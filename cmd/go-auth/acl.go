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

func aclCommand() command {
	return command{
		name: "acl", args: "USER CLIENT TOPIC r|w|s", max: 4,
		doc: "ask whether a user may receive (r), publish (w) or subscribe (s)",
		more: `CLIENT is the client id. TOPIC is a filter with s. The stores are asked as the
broker asks them, with the broker's configuration. The broker itself may answer
from what it fetched before, up to acl_cache_seconds ago.
`,
		status: [3]string{"granted", "denied",
			"cannot tell: a store does not answer, the configuration has faults, the plugin is not asked for rights, or the command was not understood"},
		declare: declareACL,
	}
}

func declareACL(f *flag.FlagSet) action {
	a := declareAsking(f)
	explain := f.Bool("explain", false, "show which rule decides, what is wrong with the others, and what to add")
	anonymous := f.Bool("anonymous", false, "ask for clients without a user name; then without USER")
	return func(s streams, args []string) int {
		if *anonymous {
			args = append([]string{""}, args...)
		}
		c, err := checkOf(args, !*anonymous)
		if err != nil {
			return s.misused("acl", err)
		}
		e, done, err := a.engine(s)
		if err != nil {
			return s.cannotTell(err)
		}
		defer done()
		x := e.Explain(c)
		var logins []plugin.Opinion
		if *explain && x.Name != "" && x.Fault == "" && x.Answer != plugin.NotJudged {
			logins, _ = e.Opinions(x.Name, c.ClientID)
		}
		e.Drain()
		status := s.judged(&x, c)
		if *explain && x.Answer != plugin.NotJudged {
			if unheardOf(logins) {
				fmt.Fprintf(s.out, "no backend has a password for %s, who cannot log in with one\n", shown(x.Name))
			}
			noUsers(&x, logins)
			printReasons(s.out, &x, c)
		}
		return status
	}
}

// noUsers takes over which backends have rules for the name, but no such user: one
// that is asked for rights alone does not tell.
func noUsers(x *plugin.Explanation, logins []plugin.Opinion) {
	for i := range x.Opinions {
		o := &x.Opinions[i]
		o.NoUser = slices.ContainsFunc(logins, func(l plugin.Opinion) bool { return l.Backend == o.Backend && l.NoUser })
	}
}

// unheardOf tells whether the backends are asked for passwords, all answer, and
// none has one for the name.
func unheardOf(list []plugin.Opinion) bool {
	asked := false
	for _, o := range list {
		if o.Err != nil || o.Hash != "" || o.HashErr != nil {
			return false
		}
		asked = asked || o.Checks&backends.CheckUser != 0
	}
	return asked
}

var accessWords = map[string]backends.Access{
	"r": backends.Read, "read": backends.Read, "1": backends.Read,
	"w": backends.Write, "write": backends.Write, "2": backends.Write,
	"s": backends.Subscribe, "subscribe": backends.Subscribe, "4": backends.Subscribe,
}

// checkOf reads the question.
func checkOf(args []string, named bool) (c plugin.ACLCheck, err error) {
	switch missing := len(args) == 3 && accessWords[args[2]] != 0; {
	case missing && named:
		return c, errors.New("the client id is missing: USER CLIENT TOPIC r|w|s")
	case missing:
		return c, errors.New("the client id is missing: --anonymous CLIENT TOPIC r|w|s")
	case len(args) != 4:
		return c, errors.New("write whose right, from which client, to which topic, and r, w or s")
	}
	c = plugin.ACLCheck{Username: args[0], HasUsername: named, ClientID: args[1], Topic: args[2], Access: accessWords[args[3]]}
	switch {
	case c.Access == 0:
		return c, fmt.Errorf("%.20q is no right; write r (receive), w (publish) or s (subscribe)", args[3])
	case c.Topic == "":
		return c, errors.New("the topic is empty")
	case c.Access != backends.Subscribe && strings.ContainsAny(c.Topic, "+#"):
		return c, fmt.Errorf("%.100q is a filter; a message has a topic without + and #, and only s asks about filters: write s in place of %s, or a topic", c.Topic, args[3])
	}
	if c.Access == backends.Subscribe {
		if filter := acl.Unshared(c.Topic, c.Access); filter != "" {
			err = backends.CheckFilter(filter)
		}
	}
	return c, err
}

// judged prints the answer in a line.
func (s streams) judged(x *plugin.Explanation, c plugin.ACLCheck) int {
	switch {
	case x.Answer == plugin.NotJudged:
		fmt.Fprintln(s.out, "cannot tell: the plugin is asked for no rights, so Mosquitto's own acl_file decides; without one, everything is allowed")
		return exitUsage
	case x.Answer == plugin.Granted:
		fmt.Fprintf(s.out, "granted: %s\n", granter(x))
		return exitGood
	case !x.Sure:
		fmt.Fprintf(s.out, "cannot tell: %s\n", failures(x))
		return exitUsage
	}
	fmt.Fprintf(s.out, "denied: %s\n", refuser(x, c))
	return exitBad
}

// granter says what grants a right.
func granter(x *plugin.Explanation) string {
	if x.By < 0 {
		return fmt.Sprintf("the option superusers (%s) is about %s", x.Pattern, shown(x.Name))
	}
	o := &x.Opinions[x.By]
	if whole := wholly(o); o.Rules == nil && whole != "" {
		return fmt.Sprintf("%s: %s %s", o.Backend, subject(o), whole)
	}
	if r, ok := decider(o); ok {
		return fmt.Sprintf("%s: rule %s %s", o.Backend, kind(r.Rule), pattern(r.Rule))
	}
	return fmt.Sprintf("%s: subscriptions are not judged, only what is received", o.Backend)
}

// refuser says why nothing grants it.
func refuser(x *plugin.Explanation, c plugin.ACLCheck) string {
	if x.Fault != "" {
		return x.Fault
	}
	known := false
	for i := range x.Opinions {
		o := &x.Opinions[i]
		known = known || o.Known
		if r, ok := decider(o); ok {
			return fmt.Sprintf("%s: rule %s %s", o.Backend, kind(r.Rule), pattern(r.Rule))
		}
		if o.Rules != nil && o.Rules.Decision == acl.TooDeep {
			return fmt.Sprintf("%s: too many rules match in part; make them fewer", o.Backend)
		}
	}
	who := "clients without a user name"
	if x.Name != "" {
		who = shown(x.Name)
	}
	if !known {
		return fmt.Sprintf("no backend has rules for %s", who)
	}
	return fmt.Sprintf("no rule gives %s the right %s on %s", who, acl.Letters(c.Access), shown(c.Topic))
}

// failures lists what could not be asked.
func failures(x *plugin.Explanation) string {
	var list []string
	for _, o := range x.Opinions {
		if o.Err != nil {
			list = append(list, o.Err.Error())
		}
	}
	return strings.Join(list, "; ")
}

func decider(o *plugin.Opinion) (acl.Remark, bool) {
	if o.Rules == nil || len(o.Rules.Remarks) == 0 || !o.Rules.Remarks[0].Decides {
		return acl.Remark{}, false
	}
	return o.Rules.Remarks[0], true
}

// printReasons prints what each backend has to do with the answer, and what could
// be added.
func printReasons(to io.Writer, x *plugin.Explanation, c plugin.ACLCheck) {
	if x.Name != c.Username {
		fmt.Fprintf(to, "The user name is the client id, %s (use_clientid_as_username).\n", shown(x.Name))
	}
	for i := range x.Opinions {
		printRules(to, &x.Opinions[i], c)
	}
	if x.Denied() {
		for i := range x.Opinions {
			if r, ok := decider(&x.Opinions[i]); ok {
				fmt.Fprintf(to, "to grant it, change the rule of %s that denies it: %s %s\n", x.Opinions[i].Backend, kind(r.Rule), pattern(r.Rule))
			}
		}
	} else if x.Advice != "" {
		fmt.Fprintf(to, "to grant it, %s\n", strings.ReplaceAll(x.Advice, "\n", "\n    "))
	}
}

// remarksShown is how many rules are shown that do not decide.
const remarksShown = 10

func printRules(to io.Writer, o *plugin.Opinion, c plugin.ACLCheck) {
	if o.Rules == nil {
		o.Notes = nil
		printOpinion(to, o)
		return
	}
	fmt.Fprint(to, title(o), acquaintance(o), "\n")
	switch {
	case o.Unjudged(c.Access) && len(o.Rules.Remarks) == 0:
		fmt.Fprintf(to, "    subscriptions are not judged, but no rule lets through anything of %s\n", shown(c.Topic))
	case o.Unjudged(c.Access):
		fmt.Fprintf(to, "    subscriptions are not judged; of %s it receives, the first rule that matches counting, and nothing else:\n", shown(c.Topic))
	case o.Account.Subscribes:
		fmt.Fprintln(to, "    subscriptions are not judged, only what is received")
	}
	list := o.Rules.Remarks
	others := o.Rules.Others
	if n := len(list) - remarksShown; n > 0 {
		list, others = list[:remarksShown], others+n
	}
	width := 0
	for _, r := range list {
		width = max(width, len(rule(r.Rule)))
	}
	for _, r := range list {
		fmt.Fprintf(to, "    %-*s  %s\n", min(width, 40), rule(r.Rule), r.Text)
	}
	if others > 0 {
		about := "about other topics"
		if o.Unjudged(c.Access) {
			about = "about other topics or rights"
		}
		fmt.Fprintf(to, "    %s %s\n", count(others, "more rule"), about)
	}
}
