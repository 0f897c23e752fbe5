package main

import (
	"errors"
	"flag"
	"io"
)

// flags parses a command's flags, before and behind its other arguments, of
// which there may be so many.
type flags struct {
	*flag.FlagSet
	s streams
}

func newFlags(s streams, name string) flags {
	set := flag.NewFlagSet(name, flag.ContinueOnError)
	set.SetOutput(io.Discard) // misused says it in the way of the other faults
	return flags{set, s}
}

// parse returns the other arguments, at most so many. Where it returns false,
// the command has ended with the status.
func (f flags) parse(args []string, atMost int) (rest []string, status int, ok bool) {
	for {
		err := f.Parse(args)
		if errors.Is(err, flag.ErrHelp) {
			return nil, help(f.s, []string{f.Name()}), false
		}
		if err != nil {
			return nil, f.s.misused(f.Name(), err), false
		}
		if f.NArg() == 0 {
			return rest, 0, true
		}
		if len(rest) == atMost {
			// It is not shown: it could be a password.
			return nil, f.s.misused(f.Name(), errors.New("there is one argument too many")), false
		}
		rest, args = append(rest, f.Arg(0)), f.Args()[1:]
	}
}
