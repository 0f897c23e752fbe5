package hashing

import (
	"os"
	"regexp"
	"slices"
	"testing"
)

// The README lists the kinds that the vectors prove, and no other.
func TestReadmeListsTheKinds(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	var listed, proved []string
	for _, row := range regexp.MustCompile("(?m)^\\| (`[^|]*`) \\|").FindAllStringSubmatch(string(text), -1) {
		for _, kind := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(row[1], -1) {
			listed = append(listed, kind[1])
		}
	}
	for _, v := range vectors(t) {
		if v.match {
			proved = append(proved, v.scheme)
		}
	}
	slices.Sort(listed)
	slices.Sort(proved)
	if proved = slices.Compact(proved); !slices.Equal(listed, proved) {
		t.Errorf("the README lists %v, the vectors prove %v", listed, proved)
	}
}
