package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"mosquitto-go-auth/hashing"
)

// TestFormats makes hashes with the commands that the page on hashes shows, as far
// as their programs are installed, and verifies them.
func TestFormats(t *testing.T) {
	text, err := os.ReadFile("../../hashing/README.md")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?ms)^```sh formats\n(.*?)^```").FindStringSubmatch(string(text))
	if block == nil {
		t.Fatal("the page has no block ```sh formats")
	}
	for line := range strings.Lines(block[1]) {
		command, kind, ok := strings.Cut(strings.TrimSpace(line), " # ")
		if !ok {
			t.Fatalf("no kind behind %q", line)
		}
		t.Run(kind, func(t *testing.T) { makeHash(t, strings.TrimSpace(command), kind) })
	}
}

func makeHash(t *testing.T, command, kind string) {
	t.Parallel()
	program, _, _ := strings.Cut(command, " ")
	if _, err := exec.LookPath(program); err != nil {
		t.Skipf("%s is not installed", program)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "password"), []byte("correct horse\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", "-ec", command)
	cmd.Dir = dir
	var faults strings.Builder
	cmd.Stderr = &faults
	out, err := cmd.Output()
	if strings.Contains(faults.String(), "ModuleNotFoundError") {
		t.Skip("the Python module is not installed")
	}
	if err != nil {
		t.Fatalf("%s: %v\n%s", command, err, faults.String())
	}
	h, err := hashing.Parse(string(out), hashing.SaltBase64, hashing.DefaultLimits())
	if err != nil {
		t.Fatalf("%s prints %q: %v", command, out, err)
	}
	if h.Scheme() != kind || !h.Verify("correct horse") {
		t.Errorf("%s prints %q, which is %s", command, out, h.Scheme())
	}
}
