package redis

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/redis/go-redis/v9"

	"mosquitto-go-auth/backends"
)

// isAnswer tells whether an error is the answer to one command: the key is
// missing, or of another type.
func isAnswer(err error) bool {
	return errors.Is(err, redis.Nil) || redis.HasErrorPrefix(err, "WRONGTYPE")
}

// wrongType makes a fault of one account of the answer that a key is of another
// type.
func wrongType(err error, key, wanted string) error {
	if err != nil && redis.HasErrorPrefix(err, "WRONGTYPE") {
		return fmt.Errorf("%w: the key %q is no %s", backends.ErrBadAnswer, key, wanted)
	}
	return err
}

// wrap says who was asked, and what the operator can do.
func (r *Redis) wrap(err error) error {
	return fmt.Errorf("asking %s: %w", r.opts.place(), r.opts.explain(err))
}

// explain adds to an error what the operator can do about it.
func (o *options) explain(err error) error {
	var authority x509.UnknownAuthorityError
	var name x509.HostnameError
	switch {
	case o.tells(err):
		// Servers without AUTH, and proxies, repeat what they do not understand.
		return errors.New("the server's answer is not shown, since it has our own password in it; see redis_user and redis_password")
	case denied(err):
		return fmt.Errorf("the server does not accept our own user and password, see redis_user and redis_password: %w", err)
	case says(err, "NOPERM"):
		return fmt.Errorf("the ACL user that we are may not ask that: it needs %s and the keys (or channels): %w", o.commands(), err)
	case says(err, "MOVED"):
		return fmt.Errorf("the server is a node of a Cluster; write redis_mode cluster and redis_cluster_addresses: %w", err)
	case says(err, "cluster support disabled"):
		return fmt.Errorf("the server is no node of a Cluster; write redis_mode single, and redis_host: %w", err)
	case says(err, "DB index is out of range"):
		return fmt.Errorf("the server does not have so many databases, see redis_db: %w", err)
	case errors.As(err, &authority):
		return fmt.Errorf("the server's certificate is of no trusted authority; name its PEM file as redis_tls_ca: %w", err)
	case errors.As(err, &name):
		return fmt.Errorf("the server's certificate is for another name than its address; name that as redis_tls_server_name: %w", err)
	case errors.Is(err, io.EOF) && o.tls.mode == "false":
		return fmt.Errorf("the server closed the connection (if it wants TLS, write redis_tls true): %w", err)
	case errors.Is(err, redis.ErrPoolTimeout):
		return fmt.Errorf("all connections are busy, see redis_pool_size: %w", err)
	}
	return err
}

// tells tells whether an error shows a password.
func (o *options) tells(err error) bool {
	text := err.Error()
	shown := func(secret string) bool { return secret != "" && strings.Contains(text, secret) }
	return (shown(o.password) || shown(o.sentinelPassword)) && isReply(err)
}

// isReply tells whether the text is the server's.
func isReply(err error) bool {
	var reply redis.Error
	return errors.As(err, &reply)
}

// denied tells whether the server wants another password, in the words of its
// versions.
func denied(err error) bool {
	return redis.IsAuthError(err) || says(err, "NOAUTH") || says(err, "WRONGPASS") ||
		says(err, "invalid password") || says(err, "AUTH <password> called without any password") || says(err, "no password is set")
}

func says(err error, text string) bool { return isReply(err) && strings.Contains(err.Error(), text) }

// commands are those that an ACL user needs.
func (o *options) commands() string {
	list := []string{"+get", "+smembers"}
	if o.userquery != "" {
		list = []string{"+" + strings.ToLower(strings.Fields(o.userquery)[0])}
	}
	if o.db != 0 {
		list = append(list, "+select")
	}
	if o.mode == cluster {
		list = append(list, "+cluster|slots")
		if o.readFrom == "replica" {
			list = append(list, "+command", "+readonly")
		}
	}
	if o.channel != "" {
		list = append(list, "+subscribe")
	}
	if o.keyspace {
		list = append(list, "+psubscribe")
	}
	return strings.Join(append(list, "+ping"), " ")
}
