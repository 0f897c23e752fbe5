package plugin

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Level is how important a line of the log is. The numbers are Mosquitto's.
type Level int

const (
	Info    Level = 1
	Notice  Level = 2
	Warning Level = 4
	Error   Level = 8
	Debug   Level = 16
)

// rank orders the levels from what is always shown to what is shown least.
func (l Level) rank() int {
	switch l {
	case Error:
		return 0
	case Warning:
		return 1
	case Notice, Info:
		return 2
	}
	return 3
}

type line struct {
	level Level
	text  string
}

// journal takes lines from any goroutine without waiting, and writes them on
// the broker's thread to the broker's log, or in a goroutine of its own to a
// file or stream. Where lines come faster than they can be written, they are
// counted instead.
type journal struct {
	limit   int // rank
	lines   chan line
	dropped atomic.Int64
	wake    func()
	out     io.WriteCloser // nil: the broker's log
	file    string         // that out is, "" for a stream
	renamed atomic.Bool    // the file may have been: open it again
	done    chan struct{}  // closed by close: the rest is written, and no more
	written sync.WaitGroup
}

const journalSize = 1024

// newJournal opens the destination. A file that cannot be opened is no fault:
// the broker's own log is used, and the error returned for it.
func newJournal(o *logOptions, wake func()) (*journal, error) {
	j := &journal{limit: levels[o.level].rank(), lines: make(chan line, journalSize), wake: wake, done: make(chan struct{})}
	var err error
	switch o.dest {
	case "stderr":
		j.out = unclosed{os.Stderr}
	case "stdout":
		j.out = unclosed{os.Stdout}
	case "file":
		j.file = o.file
		j.out, err = openLog(o.file)
	}
	if j.out != nil {
		j.written.Go(j.write)
	}
	return j, err
}

func openLog(name string) (io.WriteCloser, error) {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o640)
	if err != nil {
		return nil, fmt.Errorf("opening log_file: %w", err)
	}
	return f, nil
}

type unclosed struct{ io.Writer }

func (unclosed) Close() error { return nil }

// clip quotes text that a client chose, a name or an id, for the log, and cuts
// it: it may have 65535 bytes.
func clip(s string) string {
	if len(s) <= maxClip {
		return strconv.Quote(s)
	}
	return strconv.Quote(s[:maxClip]) + fmt.Sprintf("… (%d bytes)", len(s))
}

// maxClip is how many bytes of a name are logged.
const maxClip = 100

// shows tells whether lines of a level are logged.
func (j *journal) shows(level Level) bool { return level.rank() <= j.limit }

// logf records a line. Text that clients chose must have been through clip.
func (j *journal) logf(level Level, format string, args ...any) {
	if !j.shows(level) {
		return
	}
	select {
	case j.lines <- line{level, fmt.Sprintf(format, args...)}:
		if j.out == nil {
			j.wake()
		}
	default:
		j.dropped.Add(1)
	}
}

// drain writes what has come to the broker's log, for as long as one turn may
// take. It runs on the broker's thread, and tells whether there is more.
func (j *journal) drain(h Host) (more bool) {
	if j.out != nil {
		return false
	}
	for start := time.Now(); time.Since(start) <= turnTime; {
		select {
		case l := <-j.lines:
			h.Log(l.level, "go-auth: "+l.text)
			continue
		default:
		}
		if n := j.dropped.Swap(0); n > 0 {
			h.Log(Warning, fmt.Sprintf("go-auth: %d lines of the log were dropped", n))
		}
		return false
	}
	return true
}

// waits tells whether there are lines to drain.
func (j *journal) waits() bool { return j.out == nil && len(j.lines) > 0 }

// write writes to the file or stream, a line each as Mosquitto writes them.
func (j *journal) write() {
	out := j.out
	for open := true; open; {
		select {
		case l := <-j.lines:
			out = j.put(out, l)
		case <-j.done:
			open = false
		}
	}
	for range len(j.lines) {
		out = j.put(out, <-j.lines)
	}
	_ = out.Close()
}

// reopen has the file opened again, since a rotation of logs renames it.
func (j *journal) reopen() {
	if j.file != "" {
		j.renamed.Store(true)
	}
}

// put writes a line, and returns where the next one goes.
func (j *journal) put(out io.WriteCloser, l line) io.WriteCloser {
	if j.renamed.Swap(false) {
		if again, err := openLog(j.file); err == nil { // else go on with the old one
			_ = out.Close()
			out = again
		}
	}
	text := strings.ReplaceAll(l.text, "\n", " ")
	if n := j.dropped.Swap(0); n > 0 {
		text += fmt.Sprintf(" (%d lines before this were dropped)", n)
	}
	// There is nowhere left to report an error to.
	_, _ = fmt.Fprintf(out, "%d: go-auth: %s\n", time.Now().Unix(), text)
	return out
}

// close waits, for a while, until the lines have been written. A worker that is
// still at work may go on logging; nobody will read it.
func (j *journal) close(h Host) {
	for j.drain(h) {
	}
	if j.out == nil {
		return
	}
	close(j.done)
	written := make(chan struct{})
	go func() { j.written.Wait(); close(written) }()
	select {
	case <-written:
	case <-time.After(time.Second):
	}
}
