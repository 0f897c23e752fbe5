package seed

import (
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"mosquitto-go-auth/test/brokertest"
)

// A faulty configuration ends the start with all its faults in the log. Each
// file of testdata/faults has options, texts that the log must hold, and other
// files that the options name.
func TestFaults(t *testing.T) {
	files, err := filepath.Glob("testdata/faults/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no files in testdata/faults: ", err)
	}
	brokertest.Each(t, func(t *testing.T, b brokertest.Broker) {
		for _, file := range files {
			t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
				t.Parallel()
				testFault(t, b, file)
			})
		}
	})
}

func testFault(t *testing.T, b brokertest.Broker, file string) {
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var options, wanted string
	more := []brokertest.Option{passwords("ann")}
	for _, f := range archive.Files {
		switch f.Name {
		case "options":
			options = string(f.Data)
		case "log":
			wanted = string(f.Data)
		default:
			more = append(more, brokertest.File(f.Name, string(f.Data)))
		}
	}
	status, log := brokertest.StartFailing(t, b, configuration(options), more...)
	if status == 0 {
		t.Error("the broker ended with status 0")
	}
	for text := range strings.Lines(wanted) {
		if text = strings.TrimSuffix(text, "\n"); !strings.Contains(log, text) {
			t.Errorf("%q is not in the log:\n%s", text, log)
		}
	}
	if strings.Contains(log, "hush-hush") {
		t.Errorf("the log holds a secret:\n%s", log)
	}
}
