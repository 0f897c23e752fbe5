package house

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"mosquitto-go-auth/conf"
)

// inTop returns the paths below the top of the repository that match a pattern.
func inTop(t *testing.T, pattern string) (names []string) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(top, pattern))
	if err != nil || len(paths) == 0 {
		t.Fatalf("there is no %s: %v", pattern, err)
	}
	for _, path := range paths {
		name, _ := filepath.Rel(top, path)
		names = append(names, name)
	}
	return names
}

// matches returns what the group of a pattern matches in a text.
func matches(text []byte, pattern string) (found []string) {
	for _, match := range regexp.MustCompile(`(?m)`+pattern).FindAllSubmatch(text, -1) {
		found = append(found, string(match[1]))
	}
	return found
}

// The configurations of the image and of compose.yaml are accepted as they stand.
func TestImageConfigurations(t *testing.T) {
	secrets := t.TempDir()
	for _, name := range matches(read(t, filepath.Join(top, "compose.yaml")), `^  ([\w-]+): \{file: `) {
		if err := os.WriteFile(filepath.Join(secrets, name), []byte("secret\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range slices.Concat(inTop(t, "conf/image/conf.d/*.conf"), inTop(t, "conf/compose/*.conf")) {
		text := bytes.ReplaceAll(read(t, filepath.Join(top, name)), []byte("/run/secrets"), []byte(secrets))
		f, err := conf.Read(name, text)
		if err != nil {
			t.Error(err)
			continue
		}
		if len(f.Plugins) != 1 || !f.Plugins[0].Ours() || len(f.Listeners) != 1 || f.Anonymous(f.Listeners[0]) {
			t.Errorf("%s: want one plugin, ours, and one listener that lets nobody in without a name", name)
			continue
		}
		s := options()
		s.Parse(f.Plugins[0].Options)
		warnings, faults := s.Result()
		for _, r := range slices.Concat(f.Warnings, warnings, faults) {
			t.Errorf("%v", r)
		}
	}
	if f, err := conf.Read("conf/image/mosquitto.conf", read(t, filepath.Join(top, "conf/image/mosquitto.conf"))); err != nil || len(f.Warnings) > 0 {
		t.Error(err, f)
	}
}

// compose.yaml names files, secrets and servers that are there, and publishes no
// more than the broker's port.
func TestCompose(t *testing.T) {
	text := read(t, filepath.Join(top, "compose.yaml"))
	mounts := matches(text, `^      - \./(\S+?):/`)
	if len(mounts) == 0 {
		t.Fatal("compose.yaml mounts no files")
	}
	for _, path := range mounts {
		if _, err := os.Stat(filepath.Join(top, path)); err != nil {
			t.Error(err)
		}
	}
	services, secrets := matches(text, `^  ([\w-]+):$`), matches(text, `^  ([\w-]+): \{file: \./conf/compose/secrets/`)
	for _, name := range inTop(t, "conf/compose/[a-z]*.*") {
		file := read(t, filepath.Join(top, name))
		if !slices.Contains(mounts, name) {
			t.Errorf("compose.yaml does not mount %s", name)
		}
		for _, secret := range matches(file, `/run/secrets/([\w-]+)`) {
			if !slices.Contains(secrets, secret) {
				t.Errorf("%s reads the secret %s, which is not in compose.yaml", name, secret)
			}
		}
		for _, host := range matches(file, `^plugin_opt_\w+_host (.*)`) {
			if !slices.Contains(services, host) || !slices.Contains(services, "broker-"+host) {
				t.Errorf("%s asks %s, which is no service with a broker", name, host)
			}
		}
	}
	if ports := matches(text, `ports: (.*)`); !slices.Equal(ports, []string{`["1883:1883"]`}) {
		t.Errorf("it publishes %q", ports)
	}
}

// The image is built with the Go that go.mod asks for.
func TestDockerfile(t *testing.T) {
	version := matches(read(t, filepath.Join(top, "go.mod")), `^go (\d+\.\d+)`)
	if used := matches(read(t, filepath.Join(top, "Dockerfile")), `golang:([\d.]+)-`); !slices.Equal(used, version) {
		t.Errorf("the Dockerfile has golang:%v, and go.mod wants Go %v", used, version)
	}
}

// Each example of conf/image.md is run by scripts/image-test, but for two: the one
// with compose needs images of a registry, and that for another processor its
// emulation.
func TestImageExamples(t *testing.T) {
	examples := matches(read(t, filepath.Join(top, "conf/image.md")), "^```sh ?(.*)")
	script := read(t, filepath.Join(top, "scripts/image-test"))
	run := append(matches(script, `^\t.*\btry (\w+)`), "arm64", "compose")
	slices.Sort(run)
	slices.Sort(examples)
	if run = slices.Compact(run); !slices.Equal(examples, run) {
		t.Errorf("the examples are %q, and %q are run", examples, run)
	}
	if !strings.Contains(string(script), "linux/arm64") {
		t.Error("scripts/image-test does not compile for arm64")
	}
}
