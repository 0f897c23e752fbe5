package main

import (
	"errors"
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
