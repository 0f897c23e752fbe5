package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// A trial is a testing.TB outside of `go test`, so that the packages that start
// brokers and databases for tests start them for a measure, too. It has the
// methods that those use; the others panic.
type trial struct {
	testing.TB
	cleanups []func()
	faults   []string
}

// try runs f, then what f has left to Cleanup. The error is what f reported.
func try(f func(*trial)) error {
	t := &trial{}
	ended := make(chan struct{})
	go func() { // Fatal ends the goroutine
		defer close(ended)
		defer t.cleanUp()
		f(t)
	}()
	<-ended
	if t.Failed() {
		return errors.New(strings.Join(t.faults, "\n"))
	}
	return nil
}

func (t *trial) cleanUp() {
	for _, f := range slices.Backward(t.cleanups) {
		f()
	}
}

func (t *trial) Helper()                        {}
func (t *trial) Cleanup(f func())               { t.cleanups = append(t.cleanups, f) }
func (t *trial) Failed() bool                   { return len(t.faults) > 0 }
func (t *trial) Error(args ...any)              { t.faults = append(t.faults, fmt.Sprint(args...)) }
func (t *trial) Errorf(format string, a ...any) { t.Error(fmt.Sprintf(format, a...)) }
func (t *trial) Fatal(args ...any)              { t.Error(args...); runtime.Goexit() }
func (t *trial) Fatalf(format string, a ...any) { t.Fatal(fmt.Sprintf(format, a...)) }

// Logf keeps what tests show of a failure: the broker's log.
func (t *trial) Logf(format string, a ...any) { t.Errorf(format, a...) }

// Skip is for what is missing on the machine, which a measure cannot do without.
func (t *trial) Skip(args ...any) { t.Fatal(args...) }

func (t *trial) TempDir() string {
	dir, err := os.MkdirTemp("", "bench-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}
