package plugin

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// logHost is a Host that only logs.
type logHost struct {
	Host
	lines []string
}

func (h *logHost) Log(_ Level, text string) { h.lines = append(h.lines, text) }

func TestJournalOrderAndLevels(t *testing.T) {
	for level, want := range map[string]string{"debug": "EWNID", "info": "EWNI", "notice": "EWNI", "warn": "EW",
		"warning": "EW", "error": "E", "fatal": "E", "panic": "E"} {
		woken := 0
		j, err := newJournal(&logOptions{level: level, dest: "mosquitto"}, func() { woken++ })
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range []struct {
			level Level
			text  string
		}{{Error, "E"}, {Warning, "W"}, {Notice, "N"}, {Info, "I"}, {Debug, "D"}} {
			j.logf(l.level, "%s", l.text)
		}
		var h logHost
		j.drain(&h)
		j.drain(&h)
		if got := strings.ReplaceAll(strings.Join(h.lines, ""), "go-auth: ", ""); got != want {
			t.Errorf("%s: %s, want %s", level, got, want)
		}
		if woken != len(want) {
			t.Errorf("%s: woken %d times for %d lines", level, woken, len(want))
		}
		j.close(&h)
	}
}

// A name or an id is one line, of printed characters, and cut: whatever a client has
// made of it, it can neither forge a line nor command a terminal.
func TestClip(t *testing.T) {
	const evil = "a\x1b[2J\r\n1: go-auth: user \"root\": accepted\x00\u202e"
	for _, s := range []string{evil, strings.Repeat(evil, 65535/len(evil)), strings.Repeat("\x1b", 65535), strings.Repeat("\n", 65535)} {
		var log recorder
		j := &journal{limit: levels["info"].rank(), lines: make(chan line, 1), wake: func() {}}
		j.logf(Info, "user %s, client %s: refused", clip(s), clip(s))
		j.put(&log, <-j.lines)
		text := log.String()
		if i := strings.IndexFunc(text, func(r rune) bool { return !strconv.IsPrint(r) }); i != len(text)-1 || text[i] != '\n' {
			t.Errorf("not one line of printed characters: %q", text)
		}
		if len(text) > 1000 {
			t.Errorf("%d bytes of the log for a name and an id of %d", len(text), len(s))
		}
		if len(s) > maxClip && strings.Count(text, fmt.Sprintf("(%d bytes)", len(s))) != 2 {
			t.Errorf("the lengths are not told: %s", text)
		}
	}
}

// recorder keeps what is written.
type recorder struct{ strings.Builder }

func (*recorder) Close() error { return nil }

// Nobody waits for a journal that is full; what was lost is counted.
func TestJournalFull(t *testing.T) {
	j, _ := newJournal(&logOptions{level: "info", dest: "mosquitto"}, func() {})
	for range journalSize + 77 {
		j.logf(Info, "line")
	}
	var h logHost
	for j.drain(&h) { // a turn at a time
	}
	if len(h.lines) != journalSize+1 || h.lines[journalSize] != "go-auth: 77 lines of the log were dropped" {
		t.Errorf("%d lines, the last: %s", len(h.lines), h.lines[len(h.lines)-1])
	}
}

// Many log at once while the file is closed: each line that was logged before is
// written, and nothing breaks.
func TestJournalFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "log")
	j, err := newJournal(&logOptions{level: "info", dest: "file", file: name}, func() { t.Error("a file wakes nobody") })
	if err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		j.logf(Info, "before %d\nsecond line", i)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 200 {
				j.logf(Info, "meanwhile %d", i)
			}
		})
	}
	j.close(&logHost{})
	wg.Wait()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		if !strings.Contains(string(text), fmt.Sprintf(": go-auth: before %d second line\n", i)) {
			t.Fatalf("line %d is not there, or not one line", i)
		}
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("disk full") }
func (brokenWriter) Close() error              { return errors.New("disk full") }

func TestJournalWriteErrors(t *testing.T) {
	j := &journal{limit: Info.rank(), lines: make(chan line, 10), done: make(chan struct{}), out: brokenWriter{}}
	j.written.Go(j.write)
	j.logf(Info, "lost")
	j.close(&logHost{})
}
