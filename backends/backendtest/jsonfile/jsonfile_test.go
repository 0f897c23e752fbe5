package jsonfile

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"unicode/utf8"

	"mosquitto-go-auth/backends"
	"mosquitto-go-auth/backends/backendtest"
)

func TestConformance(t *testing.T) {
	path := filepath.Join(t.TempDir(), "accounts.json")
	write := func(t testing.TB, value any) {
		text, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	spoil := func(field string, value any) func(testing.TB) {
		return func(t testing.TB) {
			write(t, map[string]any{"sam": map[string]any{"hash": "$secret$", field: value}})
		}
	}
	backendtest.Run(t, backendtest.Store{
		Driver:  Driver,
		Options: "json_path " + path,
		Set: func(t testing.TB, accounts []backendtest.Account) {
			entries := map[string]entry{}
			for _, a := range accounts {
				e := entry{Hash: a.Hash, Super: a.Super, Rules: map[string]backends.Access{}}
				for _, r := range a.Rules {
					e.Rules[r.Pattern] = r.Access
				}
				entries[a.Name] = e
			}
			write(t, entries)
		},
		Holds:   utf8.ValidString,
		NoNulls: true,
		Shapes: []backendtest.Shape{
			{Name: "a list for a hash", Spoil: spoil("hash", []string{"$secret$"})},
			{Name: "a text for super", Spoil: spoil("super", "$secret$")},
			{Name: "a text for the rights", Spoil: spoil("rules", map[string]string{"a": "$secret$"})},
			{Name: "a number that no rights have", Spoil: spoil("rules", map[string]int{"a": 8}),
				Lookup: backends.Lookup{RulesOnly: true}},
		},
	})
}
