package service

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"mosquitto-go-auth/test/brokertest"
	"mosquitto-go-auth/test/mqtt"
)

// filterEnv names a file with a filter of system calls, under which the test binary
// becomes the program that its arguments are.
const filterEnv = "GOAUTH_TEST_FILTER"

func TestMain(m *testing.M) {
	if name := os.Getenv(filterEnv); name != "" {
		fmt.Fprintln(os.Stderr, filtered(name, os.Args[1:]))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// filtered does to this process what systemd does for the drop-in, and becomes the
// program. It returns only where that fails.
func filtered(filter string, program []string) error {
	code, err := os.ReadFile(filter)
	if err != nil {
		return err
	}
	instructions := make([]unix.SockFilter, len(code)/8)
	if err := binary.Read(bytes.NewReader(code), binary.NativeEndian, instructions); err != nil {
		return err
	}
	os.Unsetenv(filterEnv)
	runtime.LockOSThread() // whose the filter is, until the program takes its place
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	err = unix.Prctl(unix.PR_SET_MDWE, unix.PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0)
	if err != nil && err != unix.EINVAL { // before Linux 6.3
		return err
	}
	p := unix.SockFprog{Len: uint16(len(instructions)), Filter: &instructions[0]}
	if err := unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&p)), 0, 0); err != nil {
		return err
	}
	return syscall.Exec(program[0], program, os.Environ())
}

// numbers returns the numbers of the machine's system calls by their names.
func numbers(t *testing.T) map[string]uint32 {
	t.Helper()
	cmd := exec.Command(need(t, "gcc"), "-E", "-dM", "-")
	cmd.Stdin = strings.NewReader("#include <sys/syscall.h>\n")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]uint32{}
	for _, m := range regexp.MustCompile(`(?m)^#define __NR_(\w+) (\d+)$`).FindAllStringSubmatch(string(out), -1) {
		n, _ := strconv.ParseUint(m[2], 10, 32)
		found[m[1]] = uint32(n)
	}
	if len(found) < 100 {
		t.Fatalf("the headers have %d system calls", len(found))
	}
	return found
}

// group returns the system calls of a group of systemd's.
func group(t *testing.T, name string) (calls []string) {
	t.Helper()
	out, err := exec.Command(need(t, "systemd-analyze"), "--no-pager", "syscall-filter", name).Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		switch word := strings.TrimSpace(line); {
		case word == "" || word[0] == '#' || word == name:
		case word[0] == '@':
			calls = append(calls, group(t, word)...)
		default:
			calls = append(calls, word)
		}
	}
	return calls
}

// values returns what the drop-in says of a setting.
func values(t *testing.T, setting string) (words []string) {
	t.Helper()
	for _, m := range regexp.MustCompile(`(?m)^`+setting+`=(.*)$`).FindAllStringSubmatch(brokertest.Read(t, dropIn), -1) {
		words = append(words, m[1])
	}
	if len(words) == 0 {
		t.Fatalf("the drop-in has no %s", setting)
	}
	return words
}

// allowed are the system calls that the drop-in leaves.
func allowed(t *testing.T) map[string]bool {
	t.Helper()
	calls := map[string]bool{}
	for _, words := range values(t, "SystemCallFilter") {
		words, without := strings.CutPrefix(words, "~")
		for word := range strings.FieldsSeq(words) {
			for _, call := range group(t, word) {
				calls[call] = !without
			}
		}
	}
	return calls
}

// filter writes the drop-in's filter, in which to break a rule is the end of the
// process: what the drop-in merely refuses is not even asked for.
func filter(t *testing.T) string {
	t.Helper()
	const kill, allow = unix.SECCOMP_RET_KILL_PROCESS, unix.SECCOMP_RET_ALLOW
	var code []unix.SockFilter
	add := func(op uint16, jt, jf uint8, k uint32) {
		code = append(code, unix.SockFilter{Code: op, Jt: jt, Jf: jf, K: k})
	}
	load := func(offset uint32) { add(unix.BPF_LD|unix.BPF_W|unix.BPF_ABS, 0, 0, offset) }
	const number, argument = 0, 16 // in struct seccomp_data
	jump := func(test uint16, k uint32, yes, no uint8) { add(unix.BPF_JMP|test|unix.BPF_K, yes, no, k) }
	end := func(verdict uint32) { add(unix.BPF_RET|unix.BPF_K, 0, 0, verdict) }

	nr := numbers(t)
	load(number)
	for call, ok := range allowed(t) {
		n, known := nr[call]
		switch {
		case !ok || !known:
		case call == "socket":
			families := map[string]uint32{"AF_UNIX": unix.AF_UNIX, "AF_INET": unix.AF_INET, "AF_INET6": unix.AF_INET6}
			words := strings.Fields(strings.Join(values(t, "RestrictAddressFamilies"), " "))
			jump(unix.BPF_JEQ, n, 0, uint8(2+2*len(words)))
			load(argument)
			for _, word := range words {
				jump(unix.BPF_JEQ, families[word], 0, 1)
				end(allow)
			}
			end(kill)
		case call == "mmap": // not to write and execute
			jump(unix.BPF_JEQ, n, 0, 5)
			load(argument + 2*8)
			add(unix.BPF_ALU|unix.BPF_AND|unix.BPF_K, 0, 0, unix.PROT_WRITE|unix.PROT_EXEC)
			jump(unix.BPF_JEQ, unix.PROT_WRITE|unix.PROT_EXEC, 1, 0)
			end(allow)
			end(kill)
		case call == "mprotect" || call == "pkey_mprotect": // nor execute what was written
			jump(unix.BPF_JEQ, n, 0, 4)
			load(argument + 2*8)
			jump(unix.BPF_JSET, unix.PROT_EXEC, 1, 0)
			end(allow)
			end(kill)
		default:
			jump(unix.BPF_JEQ, n, 0, 1)
			end(allow)
		}
	}
	end(kill)
	if len(code) > math.MaxUint16 || len(code) < 200 {
		t.Fatalf("the filter has %d instructions", len(code))
	}
	var b bytes.Buffer
	if err := binary.Write(&b, binary.NativeEndian, code); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "filter")
	write(t, name, b.String(), 0o600)
	return name
}

// under returns the broker as it is under the filter.
func under(t *testing.T, b brokertest.Broker, filter string) brokertest.Broker {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "mosquitto")
	write(t, path, fmt.Sprintf("#!/bin/sh\n%s='%s' exec '%s' '%s' \"$@\"\n", filterEnv, filter, self, b.Path), 0o755)
	b.Path = path
	return b
}

// Broker and plugin ask for nothing that the drop-in refuses, also not for the order
// in which threads run: a filter is noticed.
func TestFilter(t *testing.T) {
	rules := filter(t)
	if allowed(t)["sched_setattr"] {
		t.Error("the filter lets sched_setattr pass, and does not show that it is not called")
	}
	brokertest.Each(t, func(t *testing.T, b brokertest.Broker) {
		r := brokertest.Start(t, under(t, b, rules), files+logs, with...)
		status := brokertest.Read(t, fmt.Sprintf("/proc/%d/status", r.PID))
		if !strings.Contains(status, "\nSeccomp:\t2\n") || !strings.Contains(status, "\nNoNewPrivs:\t1\n") {
			t.Fatalf("the broker is under no filter:\n%s", status)
		}
		for n := range 3 {
			refuse(t, r, fmt.Sprint("client ", n), filepath.Join(r.Dir, "go-auth.log"))
			c := mqtt.Login(t, r.Addr, as(fmt.Sprint("c", n), "secret"))
			c.Subscribe(1, "home/#")
			c.Publish(mqtt.Message{Topic: "home/lamp", Payload: "on", QoS: 1})
			if m, ok := c.Message(mqtt.Patience); !ok || m.Topic != "home/lamp" {
				t.Errorf("received %v, %v", m, ok)
			}
			r.Reload()
			if !c.Alive() {
				t.Error("the client is gone")
			}
		}
	})
}

// The filter is one: what it forbids ends the process.
func TestFilterForbids(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, need(t, "nice"), "true")
	cmd.Env = append(os.Environ(), filterEnv+"="+filter(t))
	if err := cmd.Run(); err == nil || !strings.Contains(err.Error(), "bad system call") {
		t.Errorf("nice ends with %v", err)
	}
}
