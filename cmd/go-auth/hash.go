package main

import (
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"
	"time"

	"mosquitto-go-auth/hashing"
)

const hashMore = `SCHEME is argon2id (if there is none), bcrypt or pbkdf2. The password is asked
for, twice, or read from standard input, one line, if that is no terminal; it is
never an argument, which others could see. The hash goes to standard output, to
be put into a password file or a table. What one login with it will cost on this
machine goes to standard error.

The flags are the names of mosquitto-go-auth's options, without hasher_:

  argon2id  --iterations 2 --memory 19456 (KiB) --parallelism 1
            --salt_size 16 --keylen 32
  bcrypt    --cost 10
  pbkdf2    --algorithm sha512 (sha256, sha1) --iterations 210000
            --salt_size 16 --keylen 64

Exit status: 0, 1 if there is no hash, 2 if the command was not understood.
`

// scheme is a kind of hash that can be made, with its flags.
type scheme struct {
	name  string
	flags func(*flag.FlagSet, *hashing.Params)
}

var schemes = [...]scheme{
	{"argon2id", func(f *flag.FlagSet, p *hashing.Params) {
		f.IntVar(&p.Memory, "memory", 0, "")
		f.IntVar(&p.Parallelism, "parallelism", 0, "")
		derivationFlags(f, p)
	}},
	{"bcrypt", func(f *flag.FlagSet, p *hashing.Params) { f.IntVar(&p.Cost, "cost", 0, "") }},
	{"pbkdf2", func(f *flag.FlagSet, p *hashing.Params) {
		f.StringVar(&p.Algorithm, "algorithm", "", "")
		derivationFlags(f, p)
	}},
}

func derivationFlags(f *flag.FlagSet, p *hashing.Params) {
	f.IntVar(&p.Iterations, "iterations", 0, "")
	f.IntVar(&p.SaltSize, "salt_size", 0, "")
	f.IntVar(&p.KeyLength, "keylen", 0, "")
}

func hash(s streams, args []string) int {
	maker, status, ok := makerOf(s, args)
	if !ok {
		return status
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
	return s.weigh(text, password)
}

// makerOf reads the scheme, which comes first if it comes, and its flags.
func makerOf(s streams, args []string) (m hashing.Maker, status int, ok bool) {
	name := schemes[0].name
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		name, args = args[0], args[1:]
	}
	i := slices.IndexFunc(schemes[:], func(x scheme) bool { return x.name == name })
	if i < 0 {
		return nil, s.misused("hash", fmt.Errorf("%q is no scheme; a hash can be argon2id, bcrypt or pbkdf2", name)), false
	}
	var params hashing.Params
	f := newFlags(s, "hash")
	schemes[i].flags(f.FlagSet, &params)
	if _, status, ok := f.parse(args, 0); !ok {
		return nil, status, false
	}
	m, err := hashing.New(name, params)
	if err != nil {
		return nil, s.misused("hash", asFlags(err)), false
	}
	return m, 0, true
}

// asFlags names the flags in an error that names the options.
func asFlags(err error) error {
	return errors.New(strings.ReplaceAll(err.Error(), "hasher_", "--"))
}

// weigh says what a login with a new hash costs.
func (s streams) weigh(text, password string) int {
	h, err := hashing.Parse(text, hashing.SaltBase64, hashing.Limits{BcryptCost: 31,
		PBKDF2Iterations: 1<<31 - 1, Argon2Memory: 1<<31 - 1, Argon2Time: 1<<31 - 1})
	if err != nil {
		s.complain(fmt.Errorf("reading the hash again: %w", err))
		return exitBad
	}
	start := time.Now()
	if !h.Verify(password) {
		s.complain(errors.New("the hash does not verify the password; do not use it"))
		return exitBad
	}
	took := time.Since(start)
	fmt.Fprintf(s.err, "one login with this hash takes %.1f ms on this machine\n", float64(took)/float64(time.Millisecond))
	if _, err := hashing.Parse(text, hashing.SaltBase64, hashing.DefaultLimits()); err != nil {
		fmt.Fprintf(s.err, "the plugin refuses it unless it is told to accept more: %v\n", err)
	}
	return exitGood
}
