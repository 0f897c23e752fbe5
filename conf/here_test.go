package conf

import (
	"errors"
	"fmt"
	"io/fs"
	"testing"
)

func TestHere(t *testing.T) {
	s := NewSet()
	s.Fault("", "backend %s: %w", "files", fmt.Errorf("option password_file: %w", &fs.PathError{Op: "open", Path: "p", Err: fs.ErrPermission}))
	s.Fault("", "%w", fmt.Errorf("x: %w", ErrUnset))
	s.Fault("", "%w", fs.ErrNotExist)
	_, err := s.Result()
	var faults Faults
	if !errors.As(err, &faults) || len(faults) != 3 {
		t.Fatal(err)
	}
	for i, want := range []error{fs.ErrPermission, ErrUnset, nil} {
		if faults[i].Here != want {
			t.Errorf("%v: here %v, want %v", faults[i], faults[i].Here, want)
		}
	}
}
