package hashing

import (
	"errors"
	"fmt"
)

var (
	// ErrUnknown: the text has the shape of no hash that is known here.
	ErrUnknown = errors.New("not a known password hash")
	// ErrUnsupported: it has the shape of a hash that is not verified here.
	ErrUnsupported = errors.New("unsupported password hash")
	// ErrMalformed: it has the shape of one that is, but not its contents.
	ErrMalformed = errors.New("malformed password hash")
	// ErrTooCostly: to verify it would cost more than the limits allow.
	ErrTooCostly = errors.New("too costly password hash")
)

// Refusal is the error of [Parse] for a text that looks like a hash. It holds
// nothing of the text but the name of the scheme.
type Refusal struct {
	Reason error  // ErrUnsupported, ErrMalformed or ErrTooCostly
	Scheme string // as Hash.Scheme, or a name that is commonly used
	Why    string // or what to do
}

// Error says all of it.
func (r *Refusal) Error() string { return fmt.Sprintf("%v: %s: %s", r.Reason, r.Scheme, r.Why) }

// Unwrap returns the reason.
func (r *Refusal) Unwrap() error { return r.Reason }

func malformed(scheme, why string) error { return &Refusal{ErrMalformed, scheme, why} }

func unsupported(name, advice string) error { return &Refusal{ErrUnsupported, name, advice} }
