package storm

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"mosquitto-go-auth/test/brokertest"
	"mosquitto-go-auth/test/mqtt"
)

// A library is a client as people use it, with its defaults but where the name
// says otherwise.
type library struct {
	name     string
	versions []byte // of MQTT
	// start has it log in to a port of this machine until the test ends. The
	// channel is closed when it has given up.
	start func(t *testing.T, port int, o mqtt.Options) (gone <-chan struct{})
	// oneTry: it leaves it to the program to try again what fails at first.
	oneTry bool
}

var libraries = []library{
	{"Go paho 1.5", []byte{4}, goPaho(false), true},
	{"Go paho 1.5, ConnectRetry", []byte{4}, goPaho(true), false},
	{"Python paho 1.6", []byte{4, 5}, pythonPaho, false},
	{"MQTT.js 5", []byte{4, 5}, mqttJS("mqtt5"), false},
	{"MQTT.js 5, reconnectOnConnackError", []byte{4, 5}, mqttJS("mqtt5", "reconnectOnConnackError"), false},
	{"MQTT.js 4.3 (MQTT Explorer)", []byte{4, 5}, mqttJS("mqtt4"), false},
	{"mosquitto_sub 2.0", []byte{4, 5}, mosquitto("mosquitto_sub", "-t", "topic"), false},
	{"mosquitto_pub 2.0", []byte{4, 5}, mosquitto("mosquitto_pub", "-t", "topic", "-m", "message"), true},
}

// speaks tells whether the library knows a version of MQTT.
func (l library) speaks(version byte) bool { return slices.Contains(l.versions, version) }

// goPaho is the library for Go; it runs in this process. With retry it tries
// again also what fails at first, which is no default.
func goPaho(retry bool) func(*testing.T, int, mqtt.Options) <-chan struct{} {
	return func(t *testing.T, port int, o mqtt.Options) <-chan struct{} {
		options := paho.NewClientOptions().AddBroker("tcp://127.0.0.1:" + strconv.Itoa(port)).
			SetClientID(o.ID).SetUsername(*o.Username).SetPassword(string(o.Password)).SetCleanSession(!o.Persistent)
		if retry {
			options.SetConnectRetry(true).SetConnectRetryInterval(time.Second)
		}
		client := paho.NewClient(options)
		t.Cleanup(func() { client.Disconnect(0) })
		gone := make(chan struct{})
		token := client.Connect()
		go func() {
			if <-token.Done(); token.Error() != nil {
				close(gone)
			}
		}()
		return gone
	}
}

func pythonPaho(t *testing.T, port int, o mqtt.Options) <-chan struct{} {
	const python = "/usr/bin/python3" // see scripts/setup
	if exec.Command(python, "-c", "import paho.mqtt.client").Run() != nil {
		missing(t, "Python's paho is not installed; scripts/setup installs it")
	}
	return run(t, python, append([]string{"testdata/client.py"}, words(port, o)...)...)
}

func mqttJS(module string, set ...string) func(*testing.T, int, mqtt.Options) <-chan struct{} {
	return func(t *testing.T, port int, o mqtt.Options) <-chan struct{} {
		return run(t, "node", slices.Concat([]string{"testdata/client.js", moduleJS(t, module)}, words(port, o), set)...)
	}
}

// moduleJS returns where a version of MQTT.js is.
func moduleJS(t *testing.T, module string) string {
	t.Helper()
	path, err := filepath.Abs("../../build/clients/node_modules/" + module)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		missing(t, "MQTT.js is not there; scripts/clients fetches it")
	}
	return path
}

// missing ends a test that lacks a program: it is skipped, or fails in `make test`.
func missing(t *testing.T, reason string) {
	t.Helper()
	if os.Getenv(brokertest.NoSkipEnv) != "" {
		t.Fatal(reason)
	}
	t.Skip(reason)
}

// words are the arguments of the programs in testdata.
func words(port int, o mqtt.Options) []string {
	clean := "1"
	if o.Persistent {
		clean = "0"
	}
	return []string{strconv.Itoa(port), strconv.Itoa(int(o.Version)), *o.Username, string(o.Password), o.ID, clean}
}

func mosquitto(program string, more ...string) func(*testing.T, int, mqtt.Options) <-chan struct{} {
	return func(t *testing.T, port int, o mqtt.Options) <-chan struct{} {
		version := map[byte]string{4: "mqttv311", 5: "mqttv5"}[o.Version]
		args := []string{"-h", "127.0.0.1", "-p", strconv.Itoa(port), "-V", version,
			"-u", *o.Username, "-P", string(o.Password), "-i", o.ID}
		if o.Persistent && program == "mosquitto_sub" {
			args = append(args, "-c", "-q", "1")
		}
		return run(t, program, append(args, more...)...)
	}
}

// run starts a program that ends with the test, if it does not before. What it
// says is shown if the test fails.
func run(t *testing.T, program string, args ...string) <-chan struct{} {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		missing(t, program+" is not installed; scripts/setup installs it")
	}
	var output bytes.Buffer
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr = &output, &output
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	gone := make(chan struct{})
	go func() {
		cmd.Wait()
		close(gone)
	}()
	t.Cleanup(func() {
		cmd.Process.Kill()
		<-gone
		if t.Failed() {
			t.Logf("%s: %v: %s", program, cmd.ProcessState, &output)
		}
	})
	return gone
}
