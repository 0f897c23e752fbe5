package redis

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"mosquitto-go-auth/backends"
	"mosquitto-go-auth/conf"
	"mosquitto-go-auth/test/redistest"
)

// peer is a server, at two addresses, that answers as answer says. PORT in an answer is its own.
func peer(t testing.TB, answer func(command []string) string) (port int) {
	t.Helper()
	for _, host := range []string{"127.0.0.1", "127.0.0.2"} {
		l, err := net.Listen("tcp", fmt.Sprint(host, ":", port))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		port = l.Addr().(*net.TCPAddr).Port
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				go serve(c, func(command []string) string {
					return strings.ReplaceAll(answer(command), "PORT", fmt.Sprint(port))
				})
			}
		}()
	}
	return port
}

func serve(c net.Conn, answer func(command []string) string) {
	defer c.Close()
	for in := bufio.NewReader(c); ; {
		command, err := readCommand(in)
		if err != nil {
			return
		}
		if _, err := io.WriteString(c, answer(command)); err != nil {
			return
		}
	}
}

// readCommand reads an array of strings.
func readCommand(in *bufio.Reader) (words []string, err error) {
	var n, size int
	if _, err := fmt.Fscanf(in, "*%d\r\n", &n); err != nil {
		return nil, err
	}
	for range n {
		if _, err := fmt.Fscanf(in, "$%d\r\n", &size); err != nil {
			return nil, err
		}
		word := make([]byte, size+2)
		if _, err := io.ReadFull(in, word); err != nil {
			return nil, err
		}
		words = append(words, string(word[:size]))
	}
	return words, nil
}

// well answers as a server does that has a user and is, if it is asked, all of a
// Cluster, or a Sentinel and its master.
func well(command []string) string {
	switch command[0] {
	case "hello":
		return "-ERR unknown command\r\n"
	case "get":
		return "$1\r\nh\r\n"
	case "smembers":
		return "*1\r\n$1\r\nt\r\n"
	case "cluster":
		return "*2\r\n*3\r\n:0\r\n:8000\r\n*2\r\n$9\r\n127.0.0.1\r\n:PORT\r\n*3\r\n:8001\r\n:16383\r\n*2\r\n$9\r\n127.0.0.2\r\n:PORT\r\n"
	case "sentinel":
		return "*2\r\n$9\r\n127.0.0.1\r\n+PORT\r\n"
	case "role":
		return "*3\r\n$6\r\nmaster\r\n:1\r\n*0\r\n"
	}
	return "+OK\r\n"
}

// peerOptions are those for a peer, in each mode.
func peerOptions(port int) map[mode]string {
	at := "127.0.0.1:" + strconv.Itoa(port)
	const quick = "\nredis_connect_timeout 500ms\nredis_timeout 500ms\n"
	return map[mode]string{
		single:   fmt.Sprint("redis_host 127.0.0.1\nredis_port ", port, quick),
		cluster:  "redis_mode cluster\nredis_cluster_addresses " + at + quick,
		sentinel: "redis_mode sentinel\nredis_db 0\nredis_sentinel_master m\nredis_sentinel_addresses " + at + quick,
	}
}

const huge = "9223372036854775807"

// What a broken server sends is an error, also where the client library reads it
// in goroutines of its own.
func TestBrokenServers(t *testing.T) {
	for _, tt := range []struct{ name, command, answer string }{
		{"a huge set", "smembers", "*" + huge + "\r\n"},
		{"a set that memory cannot hold", "smembers", "*999999999\r\n"},
		{"a huge string", "get", "$" + huge + "\r\n"},
		{"a negative string", "get", "$-2\r\n"},
		{"a set in sets", "get", strings.Repeat("*1\r\n", 10_000_000)},
		{"a huge Cluster", "cluster", "*" + huge + "\r\n"},
		{"a Cluster of huge parts", "cluster", "*1\r\n*" + huge + "\r\n:0\r\n:1\r\n"},
		{"a Cluster of many large parts", "cluster", "*200000\r\n" + strings.Repeat("*200000\r\n:0\r\n:1\r\n*-1\r\n", 1000)},
		{"a huge map", "cluster", "%" + huge + "\r\n"},
		{"a huge address", "sentinel", "*" + huge + "\r\n"},
		{"a huge role", "role", "*" + huge + "\r\n"},
		{"an endless line", "get", strings.Repeat("+", 1_000_000)},
		{"an empty line", "get", "\r\n"},
		{"noise", "get", "HTTP/1.1 400 Bad Request\r\n\r\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			port := peer(t, func(command []string) string {
				if command[0] == tt.command {
					return tt.answer
				}
				return well(command)
			})
			for m, options := range peerOptions(port) {
				if m == single && tt.command != "get" && tt.command != "smembers" || m == cluster && (tt.command == "sentinel" || tt.command == "role") ||
					m == sentinel && tt.command == "cluster" {
					continue
				}
				b := open(t, options)
				for range 2 {
					ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
					a, err := b.User(ctx, backends.Lookup{Name: "ann"})
					cancel()
					if err == nil || errors.Is(err, backends.ErrNoUser) || strings.Contains(err.Error(), "panic") {
						t.Errorf("%s: %+v, %v", m, a, err)
					}
				}
			}
		})
	}
}

// A peer that is well is understood in each mode, so that the others are refused
// for what is wrong with them.
func TestPeer(t *testing.T) {
	for m, options := range peerOptions(peer(t, well)) {
		if a := user(t, open(t, options), "ann"); a.Hash != "h" || len(a.Sections) != 1 || len(a.Sections[0]) != 8 {
			t.Errorf("%s: %+v", m, a)
		}
	}
}

// A panic of the client library leaves no half an answer.
func TestPanics(t *testing.T) {
	b := open(t, peerOptions(peer(t, well))[single]).Backend.(*Redis)
	p := b.client.Pipeline()
	half := p.Get(t.Context(), "ann")
	half.SetVal("h")
	if err := stopped(p.Cmds(), func() error { panic("s3cret") }); err != errPanic || half.Err() != errPanic {
		t.Errorf("error %v, of the command %v", err, half.Err())
	}
	if err := b.call(t.Context(), func() error { panic("s3cret") }); err != errPanic {
		t.Errorf("error %v", err)
	}
}

func TestReplies(t *testing.T) {
	for _, tt := range []struct {
		text string
		want error
	}{
		{"+OK\r\n:1\r\n-ERR\r\n$-1\r\n*-1\r\n*0\r\n$0\r\n\r\n$3\r\na\nb\r\n", nil},
		{"*2\r\n*1\r\n$1\r\nx\r\n+y\r\n", nil},
		{"+\r\n", nil},
		{"\r\n", errReply},
		{"+OK\n", errReply},
		{"$+1\r\n", errReply},
		{"$01\r\n", errReply},
		{"$\r\n", errReply},
		{"*x\r\n", errReply},
		{"*-2\r\n", errReply},
		{"*-99999999999999999999\r\n", errReply},
		{"*99999999999999999999\r\n", errLarge},
		{"_\r\n", errReply},
		{"%1\r\n", errReply},
		{"*262144\r\n", nil},
		{"*262145\r\n", errLarge},
		{"*262143\r\n*2\r\n", errLarge},
		{"*2\r\n*0\r\n*0\r\n*262144\r\n", nil},
		{"$33554432\r\n", nil},
		{"$33554433\r\n", errLarge},
		{"*2\r\n$1\r\nx\r\n$33554432\r\n", errLarge},
		{strings.Repeat("*1\r\n", maxDepth), nil},
		{strings.Repeat("*1\r\n", maxDepth+1), errLarge},
		{strings.Repeat("*1\r\n", maxDepth) + "+\r\n" + strings.Repeat("*1\r\n", maxDepth), nil},
		{"+" + strings.Repeat("x", maxLine), errReply},
	} {
		if err := new(replies).read([]byte(tt.text)); err != tt.want {
			t.Errorf("%.40q: %v, want %v", tt.text, err, tt.want)
		}
	}
}

func FuzzReplies(f *testing.F) {
	for _, s := range []string{"*2\r\n$1\r\nx\r\n*1\r\n:1\r\n+OK\r\n", "$-1\r\n*-1\r\n-ERR\r\n", "*3\r\n$3\r\n\r\n\r\n\r\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		whole, parts := &replies{}, &replies{}
		want := whole.read(text)
		var got error
		for i := 0; i < len(text) && got == nil; i++ {
			got = parts.read(text[i : i+1])
		}
		if got != want {
			t.Errorf("%q: %v byte by byte, %v at once", text, got, want)
		}
	})
}

// FuzzAnswers has a server answer anything: the process must live.
func FuzzAnswers(f *testing.F) {
	for _, command := range []string{"get", "smembers", "cluster", "sentinel", "role", "hello"} {
		f.Add(command, []byte("*2\r\n$1\r\nx\r\n*1\r\n:1\r\n"))
		f.Add(command, []byte("*1\r\n*3\r\n:9\r\n:-1\r\n*3\r\n+a\r\n:1\r\n*-1\r\n"))
	}
	f.Fuzz(func(t *testing.T, command string, text []byte) {
		port := peer(t, func(words []string) string {
			if words[0] == command {
				return string(text)
			}
			return well(words)
		})
		for _, options := range peerOptions(port) {
			b := open(t, options)
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			b.User(ctx, backends.Lookup{Name: "ann"})
			cancel()
			b.Close()
		}
	})
}

// Logins that fail for our own wrong password are no storm of them at the server,
// and the right one counts soon after.
func TestRefusedStorm(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	s.Do(t, "SET", "ann", "h")
	s.Do(t, "ACL", "SETUSER", "mine", "on", ">other", "~*", "+get", "+smembers")
	b := open(t, at(s)+"redis_user mine\nredis_password s3cret\n")
	begin, before := time.Now(), connections(t, s)
	var users sync.WaitGroup
	for range 10 {
		users.Go(func() {
			for time.Since(begin) < 1500*time.Millisecond {
				if err := fails(t, b, 5*time.Second); !strings.Contains(err.Error(), "see redis_user and redis_password") || strings.Contains(err.Error(), "s3cret") {
					t.Errorf("error %v", err)
				}
			}
		})
	}
	users.Wait()
	tries := connections(t, s) - before
	if most := 10 + int(time.Since(begin)/hold); tries < 1 || tries > most {
		t.Errorf("the server heard of it %d times in %v, want 1 to %d", tries, time.Since(begin), most)
	}
	s.Do(t, "ACL", "SETUSER", "mine", ">s3cret")
	returns(t, b, back)
}

// connections is how many the server has taken.
func connections(t *testing.T, s *redistest.Server) int {
	t.Helper()
	_, rest, _ := strings.Cut(fmt.Sprint(s.Do(t, "INFO", "stats")), "total_connections_received:")
	number, _, _ := strings.Cut(rest, "\r")
	n, err := strconv.Atoi(number)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// A name server that swallows the questions holds nobody longer than the deadline
// says, nor those who come when it answers again.
func TestSilentNameServer(t *testing.T) {
	swallows, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer swallows.Close()
	o := declareOptions(conf.NewSet())
	o.host = "db.example.org"
	o.connectTimeout = 300 * time.Millisecond
	o.nameServer = func(ctx context.Context, _, _ string) (net.Conn, error) {
		c, err := (&net.Dialer{}).DialContext(ctx, "udp", swallows.LocalAddr().String())
		if err == nil {
			context.AfterFunc(ctx, func() { c.Close() }) // or the lookup goes on for 5 s, though nobody waits
		}
		return c, err
	}
	b, err := o.open(backends.AllChecks)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	before := runtime.NumGoroutine()
	for range 5 {
		fails(t, b, 100*time.Millisecond)
	}
	if n, _, err := swallows.ReadFrom(make([]byte, 512)); err != nil || n == 0 {
		t.Errorf("the name server was not asked: %v", err)
	}
	redistest.WaitFor(t, "the goroutines to end", func() bool { return runtime.NumGoroutine() <= before })
}
