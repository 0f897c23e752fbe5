// Command cgo is the plugin: built with -buildmode=c-shared, it is the
// go-auth.so that a broker loads.
//
// C owns the broker's types (abi.h, host.c, shim.c) and Go gets plain values
// (export.go). This is the only directory that imports "C" and unsafe.
package main

// version is set by the linker.
var version = "unknown"

// main is never called, but a library needs one.
func main() {}
