package files

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mosquitto-go-auth/backends"
)

const patience = 20 * time.Second

// watched opens a backend on a password file, begins its watch, and waits until
// that is established.
func watched(t *testing.T, path string) (w Watched, told <-chan string, ended <-chan error) {
	t.Helper()
	o, err := open(t, backends.CheckUser, map[string]string{"files_password_path": path})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	notices, end := make(chan string, 100), make(chan error, 1)
	go func() {
		defer close(end)
		end <- o.Backend.(Watched).Watch(ctx, func(name string) { notices <- name })
	}()
	t.Cleanup(func() {
		cancel()
		select {
		case <-end:
		case <-time.After(patience):
			t.Error("Watch does not end with its context")
		}
	})
	await(t, notices)
	return o.Backend.(Watched), notices, end
}

func await(t *testing.T, told <-chan string) {
	t.Helper()
	select {
	case name := <-told:
		if name != "" {
			t.Errorf("told of %q alone", name)
		}
	case <-time.After(patience):
		t.Fatal("no change was told")
	}
}

func knows(t *testing.T, w Watched, name string) bool {
	t.Helper()
	if _, err := w.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err := w.User(t.Context(), backends.Lookup{Name: name})
	return err == nil
}

// do fails the test with the first error.
func do(t *testing.T, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestWatch changes a file as operators and their tools do, twice: the watch must
// survive the first change.
func TestWatch(t *testing.T) {
	tests := []struct {
		name   string
		path   string // below the test's directory; real/passwords unless told
		before func(t *testing.T)
		change func(t *testing.T, text string)
	}{
		{name: "written in place", change: func(t *testing.T, text string) { write(t, "real/passwords", text) }},
		{name: "moved into its place", change: func(t *testing.T, text string) {
			write(t, "real/new", text)
			do(t, os.Rename("real/new", "real/passwords"))
		}},
		{name: "moved from elsewhere", change: func(t *testing.T, text string) {
			write(t, "new", text)
			do(t, os.Rename("new", "real/passwords"))
		}},
		{name: "removed and made again", change: func(t *testing.T, text string) {
			do(t, os.Remove("real/passwords"))
			write(t, "real/passwords", text)
		}},
		{name: "moved away as a backup and made again", change: func(t *testing.T, text string) {
			do(t, os.Rename("real/passwords", "real/passwords~"))
			write(t, "real/passwords", text)
		}},
		{name: "appended to through a link", path: "link",
			before: func(t *testing.T) { do(t, os.Symlink("real/passwords", "link")) },
			change: func(t *testing.T, text string) { write(t, "link", text) }},
		{name: "replaced behind a link", path: "link",
			before: func(t *testing.T) { do(t, os.Symlink("real/passwords", "link")) },
			change: func(t *testing.T, text string) {
				write(t, "real/new", text)
				do(t, os.Rename("real/new", "real/passwords"))
			}},
		{name: "link changed", path: "link",
			before: func(t *testing.T) { do(t, os.Symlink("real/passwords", "link")) },
			change: func(t *testing.T, text string) {
				other := filepath.Join(t.TempDir(), "passwords")
				write(t, other, text)
				do(t, os.Symlink(other, "new"), os.Rename("new", "link"))
			}},
		{name: "mounted by Kubernetes", path: "mount/passwords",
			before: func(t *testing.T) {
				do(t, os.Mkdir("mount", 0o700), os.Mkdir("mount/..1", 0o700), os.Rename("real/passwords", "mount/..1/passwords"),
					os.Symlink("..1", "mount/..data"), os.Symlink("..data/passwords", "mount/passwords"))
			},
			change: func(t *testing.T, text string) {
				old, err := os.Readlink("mount/..data")
				do(t, err)
				fresh := old + "1"
				do(t, os.Mkdir("mount/"+fresh, 0o700))
				write(t, "mount/"+fresh+"/passwords", text)
				do(t, os.Symlink(fresh, "mount/..data_tmp"), os.Rename("mount/..data_tmp", "mount/..data"), os.RemoveAll("mount/"+old))
			}},
		{name: "link to its directory changed", path: "current/passwords",
			before: func(t *testing.T) { do(t, os.Symlink("real", "current")) },
			change: func(t *testing.T, text string) {
				other := t.TempDir()
				write(t, filepath.Join(other, "passwords"), text)
				do(t, os.Symlink(other, "new"), os.Rename("new", "current"))
			}},
		{name: "directory replaced", change: func(t *testing.T, text string) {
			do(t, os.Mkdir("fresh", 0o700))
			write(t, "fresh/passwords", text)
			do(t, os.Rename("real", filepath.Join(t.TempDir(), "old")), os.Rename("fresh", "real"))
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			do(t, os.Mkdir("real", 0o700))
			write(t, "real/passwords", "first:h\n")
			if tt.before != nil {
				tt.before(t)
			}
			path := tt.path
			if path == "" {
				path = "real/passwords"
			}
			w, told, _ := watched(t, path)
			for _, name := range []string{"second", "third"} {
				tt.change(t, name+":h\n")
				for await(t, told); !knows(t, w, name); await(t, told) {
				}
				if knows(t, w, "first") {
					t.Error("the first user is there still")
				}
			}
		})
	}
}

// Who may read a file is a change as well: the note on one that cannot be read
// says to change that.
func TestWatchTellsOfPermissions(t *testing.T) {
	path := write(t, filepath.Join(t.TempDir(), "passwords"), "sam:h\n")
	_, told, _ := watched(t, path)
	do(t, os.Chmod(path, 0o644))
	await(t, told)
}

func TestWatchEndsWithoutDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "dir")
	do(t, os.Mkdir(dir, 0o700))
	w, told, ended := watched(t, write(t, dir+"/passwords", "sam:h\n"))
	do(t, os.RemoveAll(dir))
	await(t, told)
	select {
	case err := <-ended:
		if !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), dir) {
			t.Errorf("got error %v", err)
		}
	case <-time.After(patience):
		t.Fatal("it goes on")
	}
	if err := w.Watch(t.Context(), func(string) { t.Error("it says that it watches") }); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("again: got error %v", err)
	}
	if _, err := w.User(t.Context(), backends.Lookup{Name: "sam"}); err != nil {
		t.Errorf("what was read before: %v", err)
	}
	do(t, os.Mkdir(dir, 0o700))
	write(t, dir+"/passwords", "tom:h\n")
	if !knows(t, w, "tom") {
		t.Error("it is not read again")
	}
}

func TestNotWatched(t *testing.T) {
	path := write(t, filepath.Join(t.TempDir(), "passwords"), "sam:h\n")
	o, err := open(t, backends.CheckUser, map[string]string{"files_password_path": path, "files_watch": "false"})
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := o.Backend.(backends.Watcher); ok {
		t.Error("it can be watched")
	}
	if _, ok := o.Backend.(backends.Reloader); !ok {
		t.Error("it cannot be read again")
	}
}

// A file that was emptied is likely to be written to next.
func TestUnfinished(t *testing.T) {
	dir := t.TempDir()
	w := &watch{paths: []string{write(t, dir+"/acl", "topic a\n"), dir + "/passwords"}}
	if !w.unfinished() {
		t.Error("one is missing")
	}
	if write(t, dir+"/passwords", ""); !w.unfinished() {
		t.Error("one is empty")
	}
	if write(t, dir+"/passwords", "sam:h\n"); w.unfinished() {
		t.Error("both are there")
	}
}

func TestTrail(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	do(t, err, os.Mkdir(dir+"/a", 0o700), os.Symlink("a", dir+"/b"), os.Symlink("../b/./f", dir+"/a/up"), os.Symlink(dir+"/a/up", dir+"/all"),
		os.Symlink("loop", dir+"/loop"))
	tests := []struct{ path, want string }{
		{"a/f", "a/f"},
		{"b/f", "b a/f"},
		{"none/f", "none/f"},
		{"b/../a//f", "a/f"}, // as filepath.Clean and so everything in Go reads it
		{"all", "all a/up b a/f"},
	}
	for _, tt := range tests {
		names, err := trail(dir + "/" + tt.path)
		if got := strings.ReplaceAll(strings.Join(names, " "), dir+"/", ""); err != nil || got != tt.want {
			t.Errorf("%s: got %s, error %v; want %s", tt.path, got, err, tt.want)
		}
	}
	if _, err := trail(dir + "/loop"); err == nil {
		t.Error("there is a way through a loop")
	}
}
