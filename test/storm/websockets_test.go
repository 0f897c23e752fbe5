package storm

import (
	"context"
	"errors"
	"os/exec"
	"strings"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/eclipse/paho.mqtt.golang/packets"

	"mosquitto-go-auth/test/brokertest"
)

// Who comes over websockets, as MQTT Explorer can and web pages must, is judged as
// all others, whatever the path is.
func TestWebsockets(t *testing.T) {
	s := newStore(t)
	s.add(t, cheap, "user1")
	brokertest.Each(t, func(t *testing.T, b brokertest.Broker) {
		r := start(t, b, "backends mysql\n"+s.options(),
			"listener {{.Port}} 127.0.0.1\nlistener {{.Port2}} 127.0.0.1\nprotocol websockets\n")
		for _, c := range []struct {
			name, path string
			talk       func(t *testing.T, url, name, password string) string
		}{
			{"Go paho 1.5", "", goPahoTalks},
			{"MQTT.js 5", "/mqtt", mqttJSTalks("mqtt5")},
			{"MQTT.js 4.3 (MQTT Explorer)", "/ws", mqttJSTalks("mqtt4")},
		} {
			t.Run(c.name, func(t *testing.T) {
				url := "ws://" + r.Addr2 + c.path
				if got := c.talk(t, url, "user1", password); got != "user1/web hello" {
					t.Errorf("with the password: %q", got)
				}
				if got := c.talk(t, url, "user1", "a guess"); got != "error 5" {
					t.Errorf("with another password: %q, want CONNACK 5", got)
				}
			})
		}
	})
}

// goPahoTalks does what testdata/websocket.js does.
func goPahoTalks(t *testing.T, url, name, password string) string {
	said := make(chan string, 1)
	client := paho.NewClient(paho.NewClientOptions().AddBroker(url).SetUsername(name).SetPassword(password).
		SetProtocolVersion(4)) // or it tries 3.1 after a refusal, and says why that failed
	token := client.Connect()
	if token.Wait(); errors.Is(token.Error(), packets.ErrorRefusedNotAuthorised) {
		return "error 5"
	} else if token.Error() != nil {
		return token.Error().Error()
	}
	defer client.Disconnect(0)
	client.Subscribe(name+"/web", 1, func(_ paho.Client, m paho.Message) { said <- m.Topic() + " " + string(m.Payload()) }).Wait()
	client.Publish(name+"/web", 1, false, "hello").Wait()
	select {
	case text := <-said:
		return text
	case <-time.After(backOff):
		return "nothing arrives"
	}
}

func mqttJSTalks(module string) func(t *testing.T, url, name, password string) string {
	return func(t *testing.T, url, name, password string) string {
		ctx, cancel := context.WithTimeout(t.Context(), backOff)
		defer cancel()
		out, err := exec.CommandContext(ctx, "node", "testdata/websocket.js", moduleJS(t, module), url, name, password).Output()
		if err != nil {
			t.Errorf("node: %v", err)
		}
		return strings.TrimSpace(string(out))
	}
}
