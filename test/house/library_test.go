package house

import (
	"debug/elf"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"mosquitto-go-auth/test/brokertest"
)

// What the library exports, and what it may need. Debian 12 has glibc 2.36.
var (
	exports = []string{"mosquitto_auth_plugin_version", "mosquitto_plugin_cleanup", "mosquitto_plugin_init", "mosquitto_plugin_version"}
	needed  = regexp.MustCompile(`^(libc\.so\.6|ld-linux[-\w]*\.so\.\d+)$`)
)

const (
	glibc    = "2.36"
	sizeMost = 15 << 20
)

func TestLibrary(t *testing.T) {
	path := brokertest.Plugin(t)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	lib, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer lib.Close()

	if got := exported(t, lib); !slices.Equal(got, exports) {
		t.Errorf("it exports %v, want %v", got, exports)
	}
	libraries, err := lib.ImportedLibraries()
	if err != nil || len(libraries) == 0 {
		t.Errorf("its libraries: %v, %v", libraries, err)
	}
	for _, l := range libraries {
		if !needed.MatchString(l) {
			t.Errorf("it needs %s", l)
		}
	}
	version := highestGlibc(t, lib)
	if atLeast(version, glibc) && version != glibc {
		t.Errorf("it needs glibc %s, and Debian 12 has %s", version, glibc)
	}
	if info.Size() > sizeMost {
		t.Errorf("it has %d bytes, more than %d", info.Size(), sizeMost)
	}
	for _, tag := range []elf.DynTag{elf.DT_RPATH, elf.DT_RUNPATH} {
		if dirs, _ := lib.DynString(tag); len(dirs) > 0 {
			t.Errorf("%v is %v: it would look for libraries there", tag, dirs)
		}
	}
	t.Logf("%.1f MB, needs %v with glibc %s or newer", float64(info.Size())/(1<<20), libraries, version)
}

// exported returns the names that the library defines for others, sorted.
func exported(t *testing.T, lib *elf.File) (names []string) {
	t.Helper()
	symbols, err := lib.DynamicSymbols()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range symbols {
		if s.Section != elf.SHN_UNDEF && elf.ST_BIND(s.Info) != elf.STB_LOCAL {
			names = append(names, s.Name)
		}
	}
	slices.Sort(names)
	return names
}

// highestGlibc returns the highest version that a symbol is wanted in. One of the
// broker must not be wanted at all: an older broker that lacks it could not load the
// library.
func highestGlibc(t *testing.T, lib *elf.File) (highest string) {
	t.Helper()
	symbols, err := lib.ImportedSymbols()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range symbols {
		if strings.HasPrefix(s.Name, "mosquitto_") {
			t.Errorf("it wants %s of the broker", s.Name)
		}
		version, ok := strings.CutPrefix(s.Version, "GLIBC_")
		if ok && (highest == "" || atLeast(version, highest)) {
			highest = version
		}
	}
	return highest
}

func atLeast(a, b string) bool { return slices.Compare(numbers(a), numbers(b)) >= 0 }

func numbers(version string) (all []int) {
	for part := range strings.SplitSeq(version, ".") {
		n, _ := strconv.Atoi(part)
		all = append(all, n)
	}
	return all
}
