package mysql

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"mosquitto-go-auth/backends"
	"mosquitto-go-auth/test/mariadbtest"
)

// server is a database of the test's own on a server.
type server struct {
	*mariadbtest.Server
	config *mysql.Config
	db     *sql.DB // in the database
}

func newServer(t *testing.T) *server { return onServer(t, mariadbtest.Shared(t)) }

// newMortal is a server that the test may stop.
func newMortal(t *testing.T, o mariadbtest.Options) *server {
	return onServer(t, mariadbtest.Start(t, o))
}

// durable is one whose data outlive a crash.
func durable(t *testing.T) *server {
	return newMortalWith(t, "--innodb-flush-log-at-trx-commit=1")
}

func newMortalWith(t *testing.T, args ...string) *server {
	return newMortal(t, mariadbtest.Options{Args: args})
}

func onServer(t *testing.T, m *mariadbtest.Server) *server {
	config := m.Config()
	config.DBName, config.Logger = m.Database(t), &mysql.NopLogger{}
	m.Exec(t, "ALTER DATABASE "+config.DBName+" CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci")
	return &server{m, config, openDB(t, config)}
}

func openDB(t *testing.T, config *mysql.Config) *sql.DB {
	connector, err := mysql.NewConnector(config)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	t.Cleanup(func() { db.Close() })
	return db
}

func mustExec(t *testing.T, db *sql.DB, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if _, err := db.Exec(s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

// options are those of the connection, in mosquitto-go-auth's names.
func (s *server) options() string { return s.as(s.config.User, s.config.Passwd) }

// as is the same for another user of the server.
func (s *server) as(user, password string) string {
	text := fmt.Sprintf("mysql_host %s\nmysql_port %d\nmysql_dbname %s\nmysql_user %s\n", s.Host(), s.Port(), s.config.DBName, user)
	if password != "" {
		text += "mysql_password " + password + "\n"
	}
	return text
}

func (s *server) open(t *testing.T, options ...string) backends.Opened {
	t.Helper()
	return open(t, s.options()+strings.Join(options, "\n"))
}

func open(t *testing.T, options string) backends.Opened {
	t.Helper()
	opened, _, faults := load(options, backends.AllChecks)
	if faults != nil {
		t.Fatal(faults)
	}
	t.Cleanup(func() { opened.Close() })
	return opened
}

func ctxOf(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func user(t *testing.T, b backends.Backend, name string) backends.Account {
	t.Helper()
	a, err := b.User(ctxOf(t), backends.Lookup{Name: name, ClientID: "c1"})
	if err != nil {
		t.Fatalf("%.40q: %v", name, err)
	}
	return a
}

// proxy stands between a backend and the server and can be cut, which is what
// a restart of the server is to a client: connections and all that was
// prepared on them are gone.
type proxy struct {
	listener net.Listener
	mu       sync.Mutex
	conns    map[net.Conn]bool
	refuse   bool
}

func (s *server) proxy(t *testing.T) *proxy {
	socket := filepath.Join(t.TempDir(), "s")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: listener, conns: map[net.Conn]bool{}}
	t.Cleanup(func() { listener.Close(); p.cut(true) })
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			p.join(client, s.config)
		}
	}()
	return p
}

func (p *proxy) join(client net.Conn, config *mysql.Config) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.refuse {
		client.Close()
		return
	}
	up, err := net.Dial(config.Net, config.Addr)
	if err != nil {
		client.Close()
		return
	}
	p.conns[client], p.conns[up] = true, true
	go pipe(client, up)
	go pipe(up, client)
}

func pipe(to, from net.Conn) {
	io.Copy(to, from)
	to.Close()
	from.Close()
}

// cut breaks all connections, and refuses or lets in new ones.
func (p *proxy) cut(refuse bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuse = refuse
	for c := range p.conns {
		c.Close()
	}
	clear(p.conns)
}

func (s *server) through(p *proxy) string {
	return fmt.Sprintf("mysql_dbname %s\nmysql_user %s\nmysql_password %s\nmysql_protocol unix\nmysql_socket %s\n",
		s.config.DBName, s.config.User, s.config.Passwd, p.listener.Addr())
}
