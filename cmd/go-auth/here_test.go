package main

import (
	"io/fs"
	"os/user"
	"strings"
	"testing"

	"mosquitto-go-auth/conf"
)

func TestOnlyHere(t *testing.T) {
	me, err := user.Current()
	if err != nil {
		t.Skip(err)
	}
	tests := []struct {
		name, user string
		cause      error
		only       bool
		want       string
	}{
		{"a fault everywhere", "", nil, false, "wrong"},
		{"another user's file", "", fs.ErrPermission, true, "sudo -u mosquitto go-auth"},
		{"a named user's file", "broker", fs.ErrPermission, true, "sudo -u broker go-auth"},
		{"the broker's user asks", me.Username, fs.ErrPermission, false, "wrong"},
		{"a variable", me.Username, conf.ErrUnset, true, "cannot be told of the broker"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			file := &conf.File{User: conf.Setting{Value: test.user}}
			r, only := onlyHere(file, conf.Remark{Text: "wrong", Here: test.cause})
			if only != test.only || !strings.Contains(r.Text, test.want) || (r.Here != nil) != only {
				t.Errorf("%v, %+v", only, r)
			}
		})
	}
}
