package conf

import (
	"bytes"
	"strings"
	"testing"
)

// testdata/docs.txt shows the options of the tests as the documents would, and
// a document before and after.
func TestDocuments(t *testing.T) {
	golden(t, "testdata/docs.txt", func(t *testing.T, files map[string]string) []file {
		s := sampleSet()
		tables := map[string]string{}
		var text string
		for _, group := range s.Groups() {
			tables[group] = s.Markdown(group)
			text += "# " + group + "\n" + s.Text(group)
		}
		after, err := Regenerate([]byte(files["before"]), tables)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Regenerate(after, tables)
		if err != nil || !bytes.Equal(again, after) {
			t.Errorf("a second time: %v\n%s", err, again)
		}
		return []file{{"text", text}, {"after", string(after)}}
	})
}

func TestRegenerateFaults(t *testing.T) {
	tables := map[string]string{"a": "table\n"}
	for _, test := range []struct{ doc, want string }{
		{"x\n<!-- options b -->\n<!-- end -->\n", `line 2: there is no group "b"`},
		{"<!-- options a -->\nx\n", "line 1: the table has no <!-- end -->"},
		{"<!-- options a -->", "line 1: the table has no <!-- end -->"},
		{"x\n<!-- end -->\n", "line 2: "},
		{"<!-- options a -->\n<!-- options a -->\n<!-- end -->\n", "line 2: "},
	} {
		out, err := Regenerate([]byte(test.doc), tables)
		if err == nil || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("%q: %v, want %s", test.doc, err, test.want)
		}
		if out != nil {
			t.Errorf("%q: a document besides the error", test.doc)
		}
	}
}

func FuzzRegenerate(f *testing.F) {
	f.Add([]byte("x\n<!-- options a -->\nold\n<!-- end -->\ny"), "new")
	f.Add([]byte("<!-- options a -->\r\n<!-- end -->"), "")
	f.Fuzz(func(t *testing.T, doc []byte, table string) {
		tables := map[string]string{"a": table}
		once, err := Regenerate(doc, tables)
		if err != nil || strings.Contains(table, "<!--") {
			return
		}
		twice, err := Regenerate(once, tables)
		if err != nil || !bytes.Equal(once, twice) {
			t.Errorf("%q, then %q (%v)", once, twice, err)
		}
	})
}

func TestDumpIsALineAnOption(t *testing.T) {
	s := NewSet()
	var v, secret string
	s.String(&v, "text", "a\nb\x1b", "")
	s.Secret(s.String(&secret, "secret", "", ""))
	if got, want := s.Dump(), "text \"a\\nb\\x1b\"\nsecret\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
