package broker_test

import (
	"fmt"
	"sync"
	"testing"

	"mosquitto-go-auth/test/brokertest"
	"mosquitto-go-auth/test/mqtt"
)

// Many wrong logins at a time do not keep the broker from answering others.
func TestFloodOfWrongLogins(t *testing.T) {
	brokertest.Each(t, func(t *testing.T, b brokertest.Broker) {
		r := start(t, b, accounts("bystander")+account("ann", secret, slow/5), "")
		bystander := mqtt.Login(t, r.Addr, as("bystander", "bystander"))
		var flood sync.WaitGroup
		for i := range 20 {
			flood.Go(func() {
				for try := range 3 {
					o := mqtt.As("ann", fmt.Sprint("guess", i))
					o.ID, o.Version = fmt.Sprint("flood", i), byte(3+try)
					c := mqtt.Dial(t, r.Addr, o)
					if got := c.Connect(); got.Code == mqtt.Success {
						t.Errorf("a guess is let in: %+v", o)
					}
					c.Drop()
				}
			})
		}
		over := make(chan struct{})
		go func() { flood.Wait(); close(over) }()
		for pings := 0; ; pings++ {
			if !bystander.Alive() {
				t.Fatalf("no answer to ping %d", pings)
			}
			select {
			case <-over:
				t.Logf("%d pings were answered", pings)
				mqtt.Login(t, r.Addr, as("ann", "in the end"))
				return
			default:
			}
		}
	})
}
