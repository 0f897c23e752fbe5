package main

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"strings"
	"syscall"

	"mosquitto-go-auth/conf"
)

// namesFile tells of which options the value is the name of a file that the
// broker has to read; files of secrets are known by their name.
var namesFile = map[string]bool{
	"files_password_path": true, "files_acl_path": true, "acl_file": true,
	"mysql_sslrootcert": true, "mysql_sslcert": true, "mysql_sslkey": true,
	"pg_sslrootcert": true, "pg_sslcert": true, "pg_sslkey": true,
	"redis_tls_ca": true, "redis_tls_cert": true, "redis_tls_key": true,
}

// unreadable finds files that the broker cannot read once it has become another
// user. Only root can find that out; started by another user, the broker does not
// become one.
func unreadable(file *conf.File, p *conf.Plugin) (found []conf.Remark) {
	if os.Geteuid() != 0 {
		return nil
	}
	name := brokersUser(file)
	who, err := credential(name)
	if err != nil || who.Uid == 0 {
		return nil
	}
	set := declared()
	for _, l := range p.Options {
		path := strings.TrimSpace(l.Value)
		for _, o := range set.Named(l.Key) {
			if !namesFile[o.Name] && (!o.IsSecret() || o.Is(l.Key)) {
				continue
			}
			if _, err := os.Stat(path); err == nil && !readableBy(who, path) {
				found = append(found, conf.Remark{At: l.At, Key: l.Key, Text: fmt.Sprintf("the broker's user %s cannot read it; chown %s %s, and look at the directories above", name, name, path)})
			}
			break
		}
	}
	return found
}

// credential is what a process of the user has.
func credential(name string) (*syscall.Credential, error) {
	u, err := user.Lookup(name)
	if err != nil {
		return nil, err
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	c := &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	groups, err := u.GroupIds()
	if err != nil {
		return nil, err
	}
	for _, g := range groups {
		if n, err := strconv.ParseUint(g, 10, 32); err == nil {
			c.Groups = append(c.Groups, uint32(n))
		}
	}
	return c, nil
}

// readableBy has a process of the user try: the bits of the mode do not tell all.
func readableBy(who *syscall.Credential, path string) bool {
	// The program is called by its path: PATH is the caller's.
	cmd := exec.Command("/usr/bin/test", "-r", path)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: who}
	err := cmd.Run()
	_, refused := err.(*exec.ExitError)
	return !refused // if test is not there, nothing is said
}
