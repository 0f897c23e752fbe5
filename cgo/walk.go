package main

/*
#include <stdlib.h>
#include "host.h"
*/
import "C"

import (
	"runtime"
	"unsafe"

	"mosquitto-go-auth/backends"
	"mosquitto-go-auth/plugin"
	"mosquitto-go-auth/plugin/acl"
)

// walk walks an image in C. Only tests need it: they cannot import "C".
func walk(img acl.Image, c acl.Client, topic string, access backends.Access) acl.Decision {
	var at *C.uint8_t
	if len(img) > 0 {
		at = (*C.uint8_t)(unsafe.StringData(string(img)))
	}
	var pin runtime.Pinner
	defer pin.Unpin()
	text := func(s string) C.struct_text {
		p := unsafe.StringData(s)
		if len(s) > 0 {
			pin.Pin(p)
		}
		return C.struct_text{at: (*C.char)(unsafe.Pointer(p)), len: C.size_t(len(s))}
	}
	return acl.Decision(C.rights_walk(at, text(c.User), text(c.ID), text(topic), C.int(access)))
}

// check asks the table as the shim does. known is false where it leaves the
// answer to Go. Only tests need it.
func (r *rights) check(name, id, topic string, access backends.Access) (a plugin.Answer, known bool) {
	texts := [...]*C.char{C.CString(name), C.CString(id), C.CString(topic)}
	rc := C.rights_check(r.table, texts[0], texts[1], texts[2], C.int(access), C.host_now())
	for _, t := range texts {
		C.free(unsafe.Pointer(t))
	}
	return plugin.Answer(rc), rc != C.RIGHTS_UNKNOWN
}
