package storm

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"mosquitto-go-auth/test/mqtt"
)

// What clients can be told instead of being let in; the columns of the tables in
// README.md.
var answers = []struct {
	column  string
	version byte
	code    mqtt.Code
}{
	{"closed, 3.1.1", 4, mqtt.Closed},
	{"closed, 5", 5, mqtt.Closed},
	{"CONNACK 5", 4, mqtt.NotAuthorized},
	{"0x88", 5, mqtt.Unavailable},
	{"0x89", 5, mqtt.Busy},
}

// What clients can do then; the cells.
const (
	again    = "again"    // connects until it is let in
	onceMore = "once"     // connects a second time only
	givesUp  = "gives up" // does not connect again
	unspoken = "-"        // does not know the version of MQTT, or has done what it came for
)

// giveUp is for how long a client is waited for that should do nothing any more. Those
// here try again after 1, 2 and 4 s at most.
const giveUp = 6 * time.Second

// atOnce is how many clients run at the same time; most of them wait.
const atOnce = 16

// The tables in README.md tell what clients do.
func TestAnswers(t *testing.T) {
	var all sync.WaitGroup
	defer all.Wait()
	turn := make(chan struct{}, atOnce)
	for title, before := range map[string][]mqtt.Code{
		"At the first connection":     nil,
		"After a connection was lost": {mqtt.Success},
	} {
		table := readTable(t, title)
		for _, l := range libraries {
			for i, a := range answers {
				all.Go(func() {
					turn <- struct{}{}
					defer func() { <-turn }()
					t.Run(fmt.Sprintf("%s/%s/%s", title, l.name, a.column), func(t *testing.T) {
						got, want := unspoken, table[l.name][i]
						if l.speaks(a.version) {
							got = answered(t, l, a.version, before, a.code, want)
						}
						if got != want {
							t.Errorf("README.md says %q, but it is %q", want, got)
						}
					})
				})
			}
		}
	}
}

// readTable returns the cells of a table in README.md, by the first of the row.
func readTable(t *testing.T, title string) map[string][]string {
	t.Helper()
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "## "+title+"\n")
	table, _, _ = strings.Cut(table, "\n## ")
	rows := map[string][]string{}
	for line := range strings.Lines(table) {
		if !strings.HasPrefix(line, "|") {
			continue
		}
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		rows[cells[0]] = cells[1:]
	}
	for _, l := range libraries {
		if len(rows[l.name]) != len(answers) {
			t.Fatalf("README.md, %s: the row of %s has %d cells after the first, want %d", title, l.name, len(rows[l.name]), len(answers))
		}
	}
	return rows
}

// answered tells what a client does that gets an answer twice before it would be
// let in, and before that other answers. What it should do is waited for on a machine
// that is busy, too.
func answered(t *testing.T, l library, version byte, before []mqtt.Code, answer mqtt.Code, should string) string {
	t.Helper()
	more := map[string]int{again: 3, onceMore: 2, givesUp: 1}[should] + len(before)
	s := newServer(t, append(before[:len(before):len(before)], answer, answer, mqtt.Success))
	o := mqtt.As("ann", password)
	o.ID, o.Version = "id", version
	gone := l.start(t, s.port, o)
	timer := time.NewTimer(5 * giveUp) // a program takes its time to start
	for n, last := 0, time.Now(); ; {
		select {
		case <-s.served:
			n++
			t.Logf("connection %d after %v", n, time.Since(last).Round(time.Millisecond))
			last = time.Now()
			if timer.Reset(giveUp); n < more {
				timer.Reset(5 * giveUp)
			}
			if n == len(s.answers) {
				return again
			}
			continue
		case <-gone:
			n += len(s.served)
		case <-timer.C:
		}
		if n == 0 {
			t.Fatal("the client has not come")
		}
		return map[int]string{0: unspoken, 1: givesUp, 2: onceMore}[n-len(before)]
	}
}

// server answers logins in a fixed order, whoever comes.
type server struct {
	port    int
	answers []mqtt.Code
	served  chan struct{} // holds one for each connection
}

func newServer(t *testing.T, answers []mqtt.Code) *server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	s := &server{port: l.Addr().(*net.TCPAddr).Port, answers: answers, served: make(chan struct{}, len(answers))}
	go func() {
		for i, code := range answers {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.SetDeadline(time.Now().Add(5 * giveUp))
			s.serve(c, code, i == len(answers)-1)
		}
	}()
	return s
}

// serve answers one login, and ends the connection as Mosquitto does after a
// refusal. The last client stays until it goes.
func (s *server) serve(c net.Conn, code mqtt.Code, last bool) {
	defer c.Close()
	version, err := readConnect(bufio.NewReader(c))
	if err != nil {
		return // not a login
	}
	s.served <- struct{}{}
	switch {
	case code == mqtt.Closed:
		return
	case version == 5:
		c.Write([]byte{mqtt.CONNACK << 4, 3, 0, byte(code), 0})
	default:
		c.Write([]byte{mqtt.CONNACK << 4, 2, 0, byte(code)})
	}
	if last {
		io.Copy(io.Discard, c)
	}
}

// readConnect reads a CONNECT packet and returns the version of MQTT.
func readConnect(r *bufio.Reader) (version byte, err error) {
	if kind, err := r.ReadByte(); err != nil || kind != mqtt.CONNECT<<4 {
		return 0, errors.Join(errors.New("no CONNECT"), err)
	}
	size, err := binary.ReadUvarint(r)
	if err != nil || size > 1000 {
		return 0, errors.Join(errors.New("no CONNECT of a test"), err)
	}
	body := make([]byte, size)
	if _, err := io.ReadFull(r, body); err != nil {
		return 0, err
	}
	return body[2+binary.BigEndian.Uint16(body)], nil
}
