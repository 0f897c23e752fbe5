package postgrestest

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

// Command prepares another program to run beside the server, as the same account.
func (s *Server) Command(path string, args ...string) *exec.Cmd {
	cmd := s.command("", args...)
	cmd.Path, cmd.Err = path, nil
	cmd.Args[0] = path
	return cmd
}

// command prepares a program of PostgreSQL to run from the server's directory. It
// dies with this process, also when that is killed.
func (s *Server) command(program string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(s.bin, program), args...)
	cmd.Dir = s.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C"}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Setpgid:    true, // Ctrl-C is for us: the server outlives its clients
		Pdeathsig:  syscall.SIGKILL,
		Credential: account(),
	}
	return cmd
}

// account returns whom PostgreSQL runs as where we are root, which it refuses to
// be: its own user, else nobody. Nil: as ourselves.
func account() *syscall.Credential {
	if os.Getuid() != 0 {
		return nil
	}
	for _, name := range []string{"postgres", "nobody"} {
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

// processes lists the children of a server's first process. They are in no group
// with it.
func processes(parent int) (pids []int) {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, stat := range stats {
		text, err := os.ReadFile(stat)
		if err != nil {
			continue // it has ended meanwhile
		}
		// pid (name) state ppid …, and a name may hold anything
		fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
		if len(fields) < 2 || fields[1] != strconv.Itoa(parent) {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(stat))); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

func kill(pids []int, sig syscall.Signal) {
	for _, pid := range pids {
		syscall.Kill(pid, sig)
	}
}

// alive tells whether one of the processes has not ended, zombies not counted.
func alive(pids []int) bool {
	for _, pid := range pids {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			continue
		}
		if fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:])); len(fields) > 0 && fields[0] != "Z" {
			return true
		}
	}
	return false
}
