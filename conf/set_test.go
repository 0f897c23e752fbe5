package conf

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// sampleSet declares options of all kinds; testdata/docs.txt lists them.
func sampleSet() *Set {
	var v struct {
		text                     [6]string
		mysqlPassword, pgPasswrd string
		words                    []string
		choice                   [2]string
		yes                      bool
		n                        [2]int
		timeout                  time.Duration
	}
	s := NewSet()
	s.Group("general")
	s.List(&v.words, "backends", "the sources, in the order in which they are asked")
	s.Choice(&v.choice[0], "unknown_options", "refuse", []string{"refuse", "warn"}, "what becomes of unknown names")
	s.Duration(&v.timeout, "auth_timeout", 5*time.Second, 100*time.Millisecond, time.Hour, "the time a login may take")
	s.Bool(&v.yes, "hash_memo", true, "remember which passwords were verified")

	s.Group("mysql")
	s.Also(s.String(&v.text[0], "mysql_host", "localhost", "the server"), "host")
	s.Also(s.Int(&v.n[0], "mysql_port", 3306, 1, 65535, "its port"), "port")
	s.Also(s.String(&v.text[1], "mysql_user", "", "the user name"), "user")
	s.Also(s.Secret(s.String(&v.mysqlPassword, "mysql_password", "", "the password")), "pass")
	s.Also(s.String(&v.text[2], "mysql_userquery", "", "finds the hash: a | b"), "userquery")

	s.Group("postgres")
	s.Also(s.String(&v.text[3], "pg_host", "localhost", "the server"), "host")
	s.Also(s.Int(&v.n[1], "pg_port", 5432, 1, 65535, "its port"), "port")
	s.Secret(s.Also(s.String(&v.pgPasswrd, "pg_password", "", "the password"), "pass"))

	s.Retire("logins are never cached", "cache", "cache_seconds")
	s.Refuse("write log_level", "log_quiet")
	s.RefusePrefix("there is no HTTP backend yet", "http_", "http")
	s.RefusePrefix("tokens are not supported", "jwt_")
	return s
}

// The files of testdata/set: "options" goes in, "env" (NAME=value) is the
// environment, other files can be named as the file of a secret. Out come
// "dump" (of it only what differs from the defaults), "warnings" and "faults".
func TestSet(t *testing.T) {
	golden(t, "testdata/set/*.txt", func(t *testing.T, files map[string]string) []file {
		for line := range strings.Lines(files["env"]) {
			name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
			t.Setenv(name, value)
		}
		s := sampleSet()
		defaults := s.Dump()
		s.Parse(linesOf(files["options"]))
		warnings, faults := s.Result()
		return []file{
			{"dump", changed(defaults, s.Dump())},
			{"warnings", remarks(warnings)},
			{"faults", remarks(faults)},
		}
	})
}

// linesOf splits a text as the broker would.
func linesOf(text string) []Line {
	var lines []Line
	n := 0
	for line := range strings.Lines(text) {
		n++
		if key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " "); key != "" && key != "#" {
			lines = append(lines, Line{key, value, Position{"options", n}})
		}
	}
	return lines
}

func changed(defaults, dump string) string {
	before := strings.Split(defaults, "\n")
	var out string
	for i, line := range strings.Split(dump, "\n") {
		if line != before[i] {
			out += line + "\n"
		}
	}
	return out
}

func TestRemarksOfPackages(t *testing.T) {
	s := sampleSet()
	s.Parse(linesOf("host db\npass x\n"))
	s.Fault("mysql_host", "nothing answers at %s", "db\nx")
	s.Fault("pg_port", "needed with %w", errors.New("a host"))
	s.Fault("", "no backend")
	s.Warn("mysql_password", "weak")
	warnings, faults := s.Result()
	if got, want := faults.Error(), "options:1: option host: nothing answers at db?x\n"+
		"option pg_port: needed with a host\nno backend"; got != want {
		t.Errorf("faults:\n%s\nwant:\n%s", got, want)
	}
	if got, want := remarks(warnings), "options:2: option pass: weak\n"; got != want {
		t.Errorf("warnings: %q, want %q", got, want)
	}
}

func TestGiven(t *testing.T) {
	if err := os.WriteFile(t.TempDir()+"/secret", []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ lines, name, want string }{
		{"mysql_host db", "mysql_host", "mysql_host"},
		{"host db", "mysql_host", "host"},
		{"host db", "pg_host", "host"},
		{"mysql_host db", "pg_host", ""},
		{"host a\nmysql_host b", "mysql_host", "mysql_host"},
		{"mysql_host a\nhost b", "mysql_host", "mysql_host"},
		{"pass_file /none", "mysql_password", "pass_file"},
		{"mysql_port no", "mysql_port", "mysql_port"},
		{"", "mysql_host", ""},
		{"mysql_hast x", "mysql_hast", ""},
	} {
		s := sampleSet()
		s.Parse(linesOf(test.lines))
		if got := s.Given(test.name); got != test.want {
			t.Errorf("%q: Given(%q) = %q, want %q", test.lines, test.name, got, test.want)
		}
	}
}

func TestLinePrintsWithoutValue(t *testing.T) {
	l := Line{Key: "mysql_password", Value: "hunter2"}
	if got := fmt.Sprintf("%v %s %v", l, l, []Line{l}); strings.Contains(got, "hunter2") {
		t.Error(got)
	}
}

func TestNameTakenPanics(t *testing.T) {
	var v string
	for name, declare := range map[string]func(*Set){
		"option":           func(s *Set) { s.String(&v, "mysql_host", "", "") },
		"former name":      func(s *Set) { s.String(&v, "host", "", "") },
		"a secret's file":  func(s *Set) { s.String(&v, "mysql_password_file", "", "") },
		"former is option": func(s *Set) { s.Also(s.String(&v, "new", "", ""), "mysql_host") },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			declare(sampleSet())
		})
	}
}

func TestSecretMustBeRegularFile(t *testing.T) {
	for _, name := range []string{t.TempDir(), "/dev/zero"} {
		s := sampleSet()
		s.Parse([]Line{{Key: "mysql_password_file", Value: name}})
		if _, faults := s.Result(); len(faults) != 1 || !strings.Contains(faults[0].Text, "not a regular file") {
			t.Errorf("%s: %v", name, faults)
		}
	}
	big := t.TempDir() + "/big"
	if err := os.WriteFile(big, make([]byte, maxSecret+1), 0o600); err != nil {
		t.Fatal(err)
	}
	s := sampleSet()
	s.Parse([]Line{{Key: "mysql_password_file", Value: big}})
	if _, faults := s.Result(); len(faults) != 1 || !strings.Contains(faults[0].Text, "more than") {
		t.Errorf("%v", faults)
	}
}

// rejecting is a type whose error shows the value, as those of net/url do.
type rejecting struct{}

func (rejecting) String() string     { return "" }
func (rejecting) Set(s string) error { return errors.New("cannot use " + s) }

// Wherever an operator puts a secret, by every right and wrong way to name it,
// no remark and no dump shows it.
func TestSecretsStayHidden(t *testing.T) {
	const secret = "hunter2-S3cr3t"
	file := t.TempDir() + "/secret"
	if err := os.WriteFile(file, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SECRET", secret)
	t.Setenv("EMPTY", "")
	keys := []string{"mysql_password", "pass", "pg_password", "mysql_password_file", "pass_file", "url", "url_file",
		"mysql_pasword", "mysql_password=" + secret, "mysql_password\t" + secret, "mysql_password:" + secret,
		"cache", "log_quiet", "http_password", "jwt_secret"}
	values := []string{secret, " " + secret + " ", secret + " # a comment", "${SECRET}", "${EMPTY}",
		"${" + strings.ReplaceAll(secret, "-", "_") + "}", file, file + " # a comment", "/" + secret, ""}
	random := rand.New(rand.NewPCG(1, 2))
	pick := func(from []string) string { return from[random.IntN(len(from))] }
	for range 2000 {
		s := sampleSet()
		s.Secret(s.Var(rejecting{}, "url", "text", ""))
		lines := []Line{{Key: "unknown_options", Value: pick([]string{"warn", "refuse"})}}
		for range 1 + random.IntN(4) {
			lines = append(lines, Line{Key: pick(keys), Value: pick(values)})
		}
		s.Parse(lines)
		warnings, faults := s.Result()
		for _, text := range []string{s.Dump(), faults.Error(), remarks(warnings)} {
			for _, shown := range []string{secret, "hunter2"} {
				if strings.Contains(text, shown) {
					t.Fatalf("%#v shows the secret:\n%s", lines, text)
				}
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("mysql_port 3306\npass x\nmysql_password_file /none\n")
	f.Add("auth_timeout -18446744073\nhost a\nhost b\nunknown_options warn # x\n")
	f.Add("\x00 \xff\nmysql_port 9999999999999999999999 # x\nmysql_password=x\n")
	f.Fuzz(func(t *testing.T, text string) {
		s := sampleSet()
		defaults := s.Dump()
		s.Parse(linesOf(text))
		warnings, faults := s.Result()
		for _, r := range slices.Concat(warnings, faults) {
			if strings.ContainsAny(r.String(), "\n\r\x00\x1b") {
				t.Errorf("remark %q is not a line of text", r)
			}
			if n := len(r.String()); n > 500 {
				t.Errorf("remark of %d bytes", n)
			}
		}
		if strings.Count(s.Dump(), "\n") != strings.Count(defaults, "\n") {
			t.Errorf("dump is not an option a line:\n%s", s.Dump())
		}
		again := sampleSet()
		again.Parse(linesOf(text))
		if w, f := again.Result(); !slices.Equal(w, warnings) || !slices.Equal(f, faults) {
			t.Error("a second run says something else")
		}
	})
}
