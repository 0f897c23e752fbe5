package backendtest_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"unicode/utf8"

	"mosquitto-go-auth/backends/backendtest"
)

// faultEnv makes this test binary put a driver with a fault to the test.
const faultEnv = "GOAUTH_TEST_FAULT"

// faults are what a driver can do wrong, and the case that finds it.
var faults = map[string]string{
	"cuts hashes":                        "Hashes",
	"reads hashes as numbers":            "Hashes",
	"has no password without rights":     "Hashes",
	"gives the hash away":                "Hashes",
	"takes unknown for an outage":        "Unknown",
	"lets everybody in":                  "Unknown",
	"lets everybody in for the password": "Unknown",
	"reads NULL as a text":               "NoHash",
	"knows no superusers":                "Superuser",
	"makes everybody a superuser":        "Superuser",
	"compares rights by size":            "Access",
	"has no rules":                       "Access",
	"replaces placeholders":              "Rights",
	"folds case":                         "Spelling",
	"trims names":                        "Spelling",
	"trims only for rules":               "Spelling",
	"cuts names":                         "Names",
	"formats names":                      "Names",
	"is injected":                        "Names",
	"does not know invalid text":         "Names",
	"is injected by client ids":          "ClientIDs",
	"remembers":                          "Changes",
	"takes a bad answer for an outage":   "Shapes",
	"shows the hash in an error":         "Shapes",
	"gives an account with an error":     "Shapes",
	"does not look at the time":          "Cancelled",
	"knows nobody when it is closed":     "Close",
	"mixes up answers":                   "Concurrent",
	"tells of tom only":                  "Watch",
	"watches for ever":                   "Watch",
	"has no deadlines":                   "Stalled",
	"gives up after an error":            "Down",
	"takes an outage for an answer":      "Down",
	"waits with Close":                   "CloseStalled",
	"hides that it lost the line":        "WatchLink",
	"leaks connections":                  "Leaks",
}

// TestGood runs the suite on a good driver, or on the one that faultEnv says.
func TestGood(t *testing.T) {
	s := newServer(t)
	backendtest.Run(t, backendtest.Store{
		Driver:  driver(os.Getenv(faultEnv)),
		Options: "fake_address " + s.listener.Addr().String(),
		Set:     s.set,
		Holds:   func(name string) bool { return utf8.ValidString(name) && len(name) <= 1000 }, // quick
		Watches: true,
		Server:  s.listener.Addr().String(),
		Through: func(address string) string { return "fake_address " + address },
		Shapes:  []backendtest.Shape{{Name: "bad", Options: "fake_bad true"}},
	})
}

// The suite fails a driver with a fault.
func TestFaulty(t *testing.T) {
	if os.Getenv(faultEnv) != "" {
		return
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for fault, name := range faults {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(self, "-test.run=^TestGood$/^"+name+"$", "-test.timeout=60s")
			cmd.Env = append(os.Environ(), faultEnv+"="+fault)
			out, err := cmd.CombinedOutput()
			if err == nil || !strings.Contains(string(out), "--- FAIL: TestGood/"+name) {
				t.Errorf("%s does not find it: %v\n%s", name, err, out)
			}
		})
	}
}
