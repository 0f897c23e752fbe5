package mysql

import (
	"context"
	"crypto/x509"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-sql-driver/mysql"

	"mosquitto-go-auth/backends"
)

// Numbers of errors of the servers (mysqld_error.h).
const (
	tooMany              = 1040 // connections
	databaseDenied       = 1044
	accessDenied         = 1045
	unknownDatabase      = 1049
	unknownCommand       = 1047 // also of a Galera node that has lost its cluster
	shuttingDown         = 1053
	unknownColumn        = 1054
	hostBlocked          = 1129
	commandDenied        = 1142
	columnDenied         = 1143
	noSuchTable          = 1146
	tooManyOfUser        = 1203
	userLimit            = 1226
	unknownStatement     = 1243
	illegalMix           = 1267 // of collations, of two, three and more operands
	illegalMix3          = 1270
	illegalMixN          = 1271
	interrupted          = 1317
	viewInvalid          = 1356
	routineDenied        = 1370
	definerGone          = 1449
	tooManyStatements    = 1461
	needReprepare        = 1615
	signalled            = 1644 // by SIGNAL, in a function or trigger
	accessDeniedNoMethod = 1698
	connectionKilled     = 1927 // MariaDB
	sessionKilled        = 3169 // MySQL 8
	impossibleConversion = 3988 // MySQL 8
	idleTooLong          = 4031 // MySQL 8
)

// number is that of a server's error, 0 for any other error.
func number(err error) uint16 {
	var e *mysql.MySQLError
	if errors.As(err, &e) {
		return e.Number
	}
	return 0
}

// cutOff tells whether the connection or the statement ended for no reason of
// its own, so that asking again is likely to help.
func cutOff(err error) bool {
	switch number(err) {
	case connectionKilled, sessionKilled, idleTooLong, interrupted:
		return true
	}
	return forgotten(err) || errors.Is(err, mysql.ErrInvalidConn)
}

// broken tells whether an error is that of a connection that was used up, as it is
// once its time has ended, and no answer of the server.
func broken(err error) bool {
	var network net.Error
	return errors.Is(err, mysql.ErrInvalidConn) || errors.Is(err, driver.ErrBadConn) || errors.As(err, &network)
}

// forgotten tells whether the server no longer knows a prepared statement, as
// where a proxy has moved us to another server.
func forgotten(err error) bool {
	n := number(err)
	return n == unknownStatement || n == needReprepare
}

// ailing tells whether the server says that it cannot answer anything.
func ailing(err error) bool {
	n := number(err)
	return n == unknownCommand || n == shuttingDown
}

// refusal tells whether a server answered our wish for a connection, and with
// no: a wrong password, a wrong certificate, too many connections.
func refusal(err error) bool {
	var network net.Error
	for _, e := range []error{context.Canceled, context.DeadlineExceeded, io.EOF, mysql.ErrInvalidConn, driver.ErrBadConn} {
		if errors.Is(err, e) {
			return false
		}
	}
	return !errors.As(err, &network)
}

// unspeakable tells whether the statement failed because a parameter cannot be
// written in a column's character set, such as an emoji in latin1.
func unspeakable(err error, args []any) bool {
	switch number(err) {
	case illegalMix, illegalMix3, illegalMixN, impossibleConversion:
		return foreign(args)
	}
	return false
}

// foreign tells whether an argument has characters beyond ASCII.
func foreign(args []any) bool {
	for _, a := range args {
		if s, ok := a.(string); ok {
			for i := range len(s) {
				if s[i] >= utf8.RuneSelf {
					return true
				}
			}
		}
	}
	return false
}

// queryFault says that the server answers, but cannot make sense of the query,
// or may not.
type queryFault struct {
	text string
	err  error
}

func (e *queryFault) Error() string { return "the query is at fault: " + e.text }
func (e *queryFault) Unwrap() error { return e.err }

// Is makes it a backends.ErrBadAnswer.
func (e *queryFault) Is(target error) bool { return target == backends.ErrBadAnswer }

func parametersDiffer(theirs, ours int) string {
	return fmt.Sprintf("the server counts %d parameters in it, and we %d; write strings in '' and names without ?", theirs, ours)
}

// Classes of SQLSTATE that are faults of a statement.
const (
	cardinality = "21"
	badData     = "22"
	userDefined = "45" // by SIGNAL
	badSyntax   = "42" // or a right that is missing
)

// faultOf finds out whether an error of a statement is the statement's fault.
func faultOf(err error) *queryFault {
	var e *mysql.MySQLError
	if !errors.As(err, &e) {
		return nil
	}
	limits := []uint16{tooManyOfUser, userLimit, tooManyStatements} // class 42 too
	others := []uint16{illegalMix, illegalMix3, illegalMixN, viewInvalid, definerGone}
	switch class := string(e.SQLState[:2]); {
	case slices.Contains(limits, e.Number):
		return nil
	case e.Number == signalled, class == userDefined: // its author wrote the message
		return &queryFault{fmt.Sprintf("Error %d (%s) of a SIGNAL in a function or procedure that the statement uses; "+
			"run the statement by hand to see its message", e.Number, e.SQLState), err}
	case class == badData: // the message may show what is in a row
		return &queryFault{fmt.Sprintf("Error %d (%s); see what the server's manual says of it", e.Number, e.SQLState), err}
	case class == cardinality, class == badSyntax, slices.Contains(others, e.Number):
		return &queryFault{e.Error() + "; " + remedy(e.Number), err}
	}
	return nil
}

// remedy says what to do about a query at fault.
func remedy(number uint16) string {
	switch number {
	case unknownColumn:
		return "name a column that the table has"
	case noSuchTable:
		return "name a table of the database mysql_dbname, or create it"
	case commandDenied, columnDenied, databaseDenied:
		return "let the user mysql_user read it: GRANT SELECT ON the table TO the user"
	case routineDenied:
		return "let the user mysql_user run it: GRANT EXECUTE ON the function TO the user"
	}
	return "correct the statement"
}

// explain tells faults of the query from outages.
func explain(err error) error {
	var c *connectError
	if errors.As(err, &c) {
		return err
	}
	if fault := faultOf(err); fault != nil {
		return fault
	}
	return err
}

// advise adds to an error of making a connection what the operator can do.
func advise(err error) string {
	advice := ""
	var authority x509.UnknownAuthorityError
	var name x509.HostnameError
	switch number(err) {
	case accessDenied, accessDeniedNoMethod:
		advice = "the server does not accept our own user name and password, see mysql_user and mysql_password"
	case databaseDenied:
		advice = "our own user may not use the database, see mysql_dbname and GRANT SELECT"
	case unknownDatabase:
		advice = "there is no such database, see mysql_dbname"
	case tooMany, tooManyOfUser, userLimit:
		advice = "the server has no connection left for us, see its max_connections and mysql_max_open_conns"
	case hostBlocked:
		advice = "the server has blocked this host after too many broken connections, mysqladmin flush-hosts lets it in again"
	}
	switch {
	case errors.Is(err, mysql.ErrNativePassword):
		advice = "the server wants mysql_native_password, which mysql_allow_native_passwords true allows"
	case errors.Is(err, mysql.ErrUnknownPlugin), errors.Is(err, mysql.ErrOldPassword), errors.Is(err, mysql.ErrCleartextPassword):
		advice = "give the user mysql_user a method that is known here: mysql_native_password, ed25519, caching_sha2_password or sha256_password"
	case errors.Is(err, mysql.ErrNoTLS):
		advice = "the server has no TLS; set it up there, or write mysql_sslmode false"
	case errors.As(err, &authority):
		advice = "the server's certificate is of no trusted authority; name its PEM file as mysql_sslrootcert with mysql_sslmode custom"
	case errors.As(err, &name):
		advice = "the server's certificate is for another name than mysql_host"
	}
	if advice == "" {
		return err.Error()
	}
	return strings.Join([]string{advice, err.Error()}, ": ")
}
