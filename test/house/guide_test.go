package house

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"mosquitto-go-auth/conf"
)

var fenced = regexp.MustCompile("(?ms)^```(.*?)\n(.*?)^```$")

// fences returns the blocks of code of a document, each with what marks it.
func fences(t *testing.T, path string) (all []string) {
	t.Helper()
	for _, m := range fenced.FindAllStringSubmatch(string(read(t, filepath.Join(top, path))), -1) {
		all = append(all, m[1]+"\n"+m[2])
	}
	if len(all) == 0 {
		t.Fatalf("%s has no block of code", path)
	}
	return all
}

// Who follows the guide types the same in both languages.
func TestGuideInBothLanguages(t *testing.T) {
	english, chinese := fences(t, "conf/guide.md"), fences(t, "conf/guide.zh-TW.md")
	for i := range min(len(english), len(chinese)) {
		if english[i] != chinese[i] {
			t.Errorf("block %d is\n%s\nand\n%s", i+1, english[i], chinese[i])
		}
	}
	if len(english) != len(chinese) {
		t.Errorf("there are %d blocks and %d", len(english), len(chinese))
	}
}

// scripts/guide-test can do all blocks, and what has to come stands below what is typed.
func TestGuideBlocks(t *testing.T) {
	for _, path := range []string{"conf/guide.md", "conf/coming-from.md"} {
		above := ""
		for _, block := range fences(t, path) {
			kind, _, _ := strings.Cut(block, "\n")
			if !slices.Contains([]string{"sh root", "sh root fails", "sh root again", "sh root fails again", "text", "php"}, kind) {
				t.Errorf("%s: scripts/guide-test does not know %q", path, kind)
			}
			if kind == "text" && !strings.HasPrefix(above, "sh") {
				t.Errorf("%s: below %q is an output", path, above)
			}
			above = kind
		}
	}
}

// The guide's options are accepted as they stand.
func TestGuideOptions(t *testing.T) {
	var lines []conf.Line
	for _, m := range regexp.MustCompile(`(?m)^plugin_opt_(\S+) (.*)$`).FindAllStringSubmatch(strings.Join(fences(t, "conf/guide.md"), ""), -1) {
		if m[1] == "mysql_password_file" { // which is not on this machine
			m = []string{"", "mysql_password", "secret"}
		}
		lines = append(lines, conf.Line{Key: m[1], Value: m[2]})
	}
	s := options()
	s.Parse(lines)
	if warnings, faults := s.Result(); len(warnings)+len(faults) > 0 || len(lines) < 8 {
		t.Errorf("%d options: warnings %v, faults %v", len(lines), warnings, faults)
	}
}
