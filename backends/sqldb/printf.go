package sqldb

import (
	"errors"
	"fmt"
	"strings"
)

// usesPrintf tells whether the parameters of a query are printf verbs. A query
// with a placeholder of the server's own style has none: its %s is something
// else, an argument of DATE_FORMAT or part of a pattern.
func usesPrintf(tokens []token, q Query) bool {
	native, verbs := false, false
	for _, t := range tokens {
		native = native || t.kind == placeholder
		verbs = verbs || wholeVerb(t) != ""
	}
	if native {
		return q.AuthPlug && verbs
	}
	return q.AuthPlug || strings.Contains(q.Text, "%s")
}

// wholeVerb returns %s or %d for a token that is nothing else, bare or as a
// whole string.
func wholeVerb(t token) string {
	v := t.source
	if t.kind == literal && v[0] != '$' {
		v = v[1 : len(v)-1]
	} else if t.kind != percent {
		return ""
	}
	if v == "%s" || v == "%d" {
		return v
	}
	return ""
}

// rewrite turns whole verbs into placeholders and %% into %. What printf would
// have put inside a string or a name is refused.
func rewrite(d Dialect, tokens []token) error {
	strs := 0
	for i := range tokens {
		t := &tokens[i]
		switch {
		case t.kind == placeholder:
			return fmt.Errorf("the query mixes '%%s' and %s: use one of them", t.source)
		case wholeVerb(*t) == "%d":
			t.kind, t.param = placeholder, Access
		case wholeVerb(*t) == "%s" && strs == 2:
			return errors.New("there is a third %s: the first stands for the user name, the second for the client identifier")
		case wholeVerb(*t) == "%s":
			t.kind, t.param = placeholder, []Param{Name, ClientID}[strs]
			strs++
		default:
			if err := refuseVerbs(d, *t); err != nil {
				return err
			}
			t.text = strings.ReplaceAll(t.source, "%%", "%")
		}
	}
	return nil
}

// refuseVerbs complains of a verb inside a longer token.
func refuseVerbs(d Dialect, t token) error {
	for rest := t.source; ; {
		i := strings.IndexByte(rest, '%')
		if i < 0 {
			return nil
		}
		v := rest[i:]
		v = v[:verb(v)]
		rest = rest[i+len(v):]
		switch {
		case v == "%%":
		case (v == "%s" || v == "%d") && t.kind == literal:
			return fmt.Errorf("%s stands inside a longer string; put the string together instead: %s", v, concat(t.source, v))
		case v == "%s" || v == "%d":
			return fmt.Errorf("%s cannot stand inside a name or a comment", v)
		default:
			return fmt.Errorf("%s is not understood: only %%s and %%d are, and %%%% for a percent sign", v)
		}
	}
}

// concat suggests what to write for a string that contains a verb.
func concat(source, verb string) string {
	quote := source[:1]
	if quote == "$" {
		return "CONCAT('…', '" + verb + "')"
	}
	var parts []string
	for i, p := range strings.Split(source[1:len(source)-1], verb) {
		if i > 0 {
			parts = append(parts, "'"+verb+"'")
		}
		if p != "" {
			parts = append(parts, quote+p+quote)
		}
	}
	return "CONCAT(" + strings.Join(parts, ", ") + ")"
}
