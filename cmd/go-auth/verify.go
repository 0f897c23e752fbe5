package main

import (
	"errors"
	"flag"
	"fmt"

	"mosquitto-go-auth/hashing"
)

func verifyCommand() command {
	return command{
		name: "verify", args: "'HASH'", max: 1, extra: errNoPassword,
		doc: "tell whether a password matches a stored hash",
		more: `The password is asked for, or read from standard input, one line, if that is no
terminal. A hash has to stand in single quotes, since a shell takes a $ for the
beginning of a variable.
`,
		status: [3]string{"the password matches", "it does not", "that cannot be told: the hash is refused, or there is no password"},
		declare: func(f *flag.FlagSet) action {
			var salt saltEncoding
			f.Var(&salt, "salt_encoding", "`NAME` how the salt of a classic PBKDF2 hash is read: both, base64 or utf-8")
			anyCost := anyCostFlag(f)
			return func(s streams, args []string) int { return verify(s, args, salt.SaltEncoding, *anyCost) }
		},
	}
}

func anyCostFlag(f *flag.FlagSet) *bool {
	return f.Bool("any_cost", false, "do not mind how much it costs, though the plugin does")
}

func verify(s streams, args []string, salt hashing.SaltEncoding, anyCost bool) int {
	if len(args) == 0 {
		return s.misused("verify", errors.New("there is no hash"))
	}
	limits := hashing.DefaultLimits()
	if anyCost {
		limits = memoryLimits()
	}
	h, err := hashing.Parse(args[0], salt, limits)
	if anyCost && errors.Is(err, hashing.ErrTooCostly) { // only memory has a limit then
		s.complain(errors.New("the hash asks for more memory than this machine has to spare"))
		return exitUsage
	}
	if err != nil {
		s.complain(err)
		for _, line := range remedy(args[0], err) {
			fmt.Fprintln(s.err, line)
		}
		return exitUsage
	}
	password, err := oldPassword(s)
	if err != nil {
		s.complain(err)
		return exitUsage
	}
	if h.Scheme() == "bcrypt" && len(password) > 72 {
		fmt.Fprintln(s.err, "bcrypt sees only the first 72 bytes of this password")
	}
	if !h.Verify(password) {
		fmt.Fprintln(s.out, "the password does not match")
		return exitBad
	}
	fmt.Fprintln(s.out, "the password matches")
	return exitGood
}
