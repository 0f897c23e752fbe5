package house

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"mosquitto-go-auth/backends/all"
	"mosquitto-go-auth/backends/backendtest/jsonfile"
	"mosquitto-go-auth/conf"
	"mosquitto-go-auth/plugin"
)

// quote is a file shown in a document: <!-- file PATH -->, and a block of code.
var quote = regexp.MustCompile("(?s)(<!-- file (\\S+) -->\n```\\w+\n)(.*?)(\n```\n)")

// What the documents show of a file is the file, so that it is compiled and tested.
// After a change: go test ./test/house -update
func TestQuotedFiles(t *testing.T) {
	quotes := 0
	for _, path := range files(t, func(path string) bool { return filepath.Ext(path) == ".md" }) {
		old := read(t, path)
		fresh := quote.ReplaceAllFunc(old, func(found []byte) []byte {
			quotes++
			parts := quote.FindSubmatch(found)
			text := bytes.TrimSuffix(read(t, filepath.Join(top, string(parts[2]))), []byte("\n"))
			return bytes.Join([][]byte{parts[1], text, parts[4]}, nil)
		})
		switch {
		case bytes.Equal(old, fresh):
		case *update:
			if err := os.WriteFile(path, fresh, 0o644); err != nil {
				t.Error(err)
			}
		default:
			t.Errorf("%s shows a file as it is no longer: go test ./test/house -update", path)
		}
	}
	if quotes == 0 {
		t.Error("no document shows a file")
	}
}

// The example of a backend needs no more than its line in the table of backends.
func TestExampleBackend(t *testing.T) {
	s := conf.NewSet()
	plugin.Declare(s, append(all.Drivers(), jsonfile.Driver))
	s.Parse([]conf.Line{{Key: "backends", Value: "json"}, {Key: "json_path", Value: "accounts.json"}, {Key: "json_register", Value: "user, acl"}})
	if warnings, faults := s.Result(); len(warnings)+len(faults) > 0 {
		t.Errorf("warnings %v, faults %v", warnings, faults)
	}
}
