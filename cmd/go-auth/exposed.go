package main

import (
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"mosquitto-go-auth/conf"
)

// holdsKey tells which options name a file with a private key.
var holdsKey = map[string]bool{"mysql_sslkey": true, "pg_sslkey": true, "redis_tls_key": true}

// exposed warns of files that others can change, or read where they hold secrets:
// others than root, the user that the broker becomes and, if that is not root, who
// asks. The plugin itself is to be root's alone.
func exposed(file *conf.File, p *conf.Plugin) (found []conf.Remark) {
	warn := func(at conf.Position, key, text string) {
		found = append(found, conf.Remark{At: at, Key: key, Text: text})
	}
	if who := trusted().writer(p.Path); who != "" && filepath.IsAbs(p.Path) {
		warn(p.At, "", p.Path+": "+who+", and so run code of their choice in the broker; keep it where only root can write")
	}
	broker, texts, set := trusted(brokersUser(file)), []string{file.Path, p.At.File}, declared()
	for _, l := range p.Options {
		texts = append(texts, l.At.File)
		for _, o := range set.Named(l.Key) {
			if !o.IsSecret() && !namesFile[o.Name] {
				continue
			}
			if text := broker.remark(l, o); text != "" {
				warn(l.At, l.Key, text)
			}
			break
		}
	}
	slices.Sort(texts)
	for _, name := range slices.Compact(texts) {
		if who := broker.writer(name); who != "" {
			warn(conf.Position{File: name}, "", who+", and so decide who is let in and what the broker runs")
		}
	}
	return found
}

// remark says what is wrong with the file that holds a secret, that with the line or
// the one it names, or with another file that it names.
func (c circle) remark(l conf.Line, o *conf.Option) string {
	if o.IsSecret() && o.Is(l.Key) {
		who := c.reader(l.At.File)
		if who == "" || strings.HasPrefix(l.Value, "${") {
			return ""
		}
		return "a secret in a file that " + who + " can read; " + forbid(who, l.At.File) + ", or give it as " + l.Key + "_file"
	}
	name := strings.TrimSpace(l.Value)
	if who := c.reader(name); who != "" && (o.IsSecret() || holdsKey[o.Name]) {
		return who + " can read the secret in it; " + forbid(who, name)
	}
	who := c.writer(name)
	if o.Group == "files" && who == everyone+changesIt {
		return "" // the backend says so itself
	}
	return who
}

const (
	everyone  = "everyone on this machine"
	changesIt = " can change it"
)

// forbid says how to keep a reader away from a file.
func forbid(reader, name string) string {
	if reader == everyone {
		return "chmod o-r " + name
	}
	return "chmod g-r " + name
}

// circle is who may change a file, or read a secret.
type circle struct{ users, groups map[uint32]bool }

// trusted returns the circle of root, these users and who asks. A group belongs
// if it is a user's own, by its name.
func trusted(names ...string) circle {
	c := circle{map[uint32]bool{0: true}, map[uint32]bool{0: true}}
	if me, err := user.Current(); err == nil {
		names = append(names, me.Username)
	}
	for _, name := range names {
		who, err := credential(name)
		if err != nil {
			continue
		}
		c.users[who.Uid] = true
		if groupName(who.Gid) == name {
			c.groups[who.Gid] = true
		}
	}
	return c
}

// reader returns who else can read a file, or "".
func (c circle) reader(name string) string {
	mode, owner, ok := stat(name)
	switch {
	case ok && mode&0o004 != 0:
		return everyone
	case ok && mode&0o040 != 0 && !c.groups[owner.Gid]:
		return "the group " + groupName(owner.Gid)
	}
	return ""
}

// writer says who else can change a file, or put another in its place, or
// returns "".
func (c circle) writer(name string) string {
	if who := c.changes(name); who != "" {
		return who + changesIt
	}
	path, err := filepath.Abs(name)
	if err != nil {
		return ""
	}
	places := above(path)
	if target, err := filepath.EvalSymlinks(path); err == nil && target != path {
		places = append(places, above(target)...)
	}
	for _, dir := range places {
		if who := c.changes(dir); who != "" {
			return who + " can replace it, being able to write to " + dir
		}
	}
	return ""
}

// changes returns who else can write to a file or directory.
func (c circle) changes(name string) string {
	mode, owner, ok := stat(name)
	switch {
	case !ok:
	case !c.users[owner.Uid]:
		return "the user " + userName(owner.Uid)
	case mode&fs.ModeSticky != 0: // in it, only their owners replace files
	case mode&0o002 != 0:
		return everyone
	case mode&0o020 != 0 && !c.groups[owner.Gid]:
		return "the group " + groupName(owner.Gid)
	}
	return ""
}

func stat(name string) (mode fs.FileMode, owner *syscall.Stat_t, ok bool) {
	info, err := os.Stat(name)
	if err != nil {
		return 0, nil, false
	}
	owner, ok = info.Sys().(*syscall.Stat_t)
	return info.Mode(), owner, ok
}

// above returns the directories above a path, the nearest first.
func above(path string) (dirs []string) {
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		dirs = append(dirs, dir)
		if dir == filepath.Dir(dir) {
			return dirs
		}
	}
}

func userName(uid uint32) string {
	id := strconv.FormatUint(uint64(uid), 10)
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	return id
}

func groupName(gid uint32) string {
	id := strconv.FormatUint(uint64(gid), 10)
	if g, err := user.LookupGroupId(id); err == nil {
		return g.Name
	}
	return id
}
