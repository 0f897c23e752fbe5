package main

import (
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"mosquitto-go-auth/test/brokertest"
	"mosquitto-go-auth/test/port"
	"mosquitto-go-auth/test/tlstest"
)

// listeners has one of each kind.
const listeners = `
allow_anonymous false
listener {{.Port}} 127.0.0.1
listener {{.Port2}} 127.0.0.1
protocol websockets
listener {{.Vars.TLS}} 127.0.0.1
certfile {{.Dir}}/cert.pem
keyfile {{.Dir}}/key.pem
listener {{.Vars.WSS}} 127.0.0.1
protocol websockets
certfile {{.Dir}}/cert.pem
keyfile {{.Dir}}/key.pem
listener {{.Vars.KEYED}} 127.0.0.1
cafile {{.Dir}}/ca.pem
certfile {{.Dir}}/cert.pem
keyfile {{.Dir}}/key.pem
require_certificate true
listener {{.Vars.PSK}} 127.0.0.1
psk_hint kitchen
listener 0 {{.Dir}}/socket
psk_file {{.Dir}}/psk
listener {{.Vars.BOUND}}
bind_interface {{.Vars.INTERFACE}}
`

// closed has the kinds that only 2.1 knows, and that do not answer.
const closed = `
listener {{.Vars.API}} 127.0.0.1
protocol http_api
listener {{.Vars.PROXY}} 127.0.0.1
enable_proxy_protocol 2
`

// outside is the name of an interface with an address that is not the loopback's,
// or else the loopback's.
func outside(t *testing.T) string {
	list, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	name := "lo"
	for _, i := range list {
		addresses, err := i.Addrs()
		if err != nil {
			t.Fatal(err)
		}
		if i.Flags&net.FlagUp != 0 && i.Flags&net.FlagLoopback == 0 && len(addresses) > 0 {
			name = i.Name
		}
	}
	return name
}

// TestHealthScripts runs testdata/health/*.txt with each broker, which has all
// listeners of the above.
func TestHealthScripts(t *testing.T) {
	brokertest.Each(t, func(t *testing.T, b brokertest.Broker) {
		ca := tlstest.New(t, "authority", nil)
		own := tlstest.New(t, "broker", ca)
		env := []string{}
		options := []brokertest.Option{brokertest.File("ca.pem", ca.PEM()), brokertest.File("cert.pem", own.PEM()),
			brokertest.File("key.pem", own.KeyPEM(t)), brokertest.File("psk", "sam:00ff\n")}
		for _, name := range []string{"TLS", "WSS", "KEYED", "PSK", "BOUND", "API", "PROXY"} {
			free := strconv.Itoa(port.Free(t))
			options, env = append(options, brokertest.Var(name, free)), append(env, name+"="+free)
		}
		options, env = append(options, brokertest.Var("INTERFACE", outside(t))), append(env, "INTERFACE="+outside(t))
		text := listeners
		if b.HasGlobalPlugin() { // 2.1
			text = closed + listeners
		}
		r := brokertest.Start(t, b, text, options...)
		_, plain, _ := net.SplitHostPort(r.Addr)
		_, ws, _ := net.SplitHostPort(r.Addr2)
		env = append(env, "PLAIN="+plain, "WS="+ws, "FREE="+strconv.Itoa(port.Free(t)), "PID="+strconv.Itoa(r.PID), "SOCKET="+filepath.Join(r.Dir, "socket"),
			"CONFIG="+filepath.Join(r.Dir, "mosquitto.conf"))
		// Not with t, whose subtests would begin when the broker is gone.
		t.Run("scripts", func(t *testing.T) {
			testscript.Run(t, testscript.Params{
				Dir:   "testdata/health",
				Cmds:  map[string]func(*testscript.TestScript, bool, []string){"exits": exits, "sh": sh, "expand": expand},
				Setup: func(e *testscript.Env) error { e.Vars = append(e.Vars, env...); return nil },
			})
		})
		for _, word := range []string{"not authorised", "user \""} {
			if strings.Contains(r.Log(), word) {
				t.Errorf("the log speaks of a user:\n%s", r.Log())
			}
		}
	})
}
