package mariadbtest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
)

func TestMain(m *testing.M) { os.Exit(Main(m)) }

func TestSharedServerTakesStatements(t *testing.T) {
	s := Shared(t)
	name := s.Database(t)
	s.Exec(t, "CREATE TABLE "+name+".users (name TEXT)", "INSERT INTO "+name+".users VALUES ('ann')")
	if got := query(t, s.Config(), "SELECT name FROM "+name+".users"); got != "ann" {
		t.Errorf("the table holds %q, want ann", got)
	}
}

func TestServerStopsAndPauses(t *testing.T) {
	s := Start(t, Options{TLS: true})
	s.Exec(t, "CREATE DATABASE kept")
	for name, end := range map[string]func(testing.TB){"stop": s.Stop, "kill": s.Kill} {
		end(t)
		if err := try(s.Config(), "SELECT 1", new(string)); err == nil {
			t.Errorf("after %s the server still answers", name)
		}
		s.Restart(t)
		query(t, s.Config(), "SELECT 1 FROM information_schema.schemata WHERE schema_name = 'kept'")
	}
	s.Pause(t)
	config := s.Config()
	config.ReadTimeout = 200 * time.Millisecond
	if err := try(config, "SELECT 1", new(string)); err == nil {
		t.Error("a paused server answers")
	}
	s.Continue(t)
	query(t, s.Config(), "SELECT 1")
	checkTLS(t, s)
}

func checkTLS(t *testing.T, s *Server) {
	t.Helper()
	const cipher = "SELECT variable_value FROM information_schema.session_status WHERE variable_name = 'Ssl_cipher'"
	authority, err := os.ReadFile(s.CA())
	if err != nil {
		t.Fatal(err)
	}
	known := x509.NewCertPool()
	known.AppendCertsFromPEM(authority)

	config := s.Config()
	config.TLS = &tls.Config{RootCAs: known, ServerName: s.Host()}
	if query(t, config, cipher) == "" {
		t.Error("the connection is not encrypted")
	}
	config.TLS = &tls.Config{RootCAs: x509.NewCertPool(), ServerName: s.Host()}
	if err := try(config, cipher, new(string)); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("an unknown authority gives %v, want an error about the certificate", err)
	}
}

func query(t *testing.T, config *mysql.Config, statement string) string {
	t.Helper()
	var value string
	if err := try(config, statement, &value); err != nil {
		t.Fatal(err)
	}
	return value
}

func try(config *mysql.Config, statement string, value *string) error {
	config.Logger = &mysql.NopLogger{}
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return err
	}
	db := sql.OpenDB(connector)
	defer db.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return db.QueryRowContext(ctx, statement).Scan(value)
}
