package mariadbtest

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// command prepares a program of MariaDB to run from the server's directory. It
// dies with this process, also when that is killed.
func (s *Server) command(path string, args ...string) *exec.Cmd {
	cmd := exec.Command(path, args...)
	cmd.Dir = s.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Setpgid:    true, // Ctrl-C is for us: the server outlives its clients
		Pdeathsig:  syscall.SIGKILL,
		Credential: account(),
	}
	return cmd
}

// account returns whom MariaDB runs as where we are root, which it refuses to
// be: its own user, else nobody. Nil: as ourselves.
func account() *syscall.Credential {
	if os.Getuid() != 0 {
		return nil
	}
	for _, name := range []string{"mysql", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, _ := strconv.Atoi(u.Uid)
		gid, _ := strconv.Atoi(u.Gid)
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	}
	return nil
}

// give hands the server's directory to the account it runs as.
func (s *Server) give() error {
	to := account()
	if to == nil {
		return nil
	}
	return filepath.WalkDir(s.dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Chown(path, int(to.Uid), int(to.Gid))
	})
}

// frozen tells whether all threads of the server are stopped: the signal reaches
// them one after the other.
func (s *Server) frozen() bool {
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", s.cmd.Process.Pid))
	if err != nil || len(tasks) == 0 {
		return false
	}
	for _, name := range tasks {
		text, err := os.ReadFile(name)
		_, state, ok := strings.Cut(string(text), ") ") // after the program's name
		if err != nil || !ok || !strings.HasPrefix(state, "T") {
			return false
		}
	}
	return true
}
