package main

import (
	"os/exec"
	"slices"
	"syscall"
	"time"

	"golang.org/x/crypto/bcrypt"
	"golang.org/x/sys/unix"
)

// burn keeps n processors busy until stop is called.
func (b *bench) burn(n int) (stop func()) {
	b.Helper()
	var all []*exec.Cmd
	stop = func() {
		for _, cmd := range all {
			cmd.Process.Kill()
			cmd.Wait()
		}
		all = nil
	}
	b.Cleanup(func() { stop() })
	for range n {
		cmd := exec.Command("sh", "-c", "while :; do :; done")
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		if err := cmd.Start(); err != nil {
			b.Fatal(err)
		}
		all = append(all, cmd)
	}
	return stop
}

// processCPU is the CPU time that a process and all its threads, also those that
// ended, have used. The number of its clock is made as glibc's
// clock_getcpuclockid makes it.
func (b *bench) processCPU(pid int) time.Duration {
	b.Helper()
	const wholeProcess = 2
	var t unix.Timespec
	if err := unix.ClockGettime(^int32(pid)<<3|wholeProcess, &t); err != nil {
		b.Fatalf("the CPU time of process %d: %v", pid, err)
	}
	return time.Duration(t.Nano())
}

// oneHash measures how long one of the costly hashes takes on its own.
func (b *bench) oneHash() time.Duration {
	b.Helper()
	hash := []byte(b.costly(1)[1].hash)
	var took []time.Duration
	for range 9 {
		start := time.Now()
		if err := bcrypt.CompareHashAndPassword(hash, []byte(password)); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	return took[len(took)/2]
}
