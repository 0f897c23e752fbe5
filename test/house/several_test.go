package house

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mosquitto-go-auth/conf"
)

// The configurations for several brokers are accepted as they stand.
func TestSeveralBrokers(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"postgres", "redis", "mysql"} {
		if err := os.WriteFile(filepath.Join(dir, name+"-password"), []byte("secret\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	blocks := strings.Split(string(read(t, filepath.Join(top, "conf/several-brokers.md"))), "```conf\n")[1:]
	if len(blocks) < 4 {
		t.Errorf("there are %d configurations", len(blocks))
	}
	for _, block := range blocks {
		text, _, _ := strings.Cut(block, "```")
		var lines []conf.Line
		for line := range strings.Lines(text) {
			key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
			name, ours := strings.CutPrefix(key, "plugin_opt_")
			if !ours {
				t.Errorf("%q is no option of the plugin", key)
			}
			lines = append(lines, conf.Line{Key: name, Value: strings.Replace(value, "/etc/mosquitto", dir, 1)})
		}
		s := options()
		s.Parse(lines)
		warnings, faults := s.Result()
		for _, w := range warnings {
			t.Errorf("%s\n%v", text, w)
		}
		for _, f := range faults {
			t.Errorf("%s\n%v", text, f)
		}
	}
}
