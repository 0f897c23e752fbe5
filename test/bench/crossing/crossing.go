// Package main is a library for C with a function that does nothing: what it
// takes to call it is what every way from C into Go takes.
package main

import "C"

//export crossing
func crossing() {}

func main() {}
