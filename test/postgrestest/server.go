package postgrestest

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

	"github.com/jackc/pgx/v5"

	"mosquitto-go-auth/test/port"
)

// patience is how long a server may take to start, to stop or to answer.
const patience = 30 * time.Second

// Options says in what a server differs from a plain one, which trusts everybody.
type Options struct {
	// HBA are lines of pg_hba.conf that stand before the one that trusts
	// everybody.
	HBA []string

	// Certificate, Key and CA are PEM texts; with the first two the server
	// offers TLS, with CA it asks clients for certificates.
	Certificate, Key, CA string

	// Settings are lines of postgresql.conf.
	Settings []string
}

// A Server is a PostgreSQL with the superuser postgres, and no databases but its
// own. It is not safe for concurrent use.
type Server struct {
	host           string
	port           int
	held           *port.Held
	user, password string
	dir            string // empty: the server is somebody else's
	bin            string
	cmd            *exec.Cmd
	exited         chan error
}

// errMissing is the error of New where PostgreSQL is not installed.
var errMissing = errors.New("the PostgreSQL server is not installed; scripts/setup installs it")

// New makes a server with its data in a temporary directory, and starts it on a
// free loopback port. Close stops and removes it.
func New(o Options) (*Server, error) {
	s, err := newServer()
	if err != nil {
		return nil, err
	}
	err = s.install(o)
	if err == nil {
		err = s.startOnFreePort()
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func newServer() (*Server, error) {
	bin, err := programs()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "postgres-") // short: it holds a socket
	if err != nil {
		return nil, err
	}
	return &Server{dir: dir, bin: bin, host: "127.0.0.1", user: "postgres"}, nil
}

// programs finds the directory of a server's programs. Debian keeps them out of
// PATH, for each version apart.
func programs() (string, error) {
	if found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb"); len(found) > 0 {
		return filepath.Dir(found[len(found)-1]), nil
	}
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path), nil
	}
	return "", errMissing
}

func (s *Server) data() string    { return filepath.Join(s.dir, "data") }
func (s *Server) logFile() string { return filepath.Join(s.dir, "log") }

// install lays out the data directory.
func (s *Server) install(o Options) error {
	if err := s.give(); err != nil {
		return err
	}
	initdb := s.command("initdb", "--pgdata", s.data(), "--username", s.user, "--auth", "trust", "--encoding", "UTF8",
		"--no-locale", "--no-sync")
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	settings := append(s.settings(), o.Settings...)
	if o.Certificate != "" {
		settings = append(settings, "ssl = on", "ssl_cert_file = 'server.pem'", "ssl_key_file = 'server.key'")
	}
	if o.CA != "" {
		settings = append(settings, "ssl_ca_file = 'ca.pem'")
	}
	hba := append(o.HBA, "local all all trust", "host all all 127.0.0.1/32 trust", "host replication all 127.0.0.1/32 trust")
	for name, text := range map[string]string{
		"server.pem": o.Certificate, "server.key": o.Key, "ca.pem": o.CA,
		"postgresql.conf": strings.Join(settings, "\n") + "\n",
		"pg_hba.conf":     strings.Join(hba, "\n") + "\n",
	} {
		if err := os.WriteFile(filepath.Join(s.data(), name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return s.give()
}

// settings are lines of postgresql.conf.
func (s *Server) settings() []string {
	return []string{
		"listen_addresses = '127.0.0.1'",
		"unix_socket_directories = '" + s.dir + "'",
		"shared_buffers = 16MB",
		"dynamic_shared_memory_type = mmap",
		"fsync = off",
		"wal_level = replica",
		"autovacuum = off",
		"log_line_prefix = '%m [%p] %a '",
	}
}

// replica copies a running server and starts the copy, which then follows it.
func (s *Server) replica() (*Server, error) {
	r, err := newServer()
	if err != nil {
		return nil, err
	}
	if err := r.give(); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	out, err := r.command("pg_basebackup", "--pgdata", r.data(), "--host", s.host, "--port", strconv.Itoa(s.port),
		"--username", s.user, "--checkpoint", "fast", "--wal-method", "stream", "--write-recovery-conf", "--no-sync").CombinedOutput()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("pg_basebackup: %w\n%s", err, out), r.Close())
	}
	conf, err := os.OpenFile(filepath.Join(r.data(), "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	_, err = conf.WriteString(strings.Join(r.settings(), "\n") + "\n")
	if err = errors.Join(err, conf.Close()); err == nil {
		err = r.startOnFreePort()
	}
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// startOnFreePort starts it for the first time, on a port that it has until Close.
func (s *Server) startOnFreePort() (err error) {
	if s.held, err = port.Hold(); err != nil {
		return err
	}
	s.port = s.held.Port
	return s.start()
}

func (s *Server) start() error {
	log, err := os.OpenFile(s.logFile(), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	s.cmd = s.command("postgres", "-D", s.data(), "-p", strconv.Itoa(s.port))
	s.cmd.Stderr = log
	if err := s.cmd.Start(); err != nil {
		return fmt.Errorf("starting postgres: %w", err)
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
			return fmt.Errorf("postgres ended: %s", s.Log())
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("postgres does not answer: %w: %s", err, s.Log()), s.end(syscall.SIGKILL))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (s *Server) ping(ctx context.Context) error {
	conn, err := s.Connect(ctx, "")
	if err != nil {
		return err
	}
	return conn.Close(ctx)
}

// Connect makes a connection for a test's own statements, to the database called
// postgres if none is named.
func (s *Server) Connect(ctx context.Context, database string) (*pgx.Conn, error) {
	config, err := pgx.ParseConfig(s.URL(database))
	if err != nil {
		return nil, err
	}
	return pgx.ConnectConfig(ctx, config)
}

// end ends all processes of the server with a signal, and waits for their end.
func (s *Server) end(sig syscall.Signal) error {
	if s.cmd == nil {
		return nil
	}
	cmd := s.cmd
	s.cmd = nil
	children := processes(cmd.Process.Pid)
	cmd.Process.Signal(sig)
	if sig == syscall.SIGKILL {
		kill(children, sig)
	} else {
		kill(children, syscall.SIGCONT)
	}
	select {
	case <-s.exited:
	case <-time.After(patience):
		cmd.Process.Kill()
		kill(children, syscall.SIGKILL)
		<-s.exited
		return fmt.Errorf("postgres did not end on %v", sig)
	}
	for end := time.Now().Add(patience); alive(children); {
		if time.Now().After(end) {
			return errors.New("processes of postgres are left")
		}
		time.Sleep(5 * time.Millisecond)
	}
	return nil
}

// signal sends a signal to all processes of the server.
func (s *Server) signal(sig syscall.Signal) {
	s.cmd.Process.Signal(sig)
	kill(processes(s.cmd.Process.Pid), sig)
}

// Close ends the server and removes its data.
func (s *Server) Close() error {
	if s.dir == "" {
		return nil
	}
	err := errors.Join(s.end(syscall.SIGKILL), os.RemoveAll(s.dir))
	if s.held != nil {
		err = errors.Join(err, s.held.Close())
	}
	return err
}

// URL returns the address of a database, the one called postgres if none is
// named.
func (s *Server) URL(database string) string {
	if database == "" {
		database = "postgres"
	}
	account := s.user
	if s.password != "" {
		account += ":" + s.password
	}
	return fmt.Sprintf("postgres://%s@%s/%s?sslmode=disable&connect_timeout=10", account,
		net.JoinHostPort(s.host, strconv.Itoa(s.port)), database)
}

// Host returns the address, without a port, that the server listens on.
func (s *Server) Host() string { return s.host }

// Port returns the TCP port of the server.
func (s *Server) Port() int { return s.port }

// User returns the superuser.
func (s *Server) User() string { return s.user }

// Password returns the superuser's password, "" if it needs none.
func (s *Server) Password() string { return s.password }

// Sockets returns the directory of the server's Unix socket, "" if it is unknown.
func (s *Server) Sockets() string { return s.dir }

// Log returns what the server has logged.
func (s *Server) Log() string {
	text, _ := os.ReadFile(s.logFile())
	return string(text)
}
