package postgres

import (
	"crypto/x509"
	"errors"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"mosquitto-go-auth/backends"
	"mosquitto-go-auth/backends/sqldb"
)

// badAnswer says that the server is well and refuses the statement, or cannot
// work with a value of the account.
type badAnswer struct {
	text string
	err  error
}

func (e *badAnswer) Error() string        { return e.text }
func (e *badAnswer) Unwrap() error        { return e.err }
func (e *badAnswer) Is(target error) bool { return target == backends.ErrBadAnswer }

// told is an error with what the operator can do about it, on one line.
type told struct {
	text string
	err  error
}

func (e *told) Error() string { return e.text }
func (e *told) Unwrap() error { return e.err }

// Classes of errors, the first two characters of an SQLSTATE (PostgreSQL,
// appendix A).
const (
	ofStatement   = "0A 20 21 23 25 2F 34 38 39 3B 3F 42 44 54 P0"
	ofValue       = "22"
	ofOurLogin    = "28"
	ofOurDatabase = "3D"
)

// silent are the classes whose messages may show what the tables hold.
const silent = "22 23 38 39 P0"

// explain sorts an error of the client library.
func explain(err error) error {
	var server *pgconn.PgError
	var connect *pgconn.ConnectError
	isServer, connecting := errors.As(err, &server), errors.As(err, &connect)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, sqldb.ErrNoMatch) || errors.Is(err, backends.ErrBadAnswer):
		return err
	case isServer && connecting:
		return explainLogin(err, server)
	case isServer:
		return explainStatement(server)
	}
	var authority x509.UnknownAuthorityError
	var name x509.HostnameError
	switch {
	case errors.As(err, &authority):
		return tell("the server's certificate is of no trusted authority, name its PEM file as pg_sslrootcert", err)
	case errors.As(err, &name):
		return tell("the server's certificate is for another name than pg_host", err)
	}
	return tell("", err)
}

// explainStatement sorts what the server says to a statement.
func explainStatement(e *pgconn.PgError) error {
	class := e.Code[:min(2, len(e.Code))]
	switch {
	case class == ofValue && strings.Contains(e.Where, "$"), e.Code == "22P05":
		return sqldb.ErrNoMatch // a name that the column cannot hold
	case class != ofValue && !strings.Contains(ofStatement, class):
		return tell("", e)
	case strings.Contains(silent, class):
		return &badAnswer{"the server cannot work with a value that the statement meets (SQLSTATE " + e.Code + ")", nil}
	}
	return &badAnswer{e.Error(), e}
}

// explainLogin adds what to do if the server does not let us in.
func explainLogin(err error, e *pgconn.PgError) error {
	switch {
	case strings.HasPrefix(e.Code, ofOurLogin):
		return tell("the server does not accept our own user name and password, see pg_user, pg_password and the server's pg_hba.conf", err)
	case strings.HasPrefix(e.Code, ofOurDatabase):
		return tell("the server has no such database, see pg_dbname", err)
	case e.Code == "53300":
		return tell("the server has no connection left, see pg_max_open_conns and the server's max_connections", err)
	case slices.Contains([]string{"22023", "42601", "42704"}, e.Code), strings.Contains(e.Message, "startup parameter"): // so PgBouncer
		return tell("the server does not accept a setting, see pg_options", err)
	}
	return tell("", err)
}

func tell(advice string, err error) error {
	text := strings.NewReplacer("\n\t", "; ", "\n", "; ").Replace(err.Error())
	if advice != "" {
		text = advice + ": " + text
	}
	return &told{text, err}
}

// refusesUs tells whether the server does not let us in, whoever asks.
func refusesUs(err error) bool {
	var server *pgconn.PgError
	var connect *pgconn.ConnectError
	return errors.As(err, &connect) && errors.As(err, &server) &&
		(strings.HasPrefix(server.Code, ofOurLogin) || strings.HasPrefix(server.Code, ofOurDatabase))
}

// inConflict tells whether a statement was broken off for the sake of another
// transaction: on a standby, for what it learns from the primary server.
func inConflict(err error) bool {
	var server *pgconn.PgError
	return errors.As(err, &server) && (server.Code == "40001" || server.Code == "40P01")
}
