package port

import (
	"fmt"
	"net"
	"testing"
)

// A port that is held refuses connections, takes a server, another one after that, and
// is given to nobody else.
func TestFree(t *testing.T) {
	mine := Free(t)
	addr := fmt.Sprint("127.0.0.1:", mine)
	for range 2 {
		if c, err := net.Dial("tcp", addr); err == nil {
			c.Close()
			t.Error("somebody listens")
		}
		l, err := net.Listen("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
		l.Close()
	}
	for range 1000 {
		if other := Free(t); other == mine {
			t.Fatal("the port was given to another one")
		}
	}
}
