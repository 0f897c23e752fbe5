package seed

import (
	"fmt"
	"testing"

	"mosquitto-go-auth/test/brokertest"
	"mosquitto-go-auth/test/mqtt"
)

// number is one of the rights of the users' tables, and what a row with it grants
// if the query compares it with the access by size, and if the plugin reads it.
type number struct {
	rw           any // nil: NULL
	bySize, bits string
}

var numbers = []number{
	{nil, "---", "---"},
	{0, "---", "---"},
	{1, "r--", "r--"},
	{2, "rw-", "-w-"},
	{3, "rw-", "rw-"},
	{4, "rws", "--s"},
	{5, "rws", "r-s"},
	{6, "rws", "-ws"},
	{7, "rws", "rws"},
}

// trial finds out what a user may do. For each of the numbers it has a user u0,
// u1 and so on, with a row for the topic t/USER.
type trial struct {
	broker *brokertest.Running
	admin  *mqtt.Client                             // may do everything
	set    func(t *testing.T, topic string, rw any) // changes a row
}

func newTrial(t *testing.T, broker *brokertest.Running, admin string, set func(*testing.T, string, any)) *trial {
	t.Helper()
	x := &trial{broker, login(t, broker, admin), set}
	mustSubscribe(t, x.admin, "t/#")
	return x
}

// all compares the rights of all numbers with those wanted.
func (x *trial) all(t *testing.T, bits bool) {
	t.Helper()
	for i, n := range numbers {
		want := n.bySize
		if bits {
			want = n.bits
		}
		if got := x.rights(t, fmt.Sprintf("u%d", i), n.rw); got != want {
			t.Errorf("rw %v grants %s, want %s", n.rw, got, want)
		}
	}
}

// rights gives the user's row a number and returns what it grants, as r, w and
// s. To tell reading from subscribing, the user subscribes while it has every
// right; another login of the user then brings the new ones.
func (x *trial) rights(t *testing.T, name string, rw any) string {
	t.Helper()
	topic := "t/" + name
	x.set(t, topic, 7)
	c := login(t, x.broker, name)
	mustSubscribe(t, c, topic)
	x.set(t, topic, rw)
	o := user(name)
	o.ID, o.Version = name+" again", 5
	again := mqtt.Login(t, x.broker.Addr, o)

	got := []byte("---")
	if reaches(t, x.admin, c, topic) {
		got[0] = 'r'
	}
	if reaches(t, c, x.admin, topic) {
		got[1] = 'w'
	}
	if subscribes(again, topic) {
		got[2] = 's'
	}
	return string(got)
}
