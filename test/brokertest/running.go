package brokertest

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	patience = 10 * time.Second      // for what must happen
	stopTime = 5 * time.Second       // for the end of a broker that was told to stop
	interval = 10 * time.Millisecond // between two looks
)

// Running is a broker that was started. Its methods are for the goroutine of the
// test, but for Log.
type Running struct {
	Broker
	Dir         string // its directory, with mosquitto.conf and the files of File
	Addr, Addr2 string // host:port of {{.Port}} and {{.Port2}}
	PID         int

	t       testing.TB
	logs    []string
	ended   <-chan error // closed after the broker's end, which comes first if it is a failure
	stopped bool
}

// Start starts a broker with a configuration, a template over conf's names, and
// waits until it accepts connections. Without lines for them, it is given
// `listener {{.Port}} 127.0.0.1` and `user root`. At the end of the test the
// broker is stopped as Stop does, and its log is shown if the test has failed.
func Start(t testing.TB, b Broker, text string, options ...Option) *Running {
	t.Helper()
	r := launch(t, b, text, options)
	t.Cleanup(func() {
		r.Stop()
		if t.Failed() {
			t.Logf("log of mosquitto %s:\n%s", r.Version, r.Log())
		}
	})
	r.waitListening()
	return r
}

// StartFailing starts a broker that has to end by itself, and returns its exit
// status and its log. A crash fails the test.
func StartFailing(t testing.TB, b Broker, text string, options ...Option) (status int, log string) {
	t.Helper()
	r := launch(t, b, text, options)
	r.stopped = true
	select {
	case err := <-r.ended:
		status = r.checkEnd(err)
	case <-time.After(patience):
		syscall.Kill(r.PID, syscall.SIGKILL)
		<-r.ended
		t.Fatalf("mosquitto %s started with a configuration that should prevent it; its log:\n%s", b.Version, r.Log())
	}
	return status, r.Log()
}

var logFile = regexp.MustCompile(`(?m)^log_dest file (.+)$`)

func launch(t testing.TB, b Broker, text string, options []Option) *Running {
	t.Helper()
	s := newSetup(t, options)
	path, expanded := s.write(t, text)
	r := &Running{
		Broker: b, Dir: s.values.Dir, t: t,
		Addr:  fmt.Sprintf("127.0.0.1:%d", s.values.Port),
		Addr2: fmt.Sprintf("127.0.0.1:%d", s.values.Port2),
	}
	output, err := os.OpenFile(filepath.Join(r.Dir, "output"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer output.Close()
	r.logs = []string{output.Name()}
	for _, match := range logFile.FindAllStringSubmatch(expanded, -1) {
		r.logs = append(r.logs, strings.TrimSpace(match[1]))
	}
	cmd := exec.Command(b.Path, append([]string{"-c", path}, s.args...)...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = r.Dir, output, output
	cmd.Env = append(os.Environ(), s.env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // no orphans of a test that is killed
	if s.daemon {
		r.startDaemon(cmd)
	} else {
		r.startChild(cmd)
	}
	return r
}

func (r *Running) startChild(cmd *exec.Cmd) {
	r.t.Helper()
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	r.PID = cmd.Process.Pid
	ended := make(chan error, 1)
	r.ended = ended
	go func() {
		if err := cmd.Wait(); err != nil {
			ended <- err
		}
		close(ended)
	}()
}

// startDaemon lets the broker fork, and watches the process it leaves, whose exit
// status nobody can know.
func (r *Running) startDaemon(cmd *exec.Cmd) {
	r.t.Helper()
	cmd.Args = append(cmd.Args, "-d")
	if err := cmd.Run(); err != nil {
		r.t.Fatalf("mosquitto -d: %v: %s", err, r.Log())
	}
	WaitFor(r.t, "the daemon's pid file", func() bool {
		text, _ := os.ReadFile(filepath.Join(r.Dir, "pid"))
		r.PID, _ = strconv.Atoi(strings.TrimSpace(string(text)))
		return r.PID != 0
	})
	ended := make(chan error)
	r.ended = ended
	go func() {
		for alive(r.PID) {
			time.Sleep(interval)
		}
		close(ended)
	}()
}

// alive tells a running process from one that ended and that nobody waited for.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, state, _ := strings.Cut(string(stat), ") ")
	return err == nil && !strings.HasPrefix(state, "Z")
}

func (r *Running) waitListening() {
	r.t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(interval) {
		select {
		case err := <-r.ended:
			r.stopped = true
			r.t.Fatalf("mosquitto %s ended at the start: %v", r.Version, err)
		default:
		}
		if served(r.Addr) {
			return
		}
	}
	r.t.Fatalf("mosquitto %s does not serve %s after %v", r.Version, r.Addr, patience)
}

// served reports whether a broker has accepted a connection and seen its end. It
// handles signals only then; a port is open before.
func served(addr string) bool {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return false
	}
	defer c.Close()
	c.(*net.TCPConn).CloseWrite()
	c.SetReadDeadline(time.Now().Add(patience))
	_, err = c.Read(make([]byte, 1))
	return err == io.EOF || errors.Is(err, syscall.ECONNRESET)
}

// Together has the broker stand still while do runs: whatever clients send meanwhile is
// there for it when it goes on, in the order in which they connected.
func (r *Running) Together(do func()) {
	r.t.Helper()
	r.signal(syscall.SIGSTOP)
	defer r.signal(syscall.SIGCONT)
	do()
}

// Reload tells the broker to read its configuration again (SIGHUP).
func (r *Running) Reload() { r.t.Helper(); r.signal(syscall.SIGHUP) }

func (r *Running) signal(s syscall.Signal) {
	r.t.Helper()
	if err := syscall.Kill(r.PID, s); err != nil {
		r.t.Errorf("sending %v to mosquitto %s: %v", s, r.Version, err)
	}
}

// Stop ends the broker with SIGTERM. The test fails unless it ends within 5 s
// with status 0, and has not crashed before.
func (r *Running) Stop() {
	r.t.Helper()
	if r.stopped {
		return
	}
	r.stopped = true
	select {
	case err := <-r.ended:
		r.t.Errorf("mosquitto %s ended before it was told to", r.Version)
		r.checkEnd(err)
		return
	default:
	}
	r.signal(syscall.SIGTERM)
	select {
	case err := <-r.ended:
		if status := r.checkEnd(err); status != 0 {
			r.t.Errorf("mosquitto %s stopped with status %d", r.Version, status)
		}
	case <-time.After(stopTime):
		r.t.Errorf("mosquitto %s did not stop within %v", r.Version, stopTime)
		r.signal(syscall.SIGABRT) // a Go runtime inside then logs its goroutines
		<-r.ended
	}
}

// crash is what the Go runtime and the sanitizers print when they end a process.
var crash = regexp.MustCompile(`(?m)^(panic: |fatal error: |runtime: |SIG[A-Z]+: |goroutine \d+ |==\d+==ERROR: |WARNING: DATA RACE)`)

// checkEnd fails the test if the broker crashed, and returns its exit status, -1
// after a signal.
func (r *Running) checkEnd(err error) int {
	r.t.Helper()
	if line := crash.FindString(r.Log()); line != "" {
		r.t.Errorf("mosquitto %s crashed (%q in its log)", r.Version, line)
	}
	if err == nil {
		return 0
	}
	exit, ok := err.(*exec.ExitError)
	if !ok || !exit.Exited() {
		r.t.Errorf("mosquitto %s was ended: %v", r.Version, err)
		return -1
	}
	return exit.ExitCode()
}

// Log returns what the broker has written so far to its terminal and to the files
// of log_dest.
func (r *Running) Log() string {
	var all strings.Builder
	for _, path := range r.logs {
		text, _ := os.ReadFile(path) // not there yet: nothing logged
		all.Write(text)
	}
	return all.String()
}

// WaitLog waits until the broker has logged a text.
func (r *Running) WaitLog(t testing.TB, text string) {
	t.Helper()
	WaitFor(t, fmt.Sprintf("%q in the log of mosquitto %s", text, r.Version), func() bool {
		return strings.Contains(r.Log(), text)
	})
}

// WaitFor waits, for 10 s at most, until something is so; the test ends if it
// never is.
func WaitFor(t testing.TB, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !so(); time.Sleep(interval) {
		if time.Now().After(deadline) {
			t.Fatalf("waited %v in vain for %s", patience, what)
		}
	}
}

// Read returns what is in a file.
func Read(t testing.TB, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
