package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"mosquitto-go-auth/backends"
	"mosquitto-go-auth/backends/files"
	"mosquitto-go-auth/conf"
	"mosquitto-go-auth/hashing"
	"mosquitto-go-auth/plugin"
)

// refused warns of hashes in a password file that the plugin would refuse at the
// login: for each reason, how many there are and in which lines. They are not shown.
func refused(p *conf.Plugin, b plugin.Finding) (found []conf.Remark) {
	if b.Name != files.Driver.Name || b.Checks&backends.CheckUser == 0 {
		return nil
	}
	set := declared()
	set.Parse(p.Options)
	l, _ := set.Counts("files_password_path")
	path := strings.TrimSpace(l.Value)
	passwords, err := files.Passwords(path)
	if err != nil {
		return nil // it is a fault of the option, and told
	}
	lines := map[string][]int{} // by what is said of them
	for _, one := range passwords {
		if err := b.Refuses(one.Hash); err != nil {
			why := unusable(err)
			lines[why] = append(lines[why], one.Line)
		}
	}
	for why, in := range lines {
		slices.Sort(in)
		found = append(found, conf.Remark{At: conf.Position{File: path, Line: in[0]}, Text: counted(in) + " cannot be used: " + why})
	}
	slices.SortFunc(found, func(a, b conf.Remark) int { return cmp.Compare(a.At.Line, b.At.Line) })
	return found
}

// unusable says why a hash is refused, and what to do.
func unusable(err error) string {
	const anew = "set the password anew, to what `go-auth hash` makes of it"
	switch {
	case errors.Is(err, hashing.ErrTooCostly):
		return err.Error() + "; raise that, or " + anew
	case errors.Is(err, hashing.ErrUnknown):
		return err.Error() + "; a password in clear text is none: store what `go-auth hash` makes of it"
	case errors.Is(err, hashing.ErrUnsupported): // it says what to do
		return err.Error()
	}
	return err.Error() + "; " + anew
}

// counted says how many lines there are, and which are the first.
func counted(lines []int) string {
	const most = 5
	if len(lines) == 1 {
		return "the hash"
	}
	var first []string
	for _, n := range lines[:min(len(lines), most)] {
		first = append(first, strconv.Itoa(n))
	}
	if len(lines) > most {
		first = append(first, "...")
	}
	return fmt.Sprintf("%d hashes (lines %s)", len(lines), strings.Join(first, ", "))
}
