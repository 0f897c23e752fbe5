// Package hashing recognises stored password hashes by their shape, verifies
// passwords against them and makes new ones.
package hashing

import "errors"

var (
	// ErrUnknown: the text has the shape of no hash that is known here.
	ErrUnknown = errors.New("not a known password hash")
	// ErrMalformed: it has the shape of one, but not its contents.
	ErrMalformed = errors.New("malformed password hash")
)
