package house

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mosquitto-go-auth/test/brokertest"
)

const installedLibrary = "lib/go-auth.so" // of the installations here

// makeInstall runs a target of make with a private umask, as some roots have it.
func makeInstall(t *testing.T, target, root string, variables ...string) {
	t.Helper()
	cmd := exec.Command("sh", append([]string{"-c", `umask 077; exec make -C "$@"`, "sh", top, target, "DESTDIR=" + root}, variables...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("make %s: %v\n%s", target, err, out)
	}
}

// build makes what is installed.
func build(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("make"); err != nil {
		t.Skip("no make")
	}
	brokertest.Plugin(t)
	for what, file := range map[string]string{"plugin": "build/go-auth.so", "command": "build/go-auth"} {
		if _, err := os.Stat(filepath.Join(top, file)); err == nil {
			continue
		}
		if out, err := exec.Command(filepath.Join(top, "scripts/build"), what, file).CombinedOutput(); err != nil {
			t.Fatalf("building %s: %v\n%s", file, err, out)
		}
	}
}

// listing returns the files below a directory as the table of them is written.
func listing(t *testing.T, root string) (lines []string) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		switch mode := info.Mode(); {
		case d.IsDir() && mode.Perm() != 0o755 && path != root:
			t.Errorf("%s has the mode %v", path, mode)
		case mode.Type() == fs.ModeSymlink:
			target, err := os.Readlink(path)
			lines = append(lines, fmt.Sprintf("link %s -> %s", strings.TrimPrefix(path, root), target))
			return err
		case !d.IsDir():
			lines = append(lines, fmt.Sprintf("%04o %s", mode, strings.TrimPrefix(path, root)))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

// table returns the lines of a file without comments.
func table(t *testing.T, name string) (lines []string) {
	t.Helper()
	for line := range strings.Lines(string(read(t, name))) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			lines = append(lines, line)
		}
	}
	return lines
}

func compare(t *testing.T, got, want []string) {
	t.Helper()
	for _, line := range want {
		if !slices.Contains(got, line) {
			t.Errorf("not there: %s", line)
		}
	}
	for _, line := range got {
		if !slices.Contains(want, line) {
			t.Errorf("there, and not expected: %s", line)
		}
	}
}

const installed = "testdata/installed.txt"

// What is installed is the table in testdata, below a DESTDIR with a blank.
// After a change: go test ./test/house -update
func TestInstall(t *testing.T) {
	build(t)
	root := filepath.Join(t.TempDir(), "a root")
	makeInstall(t, "install", root)
	triplet, _ := exec.Command("gcc", "-print-multiarch").Output()
	libraries := filepath.Join("/usr/lib", strings.TrimSpace(string(triplet)), "mosquitto")
	got := listing(t, root)
	for i := range got {
		got[i] = strings.Replace(got[i], libraries, "PLUGINS", 1)
	}
	if *update {
		head, _, _ := strings.Cut(string(read(t, installed)), "\n0")
		if err := os.WriteFile(installed, []byte(head+"\n"+strings.Join(got, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	compare(t, got, table(t, installed))

	for _, path := range glob(t, root+"/usr/share/doc/mosquitto-go-auth/examples/*.conf") {
		checkExample(t, path)
		if name := filepath.Base(path); !strings.HasPrefix(name, "mosquitto-") && // those are of predecessors
			!strings.Contains(string(read(t, path)), "plugin "+libraries+"/go-auth.so\n") {
			t.Errorf("%s does not name the plugin that was installed", path)
		}
	}
	for _, path := range glob(t, root+"/usr/share/*/*/*go-auth*") {
		if len(read(t, path)) < 500 {
			t.Errorf("%s is empty", path)
		}
	}
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	found, err := filepath.Glob(pattern)
	if err != nil || len(found) == 0 {
		t.Fatalf("%s: %v, %v", pattern, found, err)
	}
	return found
}

// A broker that has the old library loaded keeps it: it is another file.
func TestInstallOverARunningBroker(t *testing.T) {
	build(t)
	b := brokertest.All(t)[0]
	root := t.TempDir()
	library := filepath.Join(root, installedLibrary)
	makeInstall(t, "install", root, "PLUGINDIR=/lib")
	old, err := os.Stat(library)
	if err != nil {
		t.Fatal(err)
	}
	r := brokertest.Start(t, b, `
allow_anonymous false
plugin {{.Vars.library}}
plugin_opt_backends files
plugin_opt_password_file {{.Dir}}/passwords
`, brokertest.Var("library", library), brokertest.File("passwords", ""))
	makeInstall(t, "install", root, "PLUGINDIR=/lib")
	if now, err := os.Stat(library); err != nil || os.SameFile(old, now) {
		t.Errorf("the library was written into the file that the broker has loaded: %v", err)
	}
	makeInstall(t, "uninstall", root, "PLUGINDIR=/lib")
	r.Reload()
	r.WaitLog(t, "read again: files")
	r.Stop()
}

// What was there before, and somebody else's files, are there after uninstall.
func TestUninstall(t *testing.T) {
	build(t)
	root := t.TempDir()
	makeInstall(t, "install", root)
	makeInstall(t, "uninstall", root)
	if left := listing(t, root); len(left) > 0 {
		t.Errorf("it leaves %q", left)
	}
	for _, gone := range []string{"/usr/share/doc/*", "/usr/lib/*/mosquitto"} {
		if found, _ := filepath.Glob(root + gone); len(found) > 0 {
			t.Errorf("it leaves %q", found)
		}
	}
	makeInstall(t, "install", root)
	var others []string
	for _, name := range []string{"/usr/bin/mosquitto_sub", "/usr/share/doc/mosquitto-go-auth/conf/notes", "/usr/share/man/man1/mosquitto_sub.1"} {
		if err := os.WriteFile(root+name, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		others = append(others, "0644 "+name)
	}
	empty := []string{"/usr/share/doc/mosquitto-go-auth/conf/others", "/usr/lib/others/empty", "/usr/share/others"}
	for _, name := range empty {
		if err := os.MkdirAll(root+name, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	makeInstall(t, "install", root, "PLUGINDIR=/usr/lib")
	makeInstall(t, "uninstall", root, "PLUGINDIR=/usr/lib")
	makeInstall(t, "uninstall", root)
	for _, name := range empty {
		if _, err := os.Stat(root + name); err != nil {
			t.Errorf("it takes somebody else's directory away: %v", err)
		}
	}
	compare(t, listing(t, root), others)
	makeInstall(t, "uninstall", root) // where nothing is, nothing is wrong
}

// Where neither a compiler nor dpkg-dev is, libc tells where Debian keeps libraries.
func TestPluginDirectory(t *testing.T) {
	want, err := exec.Command("gcc", "-print-multiarch").Output()
	if err != nil || len(want) < 2 {
		t.Skip("no Debian's gcc to compare with")
	}
	without := t.TempDir()
	if err := os.WriteFile(without+"/dpkg-architecture", []byte("#!/bin/sh\nexit 1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("make", "-s", "-C", top, "--eval", "where: ; @echo $(PLUGINDIR)", "where", "CC=false")
	cmd.Env = append(os.Environ(), "PATH="+without+":"+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	if want := "/usr/lib/" + strings.TrimSpace(string(want)) + "/mosquitto\n"; err != nil || string(out) != want {
		t.Errorf("the plugin goes to %q, want %q: %v", out, want, err)
	}
}

// What make install puts there is whole: a text that the command does not print ends it.
func TestInstallFails(t *testing.T) {
	root, tree := t.TempDir(), t.TempDir()
	for name, text := range map[string]string{"go-auth.so": "", "go-auth": "#!/bin/sh\n[ $# = 1 ] && [ ! -e \"$0.asked\" ] && touch \"$0.asked\"\n"} {
		if err := os.MkdirAll(tree+"/build", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(tree+"/build/"+name, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	script := tree + "/scripts/install"
	if err := os.MkdirAll(filepath.Dir(script), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(script, read(t, filepath.Join(top, "scripts/install")), 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(script, "install")
	cmd.Env = append(os.Environ(), "DESTDIR="+root, "PLUGINDIR=/p", "BINDIR=/b", "DOCDIR=/d", "MANDIR=/m", "BASHDIR=/c", "ZSHDIR=/z", "FISHDIR=/f")
	if out, err := cmd.CombinedOutput(); err == nil {
		t.Errorf("it succeeds without a man page: %s", out)
	}
	if _, err := os.Stat(root + "/m/man1/go-auth.1"); err == nil {
		t.Error("it lays an empty man page")
	}
}

// Below /usr/local, Debian has no directories for each architecture, and others
// for zsh.
func TestInstallLocal(t *testing.T) {
	build(t)
	root := t.TempDir()
	makeInstall(t, "install", root, "PREFIX=/usr/local")
	got := listing(t, root)
	for _, want := range []string{"0644 /usr/local/lib/mosquitto/go-auth.so", "0755 /usr/local/bin/go-auth", "0644 /usr/local/share/zsh/site-functions/_go-auth"} {
		if !slices.Contains(got, want) {
			t.Errorf("%s is not among %q", want, got)
		}
	}
	for _, path := range glob(t, root+"/usr/local/share/doc/*/conf/*.md") {
		if bytes.Contains(read(t, path), []byte("/usr/lib/x86_64")) || bytes.Contains(read(t, path), []byte("/usr/share/doc/")) {
			t.Errorf("%s speaks of other places", path)
		}
	}
}
