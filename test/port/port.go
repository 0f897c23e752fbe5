// Package port gives tests ports for their servers that nobody else takes.
package port

import (
	"errors"
	"fmt"
	"syscall"
	"testing"
)

// Held is a TCP port of 127.0.0.1 at which a server may listen that allows its address
// to be reused (SO_REUSEADDR), as servers do. Whoever asks the system for any port is
// not given this one, be the server up, down, or yet to start; connections to it are
// refused while there is no server.
type Held struct {
	Port   int
	socket int
}

// Hold takes a port. It is held by a socket that is bound to it and does not listen.
func Hold() (*Held, error) {
	socket, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("taking a port: %w", err)
	}
	h := &Held{socket: socket}
	err = syscall.SetsockoptInt(socket, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1)
	if err == nil {
		err = syscall.Bind(socket, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}})
	}
	var name syscall.Sockaddr
	if err == nil {
		name, err = syscall.Getsockname(socket)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("taking a port: %w", err), h.Close())
	}
	h.Port = name.(*syscall.SockaddrInet4).Port
	return h, nil
}

// Close gives the port back.
func (h *Held) Close() error { return syscall.Close(h.socket) }

// Free returns a port that is held until the test ends.
func Free(t testing.TB) int {
	t.Helper()
	h, err := Hold()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h.Port
}
