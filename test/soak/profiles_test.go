package soak

import (
	"fmt"
	"strings"
	"testing"
)

// A client of each of so many users asks once, which makes the profile. The rules
// of the users' own in the files are compiled once and kept, profile or not: what
// comes and goes shows in the second pass.
const manyProfiles = `
option backends files
option password_file ${DIR}/pw
option acl_file ${DIR}/acl
option profiles_max %d
init → allow
pause 200
measure start
repeat 2 p
repeat %d b
repeat 1000 k
	client c id c$b-$k user u$b-$k
	acl c read site/u$b-$k/x → allow
	drop c
	reuse c c
end
end
measure pass$p
end
cleanup → allow
pause 100
measure gone
`

// Memory in kB that profiles may take: so much for any number, and a share of what
// 100,000 of them may.
const (
	growthAtAll    = 4 << 10
	growthOf100000 = 100<<10 - growthAtAll
)

// growthAgain is what the allocators may differ by from one time to another.
const growthAgain = 6 << 10

// TestProfiles makes many profiles: nine tenths have the same five rules with
// the user's name in them, a tenth also have five of their own. Those that
// profiles_max does not keep must leave nothing behind.
func TestProfiles(t *testing.T) {
	thousands := 4
	if full() {
		thousands = 100
	}
	users := thousands * 1000
	mayGrow := growthAtAll + growthOf100000*users/100000
	var rows table
	rows.add("users", "profiles_max", "RSS, kB", "Go heap, kB", "bytes of RSS each", "may grow by, kB",
		"second pass", "may grow by, kB", "left after cleanup")
	for _, most := range []int{200000, 1000} {
		used := play(t, "2.1", fmt.Sprintf(manyProfiles, most, thousands), map[string]string{"pw": "", "acl": rules(thousands)})
		start, first, second, gone := used["start"], used["pass0"], used["pass1"], used["gone"]
		grown, again := first[rss]-start[rss], second[rss]-first[rss]
		rows.add(fmt.Sprint(users), fmt.Sprint(most), fmt.Sprintf("%+d", grown), fmt.Sprintf("%+d", first[heap]-start[heap]),
			fmt.Sprint(grown*1024/users), fmt.Sprint(mayGrow), fmt.Sprintf("%+d", again), fmt.Sprint(growthAgain),
			fmt.Sprintf("%+d", gone[rss]-start[rss]))
		if grown > mayGrow || again > growthAgain {
			t.Errorf("profiles_max %d: grew by %d kB, and once more by %d", most, grown, again)
		}
	}
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
