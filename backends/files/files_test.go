package files

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"mosquitto-go-auth/backends"
	"mosquitto-go-auth/conf"
)

// open makes a backend from options; the values are file names.
func open(t testing.TB, checks backends.Checks, options map[string]string) (backends.Opened, error) {
	t.Helper()
	set := conf.NewSet()
	open := Driver.Declare(set)
	var lines []conf.Line
	for _, key := range slices.Sorted(maps.Keys(options)) {
		lines = append(lines, conf.Line{Key: key, Value: options[key]})
	}
	set.Parse(lines)
	if _, faults := set.Result(); len(faults) > 0 {
		t.Fatalf("options: %v", faults)
	}
	return open(checks)
}

func write(t testing.TB, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// dump shows all that a backend knows, in the form of the tables in testdata.
func dump(t testing.TB, b backends.Backend) string {
	t.Helper()
	const unknown = "name in no file"
	var out strings.Builder
	ctx := context.Background()
	for _, name := range append(slices.Sorted(maps.Keys(b.(Watched).state.Load().accounts)), unknown) {
		a, err := b.User(ctx, backends.Lookup{Name: name, RulesOnly: true})
		if err != nil && (err != backends.ErrNoUser || name != unknown) {
			t.Errorf("rules of %q: %v", name, err)
		}
		if a.Hash != "" {
			t.Errorf("rules of %q come with a hash", name)
		}
		login, loginErr := b.User(ctx, backends.Lookup{Name: name})
		if name == unknown && err == nil {
			dumpAccount(&out, "others", a)
		} else if err == nil {
			title := name
			if loginErr == nil && login.Hash != "" {
				title += " login"
			}
			dumpAccount(&out, title, a)
		}
	}
	if a, err := b.(backends.Anonymous).Anonymous(ctx); err == nil {
		dumpAccount(&out, "anonymous", a)
	}
	return out.String()
}

func dumpAccount(out *strings.Builder, title string, a backends.Account) {
	if a.Subscribes {
		title += " subscribes"
	}
	fmt.Fprintln(out, title)
	for i, s := range a.Sections {
		for _, r := range s {
			fmt.Fprintf(out, "  %d %s\n", i+1, dumpRule(r))
		}
	}
}

func dumpRule(r backends.Rule) string {
	text := "grant "
	if r.Deny {
		text = "deny "
	}
	if r.Literal {
		text = "literal " + text
	}
	for _, a := range []struct {
		right  backends.Access
		letter string
	}{{backends.Read, "r"}, {backends.Write, "w"}, {backends.Subscribe, "s"}, {backends.SubscribeParts, "p"}} {
		if r.Access&a.right != 0 {
			text += a.letter
		}
	}
	return text + " " + r.Pattern
}

// tableCase is a case of a table in testdata.
type tableCase struct {
	name  string
	parts map[string]string
}

func readTable(t *testing.T, path string) (cases []tableCase) {
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	part := ""
	for line := range strings.Lines(string(text)) {
		if name, ok := strings.CutPrefix(line, "case "); ok {
			cases = append(cases, tableCase{strings.TrimSpace(name), map[string]string{}})
			part = ""
			continue
		}
		if len(cases) == 0 {
			continue
		}
		parts := cases[len(cases)-1].parts
		if name, ok := strings.CutPrefix(line, "-- "); ok {
			part = strings.TrimSuffix(strings.TrimSpace(name), " --")
			parts[part] = ""
			continue
		}
		parts[part] += line
	}
	return cases
}

func TestTables(t *testing.T) {
	tables, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(tables) == 0 {
		t.Fatalf("no tables: %v", err)
	}
	for _, table := range tables {
		for _, c := range readTable(t, table) {
			t.Run(filepath.Base(table)+"/"+c.name, func(t *testing.T) { runCase(t, c) })
		}
	}
}

func runCase(t *testing.T, c tableCase) {
	dir := t.TempDir()
	options := map[string]string{}
	for option, part := range map[string]string{
		"files_password_path": "passwords", "files_acl_path": "files_acl_path", "acl_file": "acl_file"} {
		if text, ok := c.parts[part]; ok {
			options[option] = write(t, filepath.Join(dir, part), text)
		}
	}
	o, err := open(t, backends.AllChecks, options)
	got := ""
	if err != nil {
		got = "error: " + strings.ReplaceAll(err.Error(), "\n", "\nerror: ") + "\n"
	} else {
		for _, n := range o.Notes {
			got += "note: " + n + "\n"
		}
		got += dump(t, o.Backend)
	}
	got = strings.TrimSpace(strings.ReplaceAll(got, dir+"/", ""))
	if want := strings.TrimSpace(c.parts["want"]); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

// TestBytes has what a text table cannot show.
func TestBytes(t *testing.T) {
	long := strings.Repeat("a", 65536)
	tests := []struct{ name, passwords, acl, want string }{
		{"Windows", "\ufeffalice:h\r\n\r\nbob:h", "\ufefftopic read a b\r\nuser bob\r\ntopic c\r\n",
			"alice login\n  1 grant rs a b\nbob login\n  1 literal grant rws c\n  1 grant rs a b\nothers\n  1 grant rs a b\n"},
		{"names that are no text", "a\xffb:h\nnul\x00:h\nc:h", "",
			"passwords:1: skipped: the user name is not UTF-8 as MQTT demands it\n" +
				"passwords:2: skipped: the user name is not UTF-8 as MQTT demands it\nc login\n"},
		{"ACL that is no text", "", "user a\xff\ntopic b\xff\npattern c\x00\ntopic read " + long + "\ntopic " + strings.Repeat("/", 201),
			"acl:1: the user name is not UTF-8 as MQTT demands it\n" +
				"acl:2: the topic filter is not UTF-8 as MQTT demands it\n" +
				"acl:3: the topic filter is not UTF-8 as MQTT demands it\n" +
				"acl:4: the topic filter is longer than 65535 bytes\n" +
				"acl:5: the topic filter has more than 201 levels\n"},
		{"the longest filter", "", "topic read " + long[1:], "others\n  1 grant rs " + long[1:] + "\n"},
		{"the deepest filter", "", "topic read " + strings.Repeat("/", 199), "others\n  1 grant rs " + strings.Repeat("/", 199) + "\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			options := map[string]string{"files_acl_path": write(t, dir+"/acl", tt.acl)}
			if tt.passwords != "" {
				options["files_password_path"] = write(t, dir+"/passwords", tt.passwords)
			}
			o, err := open(t, backends.AllChecks, options)
			got := ""
			if err != nil {
				got = err.Error() + "\n"
			} else {
				got = strings.Join(append(o.Notes, dump(t, o.Backend)), "\n")
			}
			if got = strings.ReplaceAll(got, dir+"/", ""); got != tt.want {
				t.Errorf("got  %.500q\nwant %.500q", got, tt.want)
			}
		})
	}
}

// TestPredecessorFormula compares the access words with the expression that the
// predecessor evaluated for a rule that matches.
func TestPredecessorFormula(t *testing.T) {
	records := map[string]int{"read": 1, "write": 2, "readwrite": 3, "subscribe": 4}
	for word, rec := range records {
		for _, asked := range []string{"#", "a/b", "a/+"} { // each is covered by #
			for _, acc := range []int{1, 2, 4} {
				want := acc == rec || rec == 3 || acc == 4 && asked != "#" && (rec == 1 || rec == 4)
				r, ok := predecessor{}.access(word, "#")
				wanted := backends.Access(acc)
				if acc == 4 && asked != "#" {
					wanted |= backends.SubscribeParts
				}
				if got := r.Access&wanted != 0; !ok || r.Deny || got != want {
					t.Errorf("%s #, access %d to %s: got %v, want %v", word, acc, asked, got, want)
				}
			}
		}
	}
}

func TestOptions(t *testing.T) {
	dir := t.TempDir()
	passwords := write(t, dir+"/passwords", "alice:hash\n")
	acl := write(t, dir+"/acl", "topic read a\n")
	const user, super, rights = backends.CheckUser, backends.CheckSuperuser, backends.CheckACL
	tests := []struct {
		name     string
		checks   backends.Checks
		options  map[string]string
		provides backends.Checks
		err      string
	}{
		{"passwords", backends.AllChecks, map[string]string{"files_password_path": passwords}, user, ""},
		{"Mosquitto's name", backends.AllChecks, map[string]string{"password_file": passwords}, user, ""},
		{"older name", user, map[string]string{"password_path": passwords, "acl_path": acl}, user | rights, ""},
		{"rights", backends.AllChecks, map[string]string{"files_acl_path": acl}, rights, ""},
		{"Mosquitto's rights", rights, map[string]string{"acl_file": acl}, rights, ""},
		{"nothing", backends.AllChecks, nil, 0, "backend files has no file to read"},
		{"no passwords", user, map[string]string{"acl_file": acl}, 0, "asked for users and has no password file"},
		{"no passwords, superusers", user | super, map[string]string{"acl_file": acl}, 0, "asked for users and has no password file"},
		{"no rights", rights, map[string]string{"password_file": passwords}, 0, "asked for rights and has no ACL file"},
		{"asked for nothing it could have", super, nil, 0, ""},
		{"both ACL files", rights, map[string]string{"acl_path": acl, "acl_file": acl}, 0, "options acl_path and acl_file: both"},
		{"no such file", user, map[string]string{"password_file": dir + "/none"}, 0, "option password_file: stat " + dir + "/none: no such file"},
		{"directory", rights, map[string]string{"acl_file": dir}, 0, "option acl_file: " + dir + " is not a regular file"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o, err := open(t, tt.checks, tt.options)
			if tt.err == "" {
				if err != nil || o.Provides != tt.provides || len(o.Notes) > 0 {
					t.Errorf("got %v, notes %q, error %v; want %v", o.Provides, o.Notes, err, tt.provides)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.err) || o.Backend != nil {
				t.Errorf("got error %v, want %q", err, tt.err)
			}
		})
	}
}

func TestAllFaultsAtOnce(t *testing.T) {
	dir := t.TempDir()
	_, err := open(t, backends.AllChecks, map[string]string{
		"password_file": dir + "/none", "acl_file": write(t, dir+"/acl", "topic\nuser\n")})
	for _, want := range []string{"/none: no such file", "/acl:1: ", "/acl:2: "} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not say %q", err, want)
		}
	}
}

func TestUnreadableFile(t *testing.T) {
	s := source{path: "/etc/p w", option: "password_file"}
	err := s.fault(&os.PathError{Op: "open", Path: s.path, Err: os.ErrPermission})
	const want = "option password_file: open /etc/p w: permission denied; the broker has to be able to read it: if it cannot, make it the broker's own: chown mosquitto '/etc/p w' && chmod 0600 '/etc/p w'"
	if !errors.Is(err, os.ErrPermission) || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	if os.Getuid() == 0 {
		t.Skip("root can read every file")
	}
	path := write(t, t.TempDir()+"/passwords", "a:b\n")
	if err := os.Chmod(path, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := open(t, backends.AllChecks, map[string]string{"password_file": path}); !errors.Is(err, os.ErrPermission) {
		t.Errorf("got %v", err)
	}
}

func TestPermissionNotes(t *testing.T) {
	tests := []struct {
		option string
		mode   os.FileMode
		want   string
	}{
		{"password_file", 0o600, ""},
		{"password_file", 0o640, ""},
		{"password_file", 0o644, "can read this file"},
		{"password_file", 0o602, "can change this file"},
		{"password_file", 0o666, "can read and change this file"},
		{"acl_file", 0o644, ""},
		{"acl_file", 0o646, "can change this file"},
	}
	for _, tt := range tests {
		path := write(t, t.TempDir()+"/file", "")
		if err := os.Chmod(path, tt.mode); err != nil {
			t.Fatal(err)
		}
		o, err := open(t, backends.AllChecks, map[string]string{tt.option: path})
		got := strings.Join(o.Notes, "\n")
		if err != nil || (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
			t.Errorf("%s with %o: got note %q, error %v; want %q", tt.option, tt.mode, got, err, tt.want)
		}
	}
}

// TestUser tells logins from questions about rights.
func TestUser(t *testing.T) {
	dir := t.TempDir()
	passwords := write(t, dir+"/passwords", "alice:hash\n")
	general := write(t, dir+"/general", "topic read all\nuser bob\ntopic b\n")
	single := write(t, dir+"/single", "user bob\ntopic b\n")
	tests := []struct {
		options       map[string]string
		user          string
		login, rights string
	}{
		{map[string]string{"password_file": passwords}, "alice", "hash, 0 rules", ", 0 rules"},
		{map[string]string{"password_file": passwords}, "bob", "no such user", "no such user"},
		{map[string]string{"password_file": passwords, "acl_path": general}, "alice", "hash, 1 rules", ", 1 rules"},
		{map[string]string{"password_file": passwords, "acl_path": general}, "bob", "no such user", ", 1 rules"},
		{map[string]string{"password_file": passwords, "acl_path": single}, "eve", "no such user", "no such user"},
		{map[string]string{"password_file": passwords, "acl_file": single}, "bob", "no such user", ", 1 rules"},
		{map[string]string{"password_file": passwords, "acl_file": single}, "eve", "no such user", ", 0 rules"},
		{map[string]string{"acl_path": general}, "bob", ", 2 rules", ", 2 rules"},
		{map[string]string{"acl_path": general}, "eve", ", 1 rules", ", 1 rules"},
		{map[string]string{"acl_path": single}, "bob", ", 1 rules", ", 1 rules"},
		{map[string]string{"acl_path": single}, "eve", "no such user", "no such user"},
	}
	answer := func(b backends.Backend, l backends.Lookup) string {
		a, err := b.User(context.Background(), l)
		if err != nil {
			return err.Error()
		}
		n := 0
		for _, s := range a.Sections {
			n += len(s)
		}
		return fmt.Sprintf("%s, %d rules", a.Hash, n)
	}
	for _, tt := range tests {
		o, err := open(t, backends.AllChecks, tt.options)
		if err != nil {
			t.Fatal(err)
		}
		login := answer(o, backends.Lookup{Name: tt.user})
		rights := answer(o, backends.Lookup{Name: tt.user, RulesOnly: true})
		if login != tt.login || rights != tt.rights {
			t.Errorf("%v, %s: got %q and %q, want %q and %q", tt.options, tt.user, login, rights, tt.login, tt.rights)
		}
	}
}

func TestReload(t *testing.T) {
	dir := t.TempDir()
	passwords := write(t, dir+"/passwords", "alice:one\nbob:two\n")
	acl := write(t, dir+"/acl", "user alice\ntopic a\nuser bob\ntopic b\n")
	o, err := open(t, backends.AllChecks, map[string]string{"files_password_path": passwords, "files_acl_path": acl})
	if err != nil {
		t.Fatal(err)
	}
	reload := func(wantErr, wantNote, want string) {
		t.Helper()
		notes, err := o.Backend.(backends.Reloader).Reload(context.Background())
		if fmt.Sprint(err) != wantErr || strings.Join(notes, "\n") != wantNote {
			t.Errorf("got error %v and notes %q, want %s and %q", err, notes, wantErr, wantNote)
		}
		if got := dump(t, o.Backend); got != want {
			t.Errorf("got:\n%s\nwant:\n%s", got, want)
		}
	}
	const before = "alice login\n  1 literal grant rws a\nbob login\n  1 literal grant rws b\n"
	const after = "alice login\n  1 literal grant rws b\ncarol login\n"

	reload("<nil>", "", before)

	write(t, acl, "user alice\ntopic b\n\ntopic a#\n")
	write(t, passwords, "alice:three\ncarol:four\nbroken\n")
	reload(acl+":4: bad topic filter: # must be the whole of the last level", "", before)

	write(t, acl, "user alice\ntopic b\n")
	reload("<nil>", passwords+":3: skipped: no hash; write name:hash", after)
	if a, err := o.User(context.Background(), backends.Lookup{Name: "alice"}); err != nil || a.Hash != "three" {
		t.Errorf("got %+v, %v; the password is the old one", a, err)
	}
	if _, err := o.User(context.Background(), backends.Lookup{Name: "bob"}); err != backends.ErrNoUser {
		t.Errorf("a removed user: %v", err)
	}

	if err := os.Remove(passwords); err != nil {
		t.Fatal(err)
	}
	reload("option files_password_path: stat "+passwords+": no such file or directory; create it, or correct the path", "", after)

	ended, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := o.Backend.(backends.Reloader).Reload(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("an ended context: %v", err)
	}
}

// TestConcurrency reads while the files change to and fro; every answer must be
// of one state. It is of most use with -race.
func TestConcurrency(t *testing.T) {
	dir := t.TempDir()
	passwords, acl := dir+"/passwords", dir+"/acl"
	set := func(state string) {
		write(t, passwords, "alice:"+state+"\n")
		write(t, acl, "topic read "+state+"\n")
	}
	set("0")
	o, err := open(t, backends.AllChecks, map[string]string{"password_file": passwords, "files_acl_path": acl})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for reading := true; reading; {
				select {
				case <-done:
					reading = false
				default:
				}
				a, err := o.User(context.Background(), backends.Lookup{Name: "alice"})
				if err != nil || a.Hash != a.Sections[0][0].Pattern {
					t.Errorf("got %+v, %v", a, err)
					return
				}
				o.Backend.(backends.Anonymous).Anonymous(context.Background())
			}
		})
	}
	for i := range 200 {
		set(fmt.Sprint(i))
		if _, err := o.Backend.(backends.Reloader).Reload(context.Background()); err != nil {
			t.Error(err)
		}
	}
	close(done)
	readers.Wait()
}

func TestUserDoesNotAllocate(t *testing.T) {
	dir := t.TempDir()
	o, err := open(t, backends.AllChecks, map[string]string{
		"password_file": write(t, dir+"/passwords", "alice:hash\n"),
		"acl_file":      write(t, dir+"/acl", "user alice\ntopic a\npattern b\n")})
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range []backends.Lookup{{Name: "alice"}, {Name: "eve"}, {Name: "eve", RulesOnly: true}} {
		n := testing.AllocsPerRun(100, func() { o.User(context.Background(), l) })
		if n != 0 {
			t.Errorf("%+v: %v allocations", l, n)
		}
	}
}
