package main

import (
	"errors"
	"flag"
	"fmt"

	"mosquitto-go-auth/plugin"
)

func loginCommand() command {
	return command{
		name: "login", args: "USER", max: 1, extra: errNoPassword,
		doc: "ask whether a user may log in",
		more: `The password is asked for, or read from standard input, one line, if that is no
terminal; it is never an argument, which others could see. The stores are asked as
the broker asks them, with the broker's configuration. To be told what the broker
would be, run it as the broker's user.
`,
		status:  [3]string{"the broker would let the user in", "it would not", "cannot tell: a store does not answer, the configuration has faults, or the command was not understood"},
		declare: declareLogin,
	}
}

// operator is the client id of one who asks and gives none.
const operator = "go-auth"

func declareLogin(f *flag.FlagSet) action {
	a := declareAsking(f)
	client := f.String("client", operator, "`ID` the client id")
	address := f.String("address", "", "`IP` the client's address, for the line that --verbose shows")
	return func(s streams, args []string) int {
		if len(args) == 0 {
			return s.misused("login", errors.New("whose? name a user"))
		}
		e, done, err := a.engine(s)
		if err != nil {
			return s.cannotTell(err)
		}
		defer done()
		password, err := oldPassword(s)
		if err != nil {
			s.complain(err)
			return exitUsage
		}
		l := plugin.Login{ClientID: *client, Username: args[0], HasUsername: true, Password: password, HasPassword: true, Address: *address}
		if e.ClientIDAsName() && *client == operator {
			l.ClientID = args[0]
		}
		v, why := e.TryElsewhere(l)
		e.Drain()
		return s.told(v, why)
	}
}

// told prints the answer to a login.
func (s streams) told(v plugin.Verdict, why string) int {
	switch v {
	case plugin.Accept:
		fmt.Fprintf(s.out, "accepted: %s\n", why)
		return exitGood
	case plugin.Refuse:
		fmt.Fprintf(s.out, "refused: %s\n", why)
		return exitBad
	}
	fmt.Fprintf(s.out, "cannot tell: %s\n", why)
	return exitUsage
}
