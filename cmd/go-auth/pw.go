package main

import (
	"errors"
	"flag"
	"fmt"
	"strings"

	"mosquitto-go-auth/hashing"
)

func pwCommand() command {
	return command{
		name: "pw", args: "",
		doc: "make a password hash, with the flags of mosquitto-go-auth's pw",
		more: `It is for scripts that exist; go-auth hash is for new ones. The command does the
same under the name pw, as a link to it or a copy. What is not given is chosen as
go-auth hash does: the predecessor took 100000 iterations, for argon2id too, where
one login then took minutes. Without -p, the password is asked for, or read from
standard input. mosquitto-auth-plug's np had -i and -p; with -e utf-8 its hashes
are made.
`,
		status: [3]string{"the hash was made", "there is no hash", "the command was not understood"},
		declare: func(f *flag.FlagSet) action {
			var p hashing.Params
			var salt saltEncoding
			name := f.String("h", "pbkdf2", "`NAME` the scheme: pbkdf2, bcrypt or argon2id")
			password := f.String("p", "", "`PASSWORD` which others on this machine can see; better give it in standard input")
			f.StringVar(&p.Algorithm, "a", "sha512", "`NAME` the digest, pbkdf2: sha512 or sha256")
			f.IntVar(&p.Iterations, "i", 0, "`NUMBER` how many rounds, pbkdf2 and argon2id")
			f.IntVar(&p.SaltSize, "s", 0, "`BYTES` how long the salt is, pbkdf2 and argon2id")
			f.Var(&salt, "e", "`NAME` how the salt is read, pbkdf2: base64 or utf-8")
			f.IntVar(&p.KeyLength, "l", 0, "`BYTES` how long the key is, pbkdf2 and argon2id")
			f.IntVar(&p.Cost, "c", 0, "`NUMBER` how many rounds, as a power of two, bcrypt")
			f.IntVar(&p.Memory, "m", 0, "`KIB` how much memory, argon2id")
			f.IntVar(&p.Parallelism, "pl", 0, "`NUMBER` how many lanes, argon2id")
			return func(s streams, _ []string) int {
				p.SaltText = salt.SaltEncoding == hashing.SaltText
				refuseZeros(f, map[string]*int{"i": &p.Iterations, "s": &p.SaltSize, "l": &p.KeyLength, "c": &p.Cost, "m": &p.Memory, "pl": &p.Parallelism})
				return pw(s, *name, p, given(f, "p"), *password)
			}
		},
	}
}

// given tells whether a flag was given.
func given(f *flag.FlagSet, name string) (yes bool) {
	f.Visit(func(g *flag.Flag) { yes = yes || g.Name == name })
	return yes
}

func pw(s streams, name string, p hashing.Params, inArguments bool, password string) int {
	if name == "argon2" { // as the predecessor's help had it
		name = "argon2id"
	}
	maker, err := hashing.New(name, p)
	if err != nil {
		return s.misused("pw", asPwFlags(err))
	}
	if err := affordable(name, p); err != nil {
		s.complain(asPwFlags(err))
		return exitBad
	}
	if inArguments {
		fmt.Fprintln(s.err, "go-auth: others on this machine can see a password behind -p; give it in standard input")
	} else if password, err = newPassword(s); err != nil {
		s.complain(err)
		return exitBad
	}
	text, err := maker.Make(password)
	if err != nil {
		s.complain(err)
		return exitBad
	}
	fmt.Fprintln(s.out, text)
	return exitGood
}

// asPwFlags names pw's flags in an error that names the options.
func asPwFlags(err error) error {
	return errors.New(strings.NewReplacer("hasher_algorithm", "-a", "hasher_iterations", "-i", "hasher_salt_size", "-s",
		"hasher_keylen", "-l", "hasher_cost", "-c", "hasher_memory", "-m", "hasher_parallelism", "-pl").Replace(err.Error()))
}
