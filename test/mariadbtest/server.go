package mariadbtest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/go-sql-driver/mysql"

	"mosquitto-go-auth/test/port"
)

// patience is how long a server may take to start, to stop or to answer.
const patience = 30 * time.Second

// Options says in what a server differs from a plain one.
type Options struct {
	TLS bool // the server has a certificate for 127.0.0.1 and localhost; see Server.CA

	// Instead of TLS: the server's own certificate and key, and the authority
	// of those that it accepts from clients, as PEM.
	Certificate, Key, Authority string

	Args []string // more arguments for mariadbd
}

// A Server is a MariaDB with the account root, without a password, and no
// databases but its own. It is not safe for concurrent use.
type Server struct {
	config *mysql.Config
	port   *port.Held
	dir    string // empty: the server is somebody else's
	args   []string
	cmd    *exec.Cmd
	exited chan error
	db     *sql.DB
}

// errMissing is the error of New where MariaDB is not installed.
var errMissing = errors.New("mariadbd is not installed; scripts/setup installs it")

// PID is the server's process.
func (s *Server) PID() int { return s.cmd.Process.Pid }

// New makes a server with its data in a temporary directory, and starts it on a
// free loopback port. Close stops and removes it.
func New(o Options) (*Server, error) {
	mariadbd, err := program("mariadbd")
	if err != nil {
		return nil, err
	}
	installer, err := program("mariadb-install-db")
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "mariadb-") // short: it holds a socket
	if err != nil {
		return nil, err
	}
	s := &Server{dir: dir, args: []string{mariadbd}}
	if err := s.install(installer, o); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if err := s.startOnFreePort(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// program finds a program of MariaDB, also where PATH is an ordinary user's.
func program(name string) (string, error) {
	for _, file := range []string{name, "/usr/sbin/" + name} {
		if path, err := exec.LookPath(file); err == nil {
			return path, nil
		}
	}
	return "", errMissing
}

// install lays out the data directory and settles the arguments but the port.
func (s *Server) install(installer string, o Options) error {
	s.args = append(s.args,
		"--no-defaults",
		"--datadir="+filepath.Join(s.dir, "data"),
		"--tmpdir="+s.dir, // two servers can give their files there one name
		"--socket="+s.Socket(),
		"--pid-file="+filepath.Join(s.dir, "pid"),
		"--log-error="+s.logFile(),
		"--bind-address=127.0.0.1",
		"--skip-name-resolve",
		"--skip-log-bin",
		"--performance-schema=off",
		"--innodb-buffer-pool-size=16M",
		"--innodb-log-file-size=8M",
		"--innodb-flush-log-at-trx-commit=0",
		"--innodb-fast-shutdown=2",
		"--key-buffer-size=1M",
		"--aria-pagecache-buffer-size=1M",
	)
	s.args = append(s.args, o.Args...)
	if o.TLS || o.Certificate != "" {
		if err := o.writeCertificates(s.dir); err != nil {
			return fmt.Errorf("making the server's certificates: %w", err)
		}
		s.args = append(s.args, "--ssl-ca="+s.CA(),
			"--ssl-cert="+filepath.Join(s.dir, certFile), "--ssl-key="+filepath.Join(s.dir, keyFile))
	}
	if err := s.give(); err != nil {
		return err
	}
	cmd := s.command(installer, "--no-defaults", "--datadir="+filepath.Join(s.dir, "data"), "--tmpdir="+s.dir,
		"--auth-root-authentication-method=normal", "--skip-test-db", "--innodb-log-file-size=8M")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("mariadb-install-db: %w\n%s", err, out)
	}
	return nil
}

// startOnFreePort starts it for the first time, on a port that it has until Close.
func (s *Server) startOnFreePort() (err error) {
	if s.port, err = port.Hold(); err != nil {
		return err
	}
	s.config = mysql.NewConfig()
	s.config.User, s.config.Net, s.config.Addr = "root", "tcp", fmt.Sprintf("127.0.0.1:%d", s.port.Port)
	return s.start()
}

func (s *Server) start() error {
	s.cmd = s.command(s.args[0], append(s.args[1:len(s.args):len(s.args)], "--port="+strconv.Itoa(s.Port()))...)
	if err := s.cmd.Start(); err != nil {
		return fmt.Errorf("starting mariadbd: %w", err)
	}
	s.exited = make(chan error, 1)
	go func(cmd *exec.Cmd, exited chan<- error) { exited <- cmd.Wait() }(s.cmd, s.exited)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		err := s.ping(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-s.exited:
			s.cmd = nil
			return fmt.Errorf("mariadbd ended: %s", s.Log())
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("mariadbd does not answer: %w: %s", err, s.Log()), s.signal(syscall.SIGKILL))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (s *Server) ping(ctx context.Context) error {
	db, err := s.open()
	if err != nil {
		return err
	}
	return db.PingContext(ctx)
}

// open returns the connections for the tests' own statements.
func (s *Server) open() (*sql.DB, error) {
	if s.db != nil {
		return s.db, nil
	}
	config := s.config.Clone()
	config.Logger = &mysql.NopLogger{} // a server that is starting is no news
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return nil, err
	}
	s.db = sql.OpenDB(connector)
	return s.db, nil
}

// signal sends a signal that ends the server, and waits for its end.
func (s *Server) signal(sig syscall.Signal) error {
	if s.cmd == nil {
		return nil
	}
	cmd := s.cmd
	s.cmd = nil
	if s.db != nil {
		s.db.Close()
		s.db = nil
	}
	if err := cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("sending %v to mariadbd: %w", sig, err)
	}
	select {
	case <-s.exited:
		return nil
	case <-time.After(patience):
		cmd.Process.Kill()
		<-s.exited
		return fmt.Errorf("mariadbd did not end on %v", sig)
	}
}

// Close ends the server and removes its data.
func (s *Server) Close() error {
	if s.dir == "" {
		if s.db != nil {
			return s.db.Close()
		}
		return nil
	}
	err := errors.Join(s.signal(syscall.SIGKILL), os.RemoveAll(s.dir))
	if s.port != nil {
		err = errors.Join(err, s.port.Close())
	}
	return err
}

// Config returns the settings that a client needs, of its own to change.
func (s *Server) Config() *mysql.Config { return s.config.Clone() }

// DSN returns Config in the driver's textual form.
func (s *Server) DSN() string { return s.config.FormatDSN() }

// Host returns the address, without a port, that the server listens on.
func (s *Server) Host() string {
	host, _, _ := net.SplitHostPort(s.config.Addr)
	return host
}

// Port returns the TCP port of the server.
func (s *Server) Port() int {
	_, text, _ := net.SplitHostPort(s.config.Addr)
	port, _ := strconv.Atoi(text)
	return port
}

// Socket returns the path of the server's Unix socket, "" if it is unknown.
func (s *Server) Socket() string {
	if s.dir == "" {
		return ""
	}
	return filepath.Join(s.dir, "sock")
}

// CA returns the file with the certificate that signed the server's, of a
// server made with Options.TLS.
func (s *Server) CA() string { return filepath.Join(s.dir, caFile) }

func (s *Server) logFile() string { return filepath.Join(s.dir, "log") }

// Log returns what the server has logged.
func (s *Server) Log() string {
	text, _ := os.ReadFile(s.logFile())
	return string(text)
}
