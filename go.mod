module mosquitto-go-auth

go 1.26.0

require (
	github.com/go-sql-driver/mysql v1.10.1
	github.com/rogpeppe/go-internal v1.16.0
	golang.org/x/crypto v0.58.0
	golang.org/x/sys v0.49.0
	golang.org/x/tools v0.52.0
)

require filippo.io/edwards25519 v1.2.0 // indirect
