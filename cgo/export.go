package main

/*
#cgo CFLAGS: -O2 -Wall -Wextra -Wno-unused-parameter
#cgo LDFLAGS: -ldl -lpthread
#include <stdlib.h>
#include <string.h>
#include "host.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"runtime/cgo"
	"strings"
	"sync"
	"unsafe"

	"mosquitto-go-auth/backends"
	"mosquitto-go-auth/backends/all"
	"mosquitto-go-auth/conf"
	"mosquitto-go-auth/plugin"
)

// process is what the instances in this broker share.
var process = newProcess()

func newProcess() *plugin.Process {
	p := plugin.NewProcess()
	p.Tickets.Told = func(client plugin.Ref, begins bool) { C.host_guard(C.uintptr_t(client), C.bool(begins)) }
	p.HashThread = hashThread
	return p
}

// attached is an engine and its host. The broker's thread calls it, and a
// thread of the broker's HTTP API may.
type attached struct {
	*plugin.Engine
	host   *host
	rights *rights
}

// engineOf returns the engine of an instance.
func engineOf(in *C.struct_instance) *attached {
	return cgo.Handle(in.engine).Value().(*attached)
}

// contain keeps a panic from the broker. What the crossing then answers is what
// its result was set to before.
func contain(in *C.struct_instance) {
	if p := recover(); p != nil {
		reportPanic(in, p)
	}
}

// reportPanic logs a panic. Of one without an engine, only the type is shown, as
// the value could hold a secret, and only on the broker's thread.
func reportPanic(in *C.struct_instance, p any) {
	defer func() { _ = recover() }()
	if in != nil && in.engine != 0 {
		engineOf(in).Fault(p)
		return
	}
	if bool(C.host_is_main()) {
		(&host{}).Log(plugin.Error, fmt.Sprintf("go-auth: a fault in the plugin itself, please report it: %T", p))
	}
}

//export goauthInit
func goauthInit(in *C.struct_instance, options *C.struct_mosquitto_opt, count C.int) (rc C.int) {
	defer contain(in)
	rc = C.MOSQ_ERR_INVAL
	h := &host{instance: in, starter: newStarter()}
	defer func() {
		if rc != C.MOSQ_ERR_SUCCESS {
			h.close()
		}
	}()
	var lines []conf.Line
	for _, o := range unsafe.Slice(options, int(count)) {
		lines = append(lines, conf.Line{Key: C.GoString(o.key), Value: C.GoString(o.value)})
	}
	r, err := newRights()
	if err != nil {
		h.logFaults(err)
		return rc
	}
	e, err := plugin.New(h, process, r, all.Drivers(), lines)
	if err != nil {
		r.free()
		h.logFaults(err)
		return rc
	}
	spareOnce.Do(func() { spareProcessor(process.Hashing) })
	in.engine = C.uintptr_t(cgo.NewHandle(&attached{e, h, r}))
	in.rights = r.table
	in.admits, in.judges, in.deny_special = C.bool(e.Admits()), C.bool(e.Judges()), C.bool(e.DeniesSpecial())
	return C.MOSQ_ERR_SUCCESS
}

// logFaults logs each fault in a line of its own.
func (h *host) logFaults(err error) {
	var faults conf.Faults
	if !errors.As(err, &faults) {
		h.Log(plugin.Error, "go-auth: "+err.Error())
		return
	}
	for _, f := range faults {
		h.Log(plugin.Error, "go-auth: "+f.String())
	}
	h.Log(plugin.Error, fmt.Sprintf("go-auth: not started, for %d fault(s) in the configuration", len(faults)))
}

//export goauthCleanup
func goauthCleanup(in *C.struct_instance) {
	defer contain(in)
	if in.engine == 0 {
		return
	}
	handle := cgo.Handle(in.engine)
	e := engineOf(in)
	in.engine = 0
	handle.Delete()
	e.host.close()
	e.Close()
	in.rights = nil
	e.rights.free()
}

//export goauthLogin
func goauthLogin(in *C.struct_instance, client *C.struct_mosquitto, id, username, password *C.char, passwordLen C.size_t,
	address *C.char, version C.int, clean, elsewhere C.bool) (answer C.int) {
	defer contain(in)
	answer = C.LOGIN_REFUSE
	l := plugin.Login{
		Client:      ref(client),
		ClientID:    C.GoString(id),
		Username:    C.GoString(username),
		HasUsername: username != nil,
		Password:    C.GoStringN(password, C.int(passwordLen)),
		HasPassword: password != nil,
		Address:     C.GoString(address),
		Version:     int(version),
		Clean:       bool(clean),
	}
	if elsewhere {
		return C.int(engineOf(in).LoginElsewhere(l))
	}
	return C.int(engineOf(in).Login(l))
}

//export goauthCheck
func goauthCheck(in *C.struct_instance, client *C.struct_mosquitto, id, username, topic *C.char, access C.int, offline, elsewhere C.bool) (answer C.int) {
	defer contain(in)
	answer = C.ACL_DENIED
	e, a := engineOf(in), backends.Access(access)
	e.Counts().Checks.Add(1)
	if elsewhere {
		return C.int(e.CheckElsewhere(C.GoString(id), C.GoString(username), username != nil, C.GoString(topic), a))
	}
	return C.int(e.Check(plugin.ACLCheck{Client: ref(client), ClientID: lent(id), Username: lent(username), HasUsername: username != nil,
		Topic: lent(topic), Access: a, Offline: bool(offline)}))
}

//export goauthTick
func goauthTick(in *C.struct_instance, when C.int) (again C.int) {
	defer contain(in)
	e := engineOf(in)
	e.host.ticked()
	again = 1
	tick := e.Tick
	switch when {
	case C.AT_LOGIN:
		tick = e.TickAtLogin
	case C.AT_CHECK:
		tick = e.TickWithin
	}
	if !tick() {
		again = 0
	}
	return again
}

//export goauthReload
func goauthReload(in *C.struct_instance) {
	defer contain(in)
	engineOf(in).Reload()
}

//export goauthConnected
func goauthConnected(in *C.struct_instance, client *C.struct_mosquitto, id, username *C.char) {
	defer contain(in)
	engineOf(in).Connected(ref(client), C.GoString(id), C.GoString(username), username != nil)
}

//export goauthDisconnected
func goauthDisconnected(in *C.struct_instance, client *C.struct_mosquitto, id *C.char, sessionStays C.bool) {
	defer contain(in)
	engineOf(in).Disconnected(ref(client), C.GoString(id), bool(sessionStays))
}

//export goauthForget
func goauthForget(in *C.struct_instance, client *C.struct_mosquitto) {
	defer contain(in)
	engineOf(in).Forget(ref(client))
}

// cVersion makes the version's C string once; the broker may keep it.
var cVersion = sync.OnceValue(func() *C.char { return C.CString(version) })

//export goauthVersion
func goauthVersion() *C.char { return cVersion() }

func ref(client *C.struct_mosquitto) plugin.Ref {
	return plugin.Ref(uintptr(unsafe.Pointer(client)))
}

// lent makes a Go string of a C string without copying it. It is good only
// until the call returns.
func lent(s *C.char) string {
	if s == nil {
		return ""
	}
	return unsafe.String((*byte)(unsafe.Pointer(s)), int(C.strlen(s)))
}

// oneLine keeps a line of the log a line.
func oneLine(s string) string { return strings.NewReplacer("\n", " ", "\r", " ").Replace(s) }
