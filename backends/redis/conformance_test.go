package redis_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"strings"
	"testing"

	client "github.com/redis/go-redis/v9"

	"mosquitto-go-auth/backends"
	"mosquitto-go-auth/backends/backendtest"
	"mosquitto-go-auth/backends/redis"
	"mosquitto-go-auth/test/redistest"
)

// place is where a suite's keys are.
type place struct {
	client  client.UniversalClient
	options string
	prefix  string
}

func TestConformance(t *testing.T) {
	for name, open := range map[string]func(*testing.T) place{"single": single, "cluster": clustered} {
		t.Run(name, func(t *testing.T) {
			p := open(t)
			s := backendtest.Store{
				Driver:  redis.Driver,
				Options: p.options,
				Set:     p.fill,
				Holds:   func(name string) bool { return name != "common" && !hasSuffix(name) },
				Shapes:  p.shapes(),
			}
			if name == "single" {
				server := p.client.(*client.Client)
				if err := server.ConfigSet(t.Context(), "notify-keyspace-events", "K$sgxe").Err(); err != nil {
					t.Fatal(err)
				}
				s.Options += "\nredis_keyspace_events true"
				s.Watches = true
				s.Server = server.Options().Addr
				s.Through = func(address string) string {
					host, port, _ := net.SplitHostPort(address)
					return "redis_host " + host + "\nredis_port " + port
				}
			}
			backendtest.Run(t, s)
		})
	}
}

var suffixes = []string{":su", ":racls", ":wacls", ":rwacls", ":sacls"}

func hasSuffix(name string) bool {
	for _, s := range suffixes {
		if strings.HasSuffix(name, s) {
			return true
		}
	}
	return false
}

// single is a server that others may use too, so the keys have a prefix.
func single(t *testing.T) place {
	s := redistest.Shared(t)
	prefix := "test-" + rand.Text() + ":"
	p := place{client.NewClient(&client.Options{Addr: s.Addr(), DB: 3}), options(s) + "redis_db 3\nredis_prefix " + prefix, prefix}
	t.Cleanup(func() { p.fill(t, nil); p.client.Close() })
	return p
}

func options(s *redistest.Server) string {
	return fmt.Sprintf("redis_host %s\nredis_port %d\n", s.Host(), s.Port())
}

func clustered(t *testing.T) place {
	c := redistest.StartCluster(t, 3)
	p := place{client.NewClusterClient(&client.ClusterOptions{Addrs: strings.Split(c.Addresses(), ",")}),
		"redis_mode cluster\nredis_cluster_addresses " + c.Masters[0].Addr(), ""}
	t.Cleanup(func() { p.client.Close() })
	return p
}

// fill makes the place hold the accounts and nothing else.
func (p place) fill(t testing.TB, accounts []backendtest.Account) {
	t.Helper()
	ctx := context.Background()
	p.clear(t, ctx)
	pipe := p.client.Pipeline()
	for _, a := range accounts {
		key := p.prefix + a.Name
		if !a.NoHash {
			pipe.Set(ctx, key, a.Hash, 0)
		}
		if a.Super {
			pipe.Set(ctx, key+":su", "true", 0)
		}
		for _, r := range a.Rules {
			p.grant(ctx, pipe, key, r)
		}
	}
	if _, err := pipe.Exec(ctx); err != nil {
		t.Fatal(err)
	}
}

// grant puts a rule into sets; one with placeholders is everybody's.
func (p place) grant(ctx context.Context, pipe client.Pipeliner, key string, r backends.Rule) {
	if strings.Contains(r.Pattern, "%u") || strings.Contains(r.Pattern, "%c") {
		key = p.prefix + "common"
	}
	switch {
	case r.Access&3 == 3:
		pipe.SAdd(ctx, key+":rwacls", r.Pattern)
	case r.Access&backends.Read != 0:
		pipe.SAdd(ctx, key+":racls", r.Pattern)
	case r.Access&backends.Write != 0:
		pipe.SAdd(ctx, key+":wacls", r.Pattern)
	}
	if r.Access&backends.Subscribe != 0 {
		pipe.SAdd(ctx, key+":sacls", r.Pattern)
	}
}

func (p place) clear(t testing.TB, ctx context.Context) {
	t.Helper()
	one := func(ctx context.Context, c *client.Client) error {
		keys := c.Scan(ctx, 0, p.prefix+"*", 1000).Iterator()
		for keys.Next(ctx) {
			if err := c.Del(ctx, keys.Val()).Err(); err != nil {
				return err
			}
		}
		return keys.Err()
	}
	err := error(nil)
	if c, ok := p.client.(*client.ClusterClient); ok {
		err = c.ForEachMaster(ctx, one)
	} else {
		err = one(ctx, p.client.(*client.Client))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// shapes are keys of another type than they should have.
func (p place) shapes() (shapes []backendtest.Shape) {
	spoil := func(key string, args ...any) func(testing.TB) {
		return func(t testing.TB) {
			ctx := context.Background()
			p.client.Del(ctx, key)
			if err := p.client.Do(ctx, append([]any{args[0], key}, args[1:]...)...).Err(); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, name := range []string{"sam", "common"} {
		for _, s := range suffixes[1:] {
			shapes = append(shapes, backendtest.Shape{Name: name + s, Spoil: spoil(p.prefix+name+s, "SET", "$secret$")})
		}
	}
	return append(shapes,
		backendtest.Shape{Name: "list", Spoil: spoil(p.prefix+"sam", "RPUSH", "$secret$"), Lookup: backends.Lookup{PasswordOnly: true}},
		backendtest.Shape{Name: "superuser", Spoil: spoil(p.prefix+"sam:su", "HSET", "a", "$secret$"), Lookup: backends.Lookup{RulesOnly: true}})
}
