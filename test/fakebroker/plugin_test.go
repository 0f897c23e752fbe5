package fakebroker

import (
	"testing"

	"mosquitto-go-auth/test/brokertest"
)

// TestPlugin runs the scripts of testdata with the plugin.
func TestPlugin(t *testing.T) { playAll(t, brokertest.Plugin, "testdata/*.txt") }
