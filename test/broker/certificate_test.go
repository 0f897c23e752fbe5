package broker_test

import (
	"path/filepath"
	"slices"
	"testing"

	"mosquitto-go-auth/test/brokertest"
	"mosquitto-go-auth/test/mqtt"
	"mosquitto-go-auth/test/tlstest"
)

// On a listener that takes the name from the client's certificate, the broker asks
// for no password; the rights are those of that name, and a name that the client
// gives besides counts for nothing.
func TestNameFromCertificate(t *testing.T) {
	ca := tlstest.New(t, "authority", nil)
	own := tlstest.New(t, "broker", ca)
	brokertest.Each(t, func(t *testing.T, b brokertest.Broker) {
		r := brokertest.Start(t, b, `
plugin {{.Plugin}}
plugin_opt_password_file {{.Dir}}/passwd
plugin_opt_acl_file {{.Dir}}/acl
listener {{.Port}} 127.0.0.1
listener {{.Port2}} 127.0.0.1
cafile {{.Dir}}/ca.pem
certfile {{.Dir}}/cert.pem
keyfile {{.Dir}}/key.pem
require_certificate true
use_identity_as_username true
`, brokertest.File("passwd", accounts("bob")), brokertest.File("acl", "user ann\ntopic a/#\nuser bob\ntopic b/#\n"),
			brokertest.File("ca.pem", ca.PEM()), brokertest.File("cert.pem", own.PEM()), brokertest.File("key.pem", own.KeyPEM(t)))
		ann := tlstest.New(t, "ann", ca).Relay(t, r.Addr2)
		var clients []*mqtt.Client
		for _, o := range []mqtt.Options{
			{ID: "named by the certificate"},
			{ID: "version 5", Version: 5},
			as("bob", "bob by name"),
			with(mqtt.As("bob", "guess"), func(o *mqtt.Options) { o.ID, o.Persistent = "persistent", true }),
		} {
			c := mqtt.Login(t, ann, o)
			clients = append(clients, c)
			rightsOfAnn(t, c)
		}
		write(t, filepath.Join(r.Dir, "acl"), "user ann\ntopic a/#\n")
		reload(t, r, 1)
		for _, c := range clients {
			rightsOfAnn(t, c)
		}
		eve := mqtt.Login(t, tlstest.New(t, "eve", ca).Relay(t, r.Addr2), mqtt.Options{ID: "eve"})
		eve.Subscribe(0, "#")
		clients[0].Publish(mqtt.Message{Topic: "a/1", QoS: 1})
		if got := seen(t, eve); len(got) > 0 {
			t.Errorf("who has no rights receives %v", got)
		}
		expectLogin(t, r.Addr, "bob", secret, mqtt.Success)
		expectLogin(t, r.Addr, "ann", "", mqtt.NotAuthorized)
	})
}

func rightsOfAnn(t *testing.T, c *mqtt.Client) {
	t.Helper()
	c.Subscribe(0, "a/#", "b/#")
	c.Publish(mqtt.Message{Topic: "b/1"})
	c.Publish(mqtt.Message{Topic: "a/1"})
	if got := seen(t, c); !slices.Equal(got, []string{"a/1"}) {
		t.Errorf("%q receives %v, want what ann may", c.ID, got)
	}
	c.Unsubscribe("a/#", "b/#")
}
