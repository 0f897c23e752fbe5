package files

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"

	"mosquitto-go-auth/backends"
)

const (
	// settled is how long the files must be left alone before a change is told:
	// an editor does several things to a file at once.
	settled = 100 * time.Millisecond

	// writing is how long a file that is missing or empty is taken for one that
	// is being written.
	writing = time.Second
)

// Watched is a Files that tells when the files have changed. It is for the
// caller to call Reload then.
type Watched struct{ *Files }

var _ backends.Watcher = Watched{}

// Watch tells of changes, always with the name "", until ctx ends or the files
// cannot be watched any longer: because a directory is gone, or the system has
// no more inotify instances. The first call of changed says that the watch is
// established; what was read before that may be old.
func (w Watched) Watch(ctx context.Context, changed func(name string)) error {
	system, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watching the files with inotify: %w; "+
			"raise the sysctl fs.inotify.max_user_instances, or set files_watch false", err)
	}
	defer system.Close()
	return (&watch{system: system, paths: w.paths(), changed: changed}).run(ctx)
}

// paths are those of the files that are given.
func (f *Files) paths() (list []string) {
	for _, s := range []source{f.passwords, f.predecessorACL, f.mosquittoACL} {
		if s.given() {
			list = append(list, s.path)
		}
	}
	return list
}

// watch is one watch. It is on the directories, since a file is often changed by
// putting another in its place.
type watch struct {
	system  *fsnotify.Watcher
	paths   []string
	names   []string // on the way to the files: theirs and those of symbolic links
	dirs    []string // where those are
	changed func(name string)
}

func (w *watch) run(ctx context.Context) error {
	if err := w.arm(); err != nil {
		return err
	}
	w.changed("")
	var since time.Time // of the first event that was not told
	timer := time.NewTimer(0)
	<-timer.C
	for {
		due, err := w.next(ctx, timer.C)
		switch {
		case err != nil:
			return err
		case !due:
			if since.IsZero() {
				since = time.Now()
			}
			timer.Reset(settled)
		case w.unfinished() && time.Since(since) < writing:
			timer.Reset(settled)
		default:
			since = time.Time{}
			err := w.arm() // first: what changes from now on is told again
			w.changed("")
			if err != nil {
				return err
			}
		}
	}
}

// next waits for an event that is about the files, or until it is due to tell of
// those that were.
func (w *watch) next(ctx context.Context, settled <-chan time.Time) (due bool, err error) {
	for {
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case <-settled:
			return true, nil
		case e, ok := <-w.system.Events:
			if !ok {
				return false, errors.New("the watch of the files was closed")
			}
			if name := filepath.Clean(e.Name); slices.Contains(w.names, name) || slices.Contains(w.dirs, name) {
				return false, nil
			}
		case err := <-w.system.Errors:
			if errors.Is(err, fsnotify.ErrEventOverflow) {
				return false, nil // some were lost
			}
			return false, fmt.Errorf("watching the files: %w", err)
		}
	}
}

// arm watches the directories on the way to the files, and no others.
func (w *watch) arm() error {
	w.names, w.dirs = nil, nil
	for _, path := range w.paths {
		names, err := trail(path)
		if err != nil {
			return fmt.Errorf("watching %s: %w", path, err)
		}
		w.names = append(w.names, names...)
	}
	for _, name := range w.names {
		w.dirs = append(w.dirs, filepath.Dir(name))
	}
	for _, dir := range w.system.WatchList() {
		if !slices.Contains(w.dirs, dir) {
			w.system.Remove(dir) // it may be gone already, which is as good
		}
	}
	for _, dir := range w.dirs {
		if err := w.system.Add(dir); err != nil {
			return fmt.Errorf("watching %s: %w", dir, err)
		}
	}
	return nil
}

// unfinished tells whether a file looks as if it were being written.
func (w *watch) unfinished() bool {
	return slices.ContainsFunc(w.paths, func(path string) bool {
		info, err := os.Stat(path)
		return err != nil || info.Size() == 0
	})
}

// maxLinks is how many symbolic links may be on the way to a file. The system
// has the same limit.
const maxLinks = 40

// trail returns the names on the way to a file of which each can be made to
// mean another file: those of the symbolic links, and last its own. Kubernetes,
// for one, changes a mounted file by replacing a link to its directory.
func trail(path string) (names []string, err error) {
	path, err = filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	at, rest := "/", path
	for rest != "" {
		var part string
		part, rest, _ = strings.Cut(strings.TrimLeft(rest, "/"), "/")
		name := filepath.Join(at, part)
		target, err := os.Readlink(name)
		if err != nil { // no link, or nothing at all
			at = name
			continue
		}
		if names = append(names, name); len(names) > maxLinks {
			return nil, errors.New("too many symbolic links")
		}
		if filepath.IsAbs(target) {
			at = "/"
		}
		rest = target + "/" + rest
	}
	return append(names, at), nil
}
