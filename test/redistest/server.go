package redistest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"

	"mosquitto-go-auth/test/port"
)

// patience is how long a server may take to start, to stop or to answer, and a
// replica to follow its master.
const patience = 60 * time.Second

// errMissing is the error of New where Redis is not installed.
var errMissing = errors.New("redis-server is not installed; scripts/setup installs it")

// A Server is a Redis. It is not safe for concurrent use.
type Server struct {
	addr    string
	options *redis.Options
	port    *port.Held
	dir     string // empty: the server is somebody else's
	args    []string
	cmd     *exec.Cmd
	exited  chan error
	client  *redis.Client
}

// New makes a server with its data in a temporary directory, and starts it on a
// free loopback port; what it is told survives a crash. Close stops and removes
// it. args are further arguments of redis-server; an argument DIR/x is a file in
// the server's directory.
func New(args ...string) (*Server, error) {
	return start(args, "--appendonly", "yes", "--save", "", "--repl-diskless-sync-delay", "0", "--unixsocket", "DIR/s")
}

func start(args []string, more ...string) (*Server, error) {
	program, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, errMissing
	}
	dir, err := os.MkdirTemp("", "redis-") // short: it holds a socket
	if err != nil {
		return nil, err
	}
	s := &Server{dir: dir, args: []string{program}}
	for _, a := range append(more, args...) {
		s.args = append(s.args, strings.Replace(a, "DIR/", dir+"/", 1))
	}
	if s.port, err = port.Hold(); err == nil {
		s.addr = net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port.Port))
		s.options = &redis.Options{Addr: s.addr}
		if err = s.start(); err == nil {
			return s, nil
		}
	}
	return nil, errors.Join(err, s.Close())
}

func (s *Server) start() error {
	log, err := os.OpenFile(s.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	args := []string{"--bind", "127.0.0.1", "--port", strconv.Itoa(s.Port()), "--dir", s.dir}
	if strings.HasSuffix(s.args[1], ".conf") { // a file comes first
		args = append([]string{s.args[1]}, append(args, s.args[2:]...)...)
	} else {
		args = append(args, s.args[1:]...)
	}
	s.cmd = exec.Command(s.args[0], args...)
	s.cmd.Dir, s.cmd.Stdout, s.cmd.Stderr = s.dir, log, log
	// It outlives a Ctrl-C, which is for us, but not this process.
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := s.cmd.Start(); err != nil {
		s.cmd = nil
		return fmt.Errorf("starting redis-server: %w", err)
	}
	s.exited = make(chan error, 1)
	go func(cmd *exec.Cmd, exited chan<- error) { exited <- cmd.Wait() }(s.cmd, s.exited)
	return s.await()
}

// await waits until the server answers on its socket or port, be it only that it
// wants a password.
func (s *Server) await() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		err := s.Client().Ping(ctx).Err()
		var reply redis.Error
		if err == nil || errors.As(err, &reply) && !redis.IsLoadingError(err) {
			return nil
		}
		select {
		case <-s.exited:
			s.cmd = nil
			return fmt.Errorf("redis-server ended: %s", s.Log())
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("redis-server does not answer: %w: %s", err, s.Log()), s.signal(syscall.SIGKILL))
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// Client returns connections for the test's own commands.
func (s *Server) Client() *redis.Client {
	if s.client == nil {
		logging.Disable() // a server that is starting is no news
		o := *s.options
		o.Protocol, o.MaxRetries, o.DialerRetries, o.DisableIdentity = 2, 3, 1, true // a fail-over cuts connections
		o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
		if s.dir != "" && !s.sentinel() {
			o.Network, o.Addr = "unix", s.Socket() // also where the port is TLS's
		}
		s.client = redis.NewClient(&o)
	}
	return s.client
}

func (s *Server) sentinel() bool { return strings.HasSuffix(s.args[1], ".conf") }

// As has the test's own commands sent as a user.
func (s *Server) As(user, password string) {
	s.forget()
	s.options.Username, s.options.Password = user, password
}

func (s *Server) forget() {
	if s.client != nil {
		s.client.Close()
		s.client = nil
	}
}

// signal sends a signal that ends the server, and waits for its end.
func (s *Server) signal(sig syscall.Signal) error {
	if s.cmd == nil {
		return nil
	}
	cmd := s.cmd
	s.cmd = nil
	s.forget()
	if err := cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("sending %v to redis-server: %w", sig, err)
	}
	select {
	case <-s.exited:
		return nil
	case <-time.After(patience):
		cmd.Process.Kill()
		<-s.exited
		return fmt.Errorf("redis-server did not end on %v", sig)
	}
}

// Close ends the server and removes its data.
func (s *Server) Close() error {
	if s.dir == "" {
		s.forget()
		return nil
	}
	err := errors.Join(s.signal(syscall.SIGKILL), os.RemoveAll(s.dir))
	if s.port != nil {
		err = errors.Join(err, s.port.Close())
	}
	return err
}

// Addr returns the address, host:port.
func (s *Server) Addr() string { return s.addr }

// Host returns the address without the port.
func (s *Server) Host() string {
	host, _, _ := net.SplitHostPort(s.addr)
	return host
}

// Port returns the TCP port.
func (s *Server) Port() int {
	_, text, _ := net.SplitHostPort(s.addr)
	port, _ := strconv.Atoi(text)
	return port
}

// Socket returns the path of the server's Unix socket.
func (s *Server) Socket() string { return filepath.Join(s.dir, "s") }

func (s *Server) logFile() string { return filepath.Join(s.dir, "log") }

// Log returns what the server has logged.
func (s *Server) Log() string {
	text, _ := os.ReadFile(s.logFile())
	return string(text)
}
