package acl

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"mosquitto-go-auth/backends"
)

// Explanation says how rules answer one question, and what each has to do with
// the answer.
type Explanation struct {
	Decision Decision
	Remarks  []Remark // the deciding rule first, then what matches, too; or, if none decides, the nearest first
	Others   int      // rules that have nothing to do with the question
}

// Remark says what one rule has to do with the answer.
type Remark struct {
	Section, Index int // of the rule, from 0
	Rule           backends.Rule
	Decides        bool
	Text           string // what follows "the rule"
	nearness       nearness
}

// nearness orders remarks: what would have decided comes first.
type nearness uint8

const (
	decides nearness = iota
	beaten           // matches, but another rule decided
	unusable
	otherAccess
	hidden // for a $
	unfilled
	partly // covers a part of a filter
	level  // one level is another one
	far
)

// Explain answers as an account's compiled rules do, and says why. It takes time
// for each rule, and is meant for an operator who asks. The error is that of
// [Compile].
func Explain(sections []backends.Section, o Options, c Client, topic string, access backends.Access) (x Explanation, err error) {
	img, _, err := Compile(sections, o)
	if err != nil {
		return x, err
	}
	q := question{o, c, Unshared(topic, access), access}
	if q.topic == "" {
		return x, nil
	}
	x.Decision = img.Walk(c, q.topic, access)
	decided := false
	for i, s := range sections {
		found := q.section(s)
		for k := range found {
			found[k].Section = i
			if decided && found[k].nearness <= beaten {
				found[k].Decides, found[k].nearness = false, beaten
				found[k].Text = "matches, but is not reached: the rules in the section before decide"
			}
		}
		decided = decided || slices.ContainsFunc(found, func(r Remark) bool { return r.Decides })
		x.Remarks = append(x.Remarks, found...)
		x.Others += len(s) - len(found)
	}
	if decided {
		n := len(x.Remarks)
		x.Remarks = slices.DeleteFunc(x.Remarks, func(r Remark) bool { return r.nearness > unusable })
		x.Others += n - len(x.Remarks)
	}
	slices.SortStableFunc(x.Remarks, func(a, b Remark) int { return cmp.Compare(a.nearness, b.nearness) })
	return x, nil
}

// Received says which rules speak of what a subscription would receive, for
// accounts whose subscriptions are all granted. They stand in the order in which
// they count: the first that matches a message decides on it.
func Received(sections []backends.Section, o Options, c Client, filter string) (x Explanation) {
	q := question{o, c, Unshared(filter, backends.Subscribe), backends.Subscribe}
	for i, s := range sections {
		first := len(x.Remarks)
		for k, r := range s {
			if r.Access&backends.Read == 0 || backends.CheckFilter(r.Pattern) != nil || !q.fillable(r) || !q.overlaps(r) {
				x.Others++
				continue
			}
			text := "is received"
			if r.Deny {
				text = "is not received"
			}
			x.Remarks = append(x.Remarks, Remark{Section: i, Index: k, Rule: r, Text: text})
		}
		slices.SortStableFunc(x.Remarks[first:], func(a, b Remark) int {
			switch {
			case a.Rule.Deny == b.Rule.Deny:
				return 0
			case a.Rule.Deny:
				return -1
			}
			return 1
		})
	}
	return x
}

// fillable tells whether the client has what the rule's placeholders stand for.
func (q question) fillable(r backends.Rule) bool {
	for _, p := range q.placeholders() {
		if !r.Literal && strings.Contains(r.Pattern, p.mark) && (p.value == "" || hasSpecial(p.value)) {
			return false
		}
	}
	return true
}

// question is what is asked of rules.
type question struct {
	o      Options
	client Client
	topic  string
	access backends.Access
}

// section returns what there is to say of the rules of one section, if no other
// section came before it.
func (q question) section(s backends.Section) (found []Remark) {
	first, denied := -1, false
	for i, r := range s {
		m := Remark{Index: i, Rule: r, nearness: beaten}
		if !q.matches(r) {
			if m.nearness, m.Text = q.near(r); m.nearness < far {
				found = append(found, m)
			}
			continue
		}
		if first < 0 || r.Deny && !denied {
			first, denied = len(found), r.Deny
		}
		found = append(found, m)
	}
	for i := range found {
		m := &found[i]
		switch {
		case m.nearness != beaten:
		case i == first && denied:
			m.Decides, m.nearness, m.Text = true, decides, "denies it, whatever else grants it"
		case i == first:
			m.Decides, m.nearness, m.Text = true, decides, "grants it"
		case m.Rule.Deny:
			m.Text = "denies it, too"
		case denied:
			m.Text = "would grant it, but a rule that denies beats it"
		default:
			m.Text = "grants it, too"
		}
	}
	return found
}

// matches tells whether a rule by itself would decide. It asks the same walk.
func (q question) matches(r backends.Rule) bool {
	r.Deny = false
	img, _, err := Compile([]backends.Section{{r}}, q.o)
	return err == nil && img.Walk(q.client, q.topic, q.access) == Allow
}

// wouldMatch is matches for a rule with another pattern and with the right that
// is asked for.
func (q question) wouldMatch(r backends.Rule, pattern string) bool {
	r.Pattern, r.Access = pattern, q.access
	return q.matches(r)
}

// near says how a rule that does not match fails to.
func (q question) near(r backends.Rule) (nearness, string) {
	if err := backends.CheckFilter(r.Pattern); err != nil {
		return unusable, "is left out: " + err.Error()
	}
	if r.Deny {
		return far, ""
	}
	if q.wouldMatch(r, r.Pattern) {
		if r.Access&backends.SubscribeParts != 0 && q.access == backends.Subscribe {
			return otherAccess, "allows to subscribe to all filters below it, but not to " + q.topic + " itself"
		}
		return otherAccess, "matches, but gives " + Letters(r.Access) + ", not " + Letters(q.access)
	}
	if dollar := (question{Options{WildcardsMatchDollar: true}, q.client, q.topic, q.access}); dollar.wouldMatch(r, r.Pattern) {
		return hidden, "does not reach topics that begin with $: its first level has to name them"
	}
	if text := q.unfilled(r); text != "" {
		return unfilled, text
	}
	if q.access == backends.Subscribe && q.overlaps(r) {
		return partly, "covers only a part of what the filter asks for"
	}
	if text := q.differs(r); text != "" {
		return level, text
	}
	return far, ""
}

// unfilled says why a rule with placeholders does not match that would match if
// they stood for something else.
func (q question) unfilled(r backends.Rule) string {
	levels, topic := strings.Split(r.Pattern, "/"), strings.Split(q.topic, "/")
	filled := map[int]string{}
	for i, l := range levels {
		if strings.Contains(l, "%u") || strings.Contains(l, "%c") {
			filled[i] = l
			levels[i] = "+"
		}
	}
	if len(filled) == 0 || !q.wouldMatch(r, strings.Join(levels, "/")) {
		return ""
	}
	if r.Literal {
		r.Literal = false
		if q.wouldMatch(r, r.Pattern) {
			return "takes %u and %c as plain text, not as the user name and the client id"
		}
		return ""
	}
	for _, p := range q.placeholders() {
		if !strings.Contains(r.Pattern, p.mark) {
			continue
		}
		if p.value == "" {
			return p.mark + " matches nothing: the client has no " + p.what
		}
		if hasSpecial(p.value) {
			return p.mark + " matches nothing: the " + p.what + " has a +, # or /"
		}
	}
	for i, has := range topic {
		if wants := q.fill(filled[i]); wants != "" && wants != has {
			return fmt.Sprintf("asks for %q where the topic has %q", wants, has)
		}
	}
	return ""
}

type mark struct{ mark, value, what string }

func (q question) placeholders() [2]mark {
	return [2]mark{{"%u", q.client.User, "user name"}, {"%c", q.client.ID, "client id"}}
}

func (q question) fill(level string) string {
	return strings.NewReplacer("%u", q.client.User, "%c", q.client.ID).Replace(level)
}

// overlaps tells whether some topics match both the rule's pattern and the filter
// that is asked for.
func (q question) overlaps(r backends.Rule) bool {
	a, b := strings.Split(r.Pattern, "/"), strings.Split(q.topic, "/")
	if (strings.HasPrefix(a[0], "$") || strings.HasPrefix(b[0], "$")) && a[0] != b[0] {
		return false
	}
	for i := 0; ; i++ {
		aEnds, bEnds := i >= len(a), i >= len(b)
		switch {
		case !aEnds && a[i] == "#", !bEnds && b[i] == "#":
			return true
		case aEnds || bEnds:
			return aEnds && bEnds
		}
		if l := a[i]; l != "+" && b[i] != "+" && l != b[i] && (r.Literal || q.fill(l) != b[i]) {
			return false
		}
	}
}

// differs says in which level a rule differs, if it is one.
func (q question) differs(r backends.Rule) string {
	switch {
	case q.wouldMatch(r, r.Pattern+"/#"):
		return "reaches no topics below its last level; those need /# at its end"
	case q.wouldMatch(r, "/"+r.Pattern):
		return "has no / at its beginning, the topic has"
	case strings.HasPrefix(r.Pattern, "/") && q.wouldMatch(r, r.Pattern[1:]):
		return "has a / at its beginning, the topic has not"
	}
	levels, topic := strings.Split(r.Pattern, "/"), strings.Split(q.topic, "/")
	alike := len(levels) - strings.Count(r.Pattern, "+") - strings.Count(r.Pattern, "#") - 1
	for i, l := range levels {
		if l == "#" || i >= len(topic) {
			break
		}
		other := slices.Clone(levels)
		other[i] = "+"
		if l == "+" || !q.wouldMatch(r, strings.Join(other, "/")) {
			continue
		}
		if strings.EqualFold(l, topic[i]) {
			return fmt.Sprintf("has %q where the topic has %q: capitals and small letters differ", l, topic[i])
		}
		if alike > 0 { // else it may be about anything
			return fmt.Sprintf("has %q where the topic has %q", l, topic[i])
		}
	}
	return ""
}

// Letters writes rights as in the tables of rights: of r, w and s those that are
// granted. What is no right is "no right".
func Letters(a backends.Access) string {
	text := ""
	for _, l := range []struct {
		right  backends.Access
		letter string
	}{{backends.Read, "r"}, {backends.Write, "w"}, {backends.Subscribe | backends.SubscribeParts, "s"}} {
		if a&l.right != 0 {
			text += l.letter
		}
	}
	if text == "" {
		return "no right"
	}
	return text
}

// Unshared returns the topic or filter by which a question is judged: the filter
// in a shared subscription, "" if that has none, and the topic itself otherwise.
func Unshared(topic string, access backends.Access) string {
	if access != backends.Subscribe {
		return topic
	}
	inner, ok := unshared(topic)
	if !ok {
		return ""
	}
	return inner
}
