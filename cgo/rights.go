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
	images map[acl.Image]*image   // each once, however many users share it
	users  map[string][]acl.Image // the images that a user's entry holds
}

var _ plugin.Rights = (*rights)(nil)

// image is a copy of an acl.Image that C may keep.
type image struct {
	at   *C.uint8_t
	uses int
}

var errMemory = errors.New("no memory")

func newRights() (*rights, error) {
	table := C.rights_new(C.uint32_t(rand.Uint32()))
	if table == nil {
		return nil, errMemory
	}
	return &rights{table: table, images: map[acl.Image]*image{}, users: map[string][]acl.Image{}}, nil
}

// Publish implements plugin.Rights. Without memory the user is left out, and
// the engine asked.
func (r *rights) Publish(name string, p acl.Profile, until time.Time) {
	old := r.users[name]
	e := r.entry(name, p, until)
	if e == nil {
		C.rights_forget(r.table, chars(key(name)), C.size_t(len(key(name))))
		delete(r.users, name)
	} else {
		C.rights_publish(r.table, e)
	}
	r.release(old)
}

// entry makes a user's entry, and notes the images in it; nil without memory.
func (r *rights) entry(name string, p acl.Profile, until time.Time) *C.struct_entry {
	end := C.host_now() + C.int64_t(time.Until(until))
	e := C.entry_new(chars(key(name)), C.size_t(len(key(name))), C.int(len(p)), end)
	if e == nil {
		return nil
	}
	var held []acl.Image
	for i, part := range p {
		at, ok := r.hold(part.Image)
		if ok && at != nil {
			held = append(held, part.Image)
		}
		if !ok || !bool(C.entry_part(e, C.int(i), chars(part.User), C.size_t(len(part.User)), at, C.bool(part.Everything))) {
			r.release(held)
			C.entry_free(e)
			return nil
		}
	}
	r.users[name] = held
	return e
}

// hold returns the copy of an image, nil for an empty one.
func (r *rights) hold(img acl.Image) (at *C.uint8_t, ok bool) {
	if len(img) == 0 {
		return nil, true
	}
	held := r.images[img]
	if held == nil {
		held = &image{at: (*C.uint8_t)(C.malloc(C.size_t(len(img))))}
		if held.at == nil {
			return nil, false
		}
		copy(unsafe.Slice((*byte)(held.at), len(img)), img)
		r.images[img] = held
	}
	held.uses++
	return held.at, true
}

func (r *rights) release(images []acl.Image) {
	for _, img := range images {
		held := r.images[img]
		if held.uses--; held.uses == 0 {
			C.free(unsafe.Pointer(held.at))
			delete(r.images, img)
		}
	}
}

// Forget implements plugin.Rights.
func (r *rights) Forget(name string) {
	C.rights_forget(r.table, chars(key(name)), C.size_t(len(key(name))))
	r.release(r.users[name])
	delete(r.users, name)
}

// free ends the table.
func (r *rights) free() {
	C.rights_free(r.table)
	for _, held := range r.images {
		C.free(unsafe.Pointer(held.at))
	}
	clear(r.images)
	clear(r.users)
}

// key is the name in the table. A client that gives the name "" is refused, so
// that "" can stand for those that give none.
func key(name string) string {
	if name == plugin.Anonymous {
		return ""
	}
	return name
}

// chars lends a Go string to C for one call.
func chars(s string) *C.char { return (*C.char)(unsafe.Pointer(unsafe.StringData(s))) }
