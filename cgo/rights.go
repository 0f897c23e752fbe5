package main

/*
#include <stdlib.h>
#include "host.h"
*/
import "C"

import (
	"errors"
	"math/rand/v2"
	"time"
	"unsafe"

	"mosquitto-go-auth/plugin"
	"mosquitto-go-auth/plugin/acl"
)

// rights is the table in C's memory. It implements plugin.Rights.
type rights struct {
	table  *C.struct_rights
	images map[acl.Image]*image // each once, however many users share it
	copies map[*C.uint8_t]*image
}

var _ plugin.Rights = (*rights)(nil)

// image is a copy of an acl.Image that C may keep.
type image struct {
	acl.Image
	at   *C.uint8_t
	uses int
}

var errMemory = errors.New("no memory")

func newRights() (*rights, error) {
	table := C.rights_new(C.uint32_t(rand.Uint32()))
	if table == nil {
		return nil, errMemory
	}
	return &rights{table: table, images: map[acl.Image]*image{}, copies: map[*C.uint8_t]*image{}}, nil
}

// Publish implements plugin.Rights. Without memory the user is left out, and
// the engine asked.
func (r *rights) Publish(name string, p acl.Profile, until time.Time) {
	if e := r.entry(key(name), p, until); e != nil {
		r.retire(C.rights_publish(r.table, e))
		return
	}
	r.Forget(name)
}

// entry makes a user's entry; nil without memory.
func (r *rights) entry(name string, p acl.Profile, until time.Time) *C.struct_entry {
	end := C.host_now() + C.int64_t(time.Until(until))
	e := C.entry_new(chars(name), C.size_t(len(name)), C.int(len(p)), end)
	if e == nil {
		return nil
	}
	for i, part := range p {
		at, ok := r.hold(part.Image)
		if !ok || !bool(C.entry_part(e, C.int(i), chars(part.User), C.size_t(len(part.User)), at, C.bool(part.Everything))) {
			r.release(at)
			r.retire(e)
			return nil
		}
	}
	return e
}

// hold returns the copy of an image, nil for an empty one.
func (r *rights) hold(img acl.Image) (at *C.uint8_t, ok bool) {
	if len(img) == 0 {
		return nil, true
	}
	held := r.images[img]
	if held == nil {
		held = &image{Image: img, at: (*C.uint8_t)(C.calloc(1, C.size_t(len(img))))} // C.malloc would end the process
		if held.at == nil {
			return nil, false
		}
		copy(unsafe.Slice((*byte)(held.at), len(img)), img)
		r.images[img], r.copies[held.at] = held, held
	}
	held.uses++
	return held.at, true
}

func (r *rights) release(at *C.uint8_t) {
	held := r.copies[at]
	if held == nil {
		return // an empty image has no copy
	}
	if held.uses--; held.uses == 0 {
		delete(r.images, held.Image)
		delete(r.copies, at)
		C.free(unsafe.Pointer(at))
	}
}

// retire frees an entry that is no longer, or never was, in the table.
func (r *rights) retire(e *C.struct_entry) {
	if e == nil {
		return
	}
	for i := range C.entry_parts(e) {
		r.release((*C.uint8_t)(C.entry_image(e, i)))
	}
	C.entry_free(e)
}

// Forget implements plugin.Rights.
func (r *rights) Forget(name string) {
	name = key(name)
	r.retire(C.rights_forget(r.table, chars(name), C.size_t(len(name))))
}

// free ends the table.
func (r *rights) free() {
	C.rights_free(r.table)
	for _, held := range r.images {
		C.free(unsafe.Pointer(held.at))
	}
	clear(r.images)
	clear(r.copies)
}

// key is the name in the table. A client that gives the name "" is refused, so
// that "" can stand for those that give none.
func key(name string) string {
	if name == plugin.Anonymous {
		return ""
	}
	return name
}

// chars lends a Go string to C for one call. It is never NULL.
func chars(s string) *C.char {
	if s == "" {
		s = "\x00"
	}
	return (*C.char)(unsafe.Pointer(unsafe.StringData(s)))
}
