// Package all is the table of the backends that are built in.
package all

import (
	"mosquitto-go-auth/backends"
	"mosquitto-go-auth/backends/files"
	"mosquitto-go-auth/backends/mysql"
	"mosquitto-go-auth/backends/postgres"
	"mosquitto-go-auth/backends/redis"
)

// Drivers returns all drivers, in the order in which they are documented.
func Drivers() []backends.Driver {
	return []backends.Driver{
		files.Driver,
		mysql.Driver,
		postgres.Driver,
		redis.Driver,
	}
}
