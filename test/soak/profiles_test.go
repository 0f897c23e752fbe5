package soak

import (
	"fmt"
	"strings"
	"testing"
)

// A client of each of so many users asks once, which makes the profile.
const manyProfiles = `
option backends files
option password_file ${DIR}/pw
option acl_file ${DIR}/acl
option profiles_max %d
init → allow
pause 200
measure before
repeat %d b
repeat 1000 k
	client c id c$b-$k user u$b-$k
	acl c read site/u$b-$k/x → allow
	drop c
	reuse c c
end
end
measure after
`

// growthOfProfiles is how much memory 100,000 profiles may take, in kB.
const growthOfProfiles = 100 << 10

// TestProfiles makes many profiles: nine tenths have the same five rules with
// the user's name in them, a tenth also have five of their own. Those that
// profiles_max does not keep must leave nothing behind.
func TestProfiles(t *testing.T) {
	thousands := 4
	if full() {
		thousands = 100
	}
	var rows table
	rows.add("users asked about", "profiles_max", "RSS, kB", "Go heap, kB", "bytes of RSS each", "may grow by, kB")
	measure := func(most, kept int) {
		files := map[string]string{"pw": "", "acl": rules(thousands)}
		used := play(t, "2.1", fmt.Sprintf(manyProfiles, most, thousands), files)
		grown := used["after"][rss] - used["before"][rss]
		limit := growthOfProfiles*kept/100000 + 4<<10
		if kept == 100000 {
			limit = growthOfProfiles
		}
		rows.add(fmt.Sprint(thousands*1000), fmt.Sprint(most), fmt.Sprintf("%+d", grown),
			fmt.Sprintf("%+d", used["after"][heap]-used["before"][heap]), fmt.Sprint(grown*1024/kept), fmt.Sprint(limit))
		if grown > limit {
			t.Errorf("%d profiles take %d kB, more than %d", kept, grown, limit)
		}
	}
	measure(200000, thousands*1000)
	measure(1000, 1000)
	rows.print(t)
}

// rules is an acl_file with five patterns, and five rules of its own for every
// tenth user.
func rules(thousands int) string {
	var lines strings.Builder
	for i := 0; i < thousands*1000; i += 10 {
		user := fmt.Sprintf("u%d-%d", i/1000, i%1000)
		fmt.Fprintf(&lines, "user %s\n", user)
		for n := range 5 {
			fmt.Fprintf(&lines, "topic read own/%s/%d/+/value\n", user, n)
		}
	}
	lines.WriteString("pattern read site/%u/#\npattern write site/%u/set\npattern read common/+/state\n" +
		"pattern readwrite chat/%u/%c\npattern read news/#\n")
	return lines.String()
}
