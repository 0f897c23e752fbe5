package plugin

import (
	"slices"
	"time"

	"mosquitto-go-auth/backends"
	"mosquitto-go-auth/conf"
	"mosquitto-go-auth/plugin/acl"
)

// NewForOperator is [New] for one who asks at a terminal: the stores are neither
// watched nor probed, and the log, debug lines too, goes to the host. Only the
// methods whose names end in Elsewhere, Explain, Opinions, Drain and Close are to
// be called.
func NewForOperator(host Host, drivers []backends.Driver, lines []conf.Line) (*Engine, error) {
	return build(host, NewProcess(), Table{}, drivers, lines, func(o *options) {
		o.log = logOptions{level: "debug", dest: "mosquitto"}
	})
}

// Drain hands the lines of the log that have come to the host.
func (e *Engine) Drain() {
	for e.journal.drain(e.host) {
	}
}

// Explanation says how an ACL check is answered, and why.
type Explanation struct {
	Answer   Answer
	Sure     bool      // no backend failed to answer that could have granted it
	Name     string    // whose rights count; "" for clients without a user name
	Fault    string    // why nobody is asked: such a name or filter has no rights
	Pattern  string    // the option superusers, if it grants it
	By       int       // the place in Opinions of the backend that grants it; -1 for none
	Opinions []Opinion // of each backend that is asked for rights
	Advice   string    // what to add, and where, to have it granted; "" if that is not known
}

// Denied tells whether a rule denies it, rather than none granting it.
func (x *Explanation) Denied() bool {
	return x.Answer == Denied && slices.ContainsFunc(x.Opinions, func(o Opinion) bool {
		return o.Rules != nil && o.Rules.Decision == acl.Deny
	})
}

// Explain answers an ACL check as CheckElsewhere does, from what the stores say
// now, and says why.
func (e *Engine) Explain(c ACLCheck) Explanation {
	x := Explanation{Sure: true, By: -1}
	if c.HasUsername && e.o.clientIDAsName {
		c.Username = c.ClientID // as since the login
	}
	if c.HasUsername {
		x.Name = c.Username
	}
	if !e.judges {
		x.Answer = NotJudged
		return x
	}
	name, ok := e.subject(c.ClientID, c.Username, c.HasUsername)
	if !ok {
		x.Fault = "user names and client ids that are empty, or have a + or #, have no rights"
		return x
	}
	if acl.Unshared(c.Topic, c.Access) == "" {
		x.Fault = "a shared subscription needs a group and a filter: $share/GROUP/FILTER"
		return x
	}
	x.Opinions = e.work.opinions(name, c.ClientID, false)
	var parts []part
	for _, o := range x.Opinions {
		parts = append(parts, o.part)
	}
	if e.work.grants(name, parts, time.Now()).Allows(c.ClientID, c.Topic, c.Access) {
		x.Answer = Granted
	}
	e.work.reasons(&x, name, c)
	return x
}

// reasons finds what an answer rests on.
func (w *workers) reasons(x *Explanation, name string, c ACLCheck) {
	for i := range x.Opinions {
		o := &x.Opinions[i]
		x.Sure = x.Sure && (o.Err == nil || x.Answer == Granted)
		if w.grants(name, []part{o.part}, time.Now()).Allows(c.ClientID, c.Topic, c.Access) && x.By < 0 {
			x.By = i
		}
		if !o.Known || o.Broken != nil || o.Everything() || o.Checks&backends.CheckACL == 0 {
			continue
		}
		client := acl.Client{User: o.Name, ID: c.ClientID}
		if o.Unjudged(c.Access) {
			rules := acl.Received(o.Account.Sections, w.aclOptions(), client, c.Topic)
			o.Rules = &rules
			continue
		}
		if rules, err := acl.Explain(o.Account.Sections, w.aclOptions(), client, c.Topic, c.Access); err == nil {
			o.Rules = &rules
		}
	}
	if x.Pattern = w.chain.superPattern(name); x.Pattern != "" {
		x.By = -1
	}
	if x.Answer == Denied && x.Sure && !x.Denied() {
		x.Advice = advice(x.Opinions, c)
	}
}

func (w *workers) aclOptions() acl.Options {
	return acl.Options{WildcardsMatchDollar: w.o.dollar}
}

// advice says how to grant what was asked, in the first backend that knows the
// user, or else in the first that is asked for rights.
func advice(opinions []Opinion, c ACLCheck) string {
	r := backends.Rule{Pattern: acl.Unshared(c.Topic, c.Access), Access: c.Access, Literal: true}
	if r.Pattern == "" {
		return ""
	}
	text := ""
	for _, o := range opinions {
		a, ok := o.backend.(backends.Adviser)
		if !ok || o.Checks&backends.CheckACL == 0 || o.Expired || !o.Known && text != "" {
			continue
		}
		if said := a.HowToGrant(o.Name, r); said != "" {
			text = said
			if o.Known {
				return said
			}
		}
	}
	return text
}
