package files

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"mosquitto-go-auth/backends"
)

// TestReadme reads the examples of the README as the files they show. Each of
// them must be read without a note.
func TestReadme(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"passwd": "front door login\nkitchen login\n",
		"acl acl_file": "kitchen subscribes\n  1 literal grant w home/kitchen/temperature\n  1 literal deny rw home/kitchen/secret\n" +
			"  2 grant rw home/%u/#\n  2 grant r clients/%c\n" +
			"others subscribes\n  1 grant rw home/%u/#\n  1 grant r clients/%c\n" +
			"anonymous subscribes\n  1 literal grant r news/#\n  2 grant r clients/%c\n",
		"acl files_acl_path": "kitchen\n  1 literal grant w home/kitchen/temperature\n  1 literal grant s home/+/temperature\n" +
			"  1 grant rs news/#\n  1 deny rws news/internal\n  1 grant rs home/%u/#\n" +
			"others\n  1 grant rs news/#\n  1 deny rws news/internal\n  1 grant rs home/%u/#\n",
	}
	blocks := regexp.MustCompile("(?ms)^```((?:acl|passwd)[^\n]*)\n(.*?)^```").FindAllStringSubmatch(string(text), -1)
	if len(blocks) != len(want) {
		t.Errorf("%d examples, want %d", len(blocks), len(want))
	}
	for _, b := range blocks {
		kind, example := b[1], b[2]
		_, option, _ := strings.Cut(kind, " ")
		if kind == "passwd" {
			option = "files_password_path"
		}
		o, err := open(t, backends.AllChecks, map[string]string{option: write(t, t.TempDir()+"/example", example)})
		if err != nil || len(o.Notes) > 0 {
			t.Errorf("example %s: notes %q, error %v", kind, o.Notes, err)
			continue
		}
		if got := dump(t, o.Backend); got != want[kind] {
			t.Errorf("example %s: got\n%s\nwant\n%s", kind, got, want[kind])
		}
	}
}
