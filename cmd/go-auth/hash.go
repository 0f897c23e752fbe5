package main

import (
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"

	"mosquitto-go-auth/hashing"
)

func hashCommand() command {
	return command{
		name: "hash", args: "[SCHEME]", max: 1, extra: errNoPassword, words: schemeNames,
		doc: "make a password hash",
		more: `SCHEME is argon2id (if there is none), bcrypt or pbkdf2, or --bcrypt or --pbkdf2. The password is asked
for, twice, or read from standard input, one line, if that is no terminal; it is
never an argument, which others could see. The hash goes to standard output, to
be put into a password file or a table. What one login with it will cost on this
machine goes to standard error.

The flags are the names of mosquitto-go-auth's options, without hasher_:

  argon2id  --iterations 2 --memory 19456 (KiB) --parallelism 1
            --salt_size 16 --keylen 32
  bcrypt    --cost 10
  pbkdf2    --algorithm sha512 (sha256, sha1) --iterations 210000
            --salt_size 16 --keylen 64 --salt_encoding base64 (utf-8)
`,
		status: [3]string{"the hash was made", "there is no hash", "the command was not understood"},
		declare: func(f *flag.FlagSet) action {
			var p hashing.Params
			f.IntVar(&p.Memory, "memory", 0, "`KIB` how much memory, argon2id")
			f.IntVar(&p.Parallelism, "parallelism", 0, "`NUMBER` how many lanes, argon2id")
			f.IntVar(&p.Iterations, "iterations", 0, "`NUMBER` how many rounds, argon2id and pbkdf2")
			f.IntVar(&p.SaltSize, "salt_size", 0, "`BYTES` how long the salt is, argon2id and pbkdf2")
			f.IntVar(&p.KeyLength, "keylen", 0, "`BYTES` how long the key is, argon2id and pbkdf2")
			f.IntVar(&p.Cost, "cost", 0, "`NUMBER` how many rounds, as a power of two, bcrypt")
			f.StringVar(&p.Algorithm, "algorithm", "", "`NAME` the digest, pbkdf2")
			var salt saltEncoding
			f.Var(&salt, "salt_encoding", "`NAME` how the salt is read: base64 or utf-8, pbkdf2")
			anyCost := anyCostFlag(f)
			chosen := map[string]*bool{}
			for _, x := range schemes {
				chosen[x.name] = f.Bool(x.name, false, "the same as the scheme "+x.name)
			}
			return func(s streams, args []string) int {
				p.SaltText = salt.SaltEncoding == hashing.SaltText
				refuseZeros(f, map[string]*int{"memory": &p.Memory, "parallelism": &p.Parallelism, "iterations": &p.Iterations,
					"salt_size": &p.SaltSize, "keylen": &p.KeyLength, "cost": &p.Cost})
				for name, yes := range chosen {
					if *yes {
						args = append(args, name)
					}
				}
				return hash(s, f, args, p, *anyCost)
			}
		},
	}
}

// scheme is a kind of hash that can be made.
type scheme struct {
	name  string
	flags []string // those that it has
}

var schemes = [...]scheme{
	{"argon2id", []string{"memory", "parallelism", "iterations", "salt_size", "keylen"}},
	{"bcrypt", []string{"cost"}},
	{"pbkdf2", []string{"algorithm", "iterations", "salt_size", "keylen", "salt_encoding"}},
}

func schemeNames() (names []string) {
	for _, x := range schemes {
		names = append(names, x.name)
	}
	return names
}

func hash(s streams, given *flag.FlagSet, args []string, p hashing.Params, anyCost bool) int {
	maker, err := makerOf(given, args, p)
	if err != nil {
		return s.misused("hash", asFlags(err))
	}
	if err := affordable(schemeOf(args), p); err != nil {
		s.complain(asFlags(err))
		return exitBad
	}
	if err := acceptable(schemeOf(args), p); err != nil && !anyCost {
		s.complain(asFlags(err))
		return exitBad
	}
	password, err := newPassword(s)
	if err != nil {
		s.complain(err)
		return exitBad
	}
	text, err := maker.Make(password)
	if err != nil {
		s.complain(asFlags(err))
		return exitBad
	}
	fmt.Fprintln(s.out, text)
	salt := hashing.SaltBase64
	if p.SaltText {
		salt = hashing.SaltText
	}
	return cost(s, text, password, salt)
}

// schemeOf is the name of the scheme that the arguments choose.
func schemeOf(args []string) string {
	if len(args) == 0 {
		return schemes[0].name
	}
	return args[0]
}

// makerOf finds the scheme, whose flags may be given.
func makerOf(given *flag.FlagSet, args []string, p hashing.Params) (hashing.Maker, error) {
	x := schemes[0]
	if len(args) > 1 {
		return nil, errors.New("a hash has one scheme")
	}
	if len(args) > 0 {
		i := slices.IndexFunc(schemes[:], func(x scheme) bool { return x.name == args[0] })
		if i < 0 {
			return nil, errors.New("there is no such scheme; a hash can be " + strings.Join(schemeNames(), ", "))
		}
		x = schemes[i]
	}
	var err error
	given.Visit(func(f *flag.Flag) {
		if f.Name != "any_cost" && !slices.Contains(x.flags, f.Name) && x.name != f.Name {
			err = fmt.Errorf("%s has no --%s", x.name, f.Name)
		}
	})
	if err != nil {
		return nil, err
	}
	return hashing.New(x.name, p)
}

// asFlags names the flags in an error that names the options.
func asFlags(err error) error {
	return errors.New(strings.ReplaceAll(err.Error(), "hasher_", "--"))
}

// cost says what a login with a new hash costs.
func cost(s streams, text, password string, salt hashing.SaltEncoding) int {
	h, err := hashing.Parse(text, salt, noLimits())
	if err != nil {
		s.complain(fmt.Errorf("reading the hash again: %w", err))
		return exitBad
	}
	took, matches := weigh(h, password)
	if !matches {
		s.complain(errors.New("the hash does not verify the password; do not use it"))
		return exitBad
	}
	fmt.Fprintf(s.err, "one login with this hash takes %s on this machine\n", milliseconds(took))
	if _, err := hashing.Parse(text, salt, hashing.DefaultLimits()); err != nil {
		fmt.Fprintf(s.err, "the plugin refuses it unless it is told to accept more: %v\n", err)
	}
	return exitGood
}
