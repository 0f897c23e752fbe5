package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"

	"mosquitto-go-auth/hashing"
)

func identifyCommand() command {
	return command{
		name: "identify", args: "['HASH']", max: 1,
		doc: "tell what kind of hash it is, what it costs, and whether the plugin accepts it",
		more: `The hash stands in single quotes, or in standard input. Whether it costs too much
is told by the plugin's default bounds, the options hash_max_...
`,
		status: [3]string{"the plugin accepts it", "the plugin refuses it, and what to do is said", "the command was not understood"},
		declare: func(f *flag.FlagSet) action {
			anyCost := anyCostFlag(f)
			return func(s streams, args []string) int { return identify(s, args, *anyCost) }
		},
	}
}

func identify(s streams, args []string, anyCost bool) int {
	text, err := hashText(s, args)
	if err != nil {
		return s.misused("identify", err)
	}
	_, refused := hashing.Parse(text, hashing.SaltAny, hashing.DefaultLimits())
	if h, err := hashing.Parse(text, hashing.SaltAny, noLimits()); err == nil {
		s.property("kind", h.Scheme())
		s.property("parameters", h.Parameters())
		if h.Memory() > 0 {
			s.property("memory", fmt.Sprintf("%.1f MiB", float64(h.Memory())/(1<<20)))
		}
		if refused == nil || anyCost && int(h.Memory()>>10) < available() {
			took, _ := weigh(h, "a password that is wrong")
			s.property("one login", milliseconds(took)+" on this machine")
		}
	} else {
		s.property("kind", kindOf(err))
	}
	if refused == nil {
		s.property("accepted", "yes")
		return exitGood
	}
	s.property("accepted", "no, "+reason(refused))
	for _, line := range remedy(text, refused) {
		s.property("what to do", line)
	}
	return exitBad
}

// property prints one thing that was found out.
func (s streams) property(name, value string) { fmt.Fprintf(s.out, "%-12s%s\n", name+":", value) }

// hashText is the argument, or else what stands in standard input.
func hashText(s streams, args []string) (string, error) {
	if len(args) > 0 {
		return args[0], nil
	}
	if f, ok := s.in.(*os.File); ok && isTerminal(f) {
		return "", errors.New("there is no hash")
	}
	const longest = 1 << 16
	text, err := io.ReadAll(io.LimitReader(s.in, longest))
	if err != nil {
		return "", fmt.Errorf("reading the hash: %w", err)
	}
	if len(text) == 0 {
		return "", errors.New("there is no hash")
	}
	return string(text), nil
}

// kindOf names what was refused.
func kindOf(err error) string {
	var r *hashing.Refusal
	if errors.As(err, &r) {
		return r.Scheme
	}
	return "unknown"
}

// reason says why it was refused.
func reason(err error) string {
	var r *hashing.Refusal
	switch {
	case !errors.As(err, &r):
		return err.Error()
	case errors.Is(err, hashing.ErrUnsupported):
		return "it is not supported"
	case errors.Is(err, hashing.ErrTooCostly):
		return "it costs too much: " + r.Why
	}
	return "it is malformed: " + r.Why
}

// option finds the name of an option in an error.
var option = regexp.MustCompile(`hash_max_\w+`)

// remedy says what to do with a hash that was refused, in lines.
func remedy(text string, err error) []string {
	var r *hashing.Refusal
	switch {
	case errors.Is(err, hashing.ErrUnsupported) && errors.As(err, &r):
		return []string{r.Why}
	case errors.Is(err, hashing.ErrTooCostly):
		return []string{"raise " + option.FindString(err.Error()) + " in the plugin's options, or set the password anew, to what `go-auth hash` makes of it"}
	case strings.Contains(text, ":$"):
		return []string{"give only what stands behind the colon"}
	case strings.Contains(text, "$") && errors.Is(err, hashing.ErrMalformed):
		return []string{"see that all of it was given, in single quotes, and that its column is wide enough: 255 characters"}
	case strings.Contains(text, "$"):
		return []string{"set the password anew, to what `go-auth hash` makes of it"}
	}
	return []string{"write the hash in single quotes: a shell takes a $ for the beginning of a variable",
		"a password in clear text is no hash: store what `go-auth hash` makes of it"}
}
