package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os/user"

	"mosquitto-go-auth/conf"
)

// brokersUser is who the broker becomes if root starts it.
func brokersUser(file *conf.File) string {
	if file.User.Value == "" {
		return "mosquitto" // the broker's default
	}
	return file.User.Value
}

// readConfig reads the broker's configuration, and says what to do if the broker
// could read it, but not this process.
func readConfig(path string) (*conf.File, error) {
	file, err := conf.ReadFile(path)
	if errors.Is(err, fs.ErrPermission) {
		err = fmt.Errorf("%w; run this as root, or as a user who may read it", err)
	}
	return file, err
}

// onlyHere tells whether a fault is one of this process, which the broker need
// not have, and returns it with what to do.
func onlyHere(file *conf.File, r conf.Remark) (conf.Remark, bool) {
	name := brokersUser(file)
	switch {
	case errors.Is(r.Here, conf.ErrUnset):
		r.Text += "; that is so here, and cannot be told of the broker: set it for this command, too"
		return r, true
	case errors.Is(r.Here, fs.ErrPermission):
		if u, err := user.Current(); err == nil && u.Username == name {
			r.Here = nil
			return r, false
		}
		r.Text += "; it is you who cannot read it: run this as the broker's user, sudo -u " + name + " go-auth ..., or as root"
		return r, true
	}
	return r, false
}
