// Package soak keeps the plugin at work for a while and looks at what it uses:
// memory, goroutines, threads, open files, and wake-ups of a broker that has
// nothing to do. `make soak` runs it at full length, `go test` in short.
package soak

import (
	"fmt"
	"testing"
)

// The script works through blocks: a quarter to warm up and four that count, each of
// rounds of 20 blocks. A block is 50 delayed logins, 50 at once from memory or in
// TICK, 15 for which the broker waits, 10 refused ones, and the ACL checks of the
// clients that are in.
const (
	quarters       = 5 // with the one to warm up
	blocks         = 20
	loginsOfABlock = 125
	usersOfABlock  = 50
	goChecks       = usersOfABlock * 10 // that enter Go
)

const script = `
instance first
option backends files
option password_file ${DIR}/pw
option acl_file ${DIR}/acl
option hash_memo false
init → allow
instance second
option backends files
option password_file ${DIR}/pw
option acl_file ${DIR}/acl
init → allow
client http id http user u0-0 pass right v 0 address none
client web id web user u0-1 v 0 address none
measure start
repeat 5 q
beside %[2]d: reask http → allow
beside %[2]d: acl web read site/u0-1/x → allow
beside %[2]d: acl web read site/u0-2/x → denied
repeat %[1]d r
repeat 20 b
	instance first
	repeat 50 k
		2.1: login a$k user u$b-$k pass right → delayed
	end
	instance second
	repeat 50 k
		login b$k user u$b-$k pass right → not auth
	end
	instance first
	repeat 15 k
		login c$k user u$b-$k pass right v 5 → not auth
	end
	repeat 10 k
		login d$k user u$b-$k pass wrong-$b → not allow
	end
	repeat 50 k
		2.1: eventually: expect connected a$k
		2.1: eventually: expect connected b$k
		repeat 10 t
			2.1: acl a$k subscribe site/u$b-$k/$t/# → allow
			2.0: acl web subscribe site/u0-1/$t/# → allow
		end
		repeat %[3]d t
			2.1: acl a$k read site/u$b-$k/$t → allow
			2.1: acl b$k write site/u$b-$k/$t → denied
			2.0: acl web read site/u0-1/$t → allow
			2.0: acl web write site/u0-1/$t → denied
		end
	end
	tick 2
	repeat 50 k
		2.1: drop a$k
		2.1: reuse a$k a$k
		drop b$k
		reuse b$k b$k
	end
	repeat 15 k
		drop c$k
		reuse c$k c$k
	end
	repeat 10 k
		2.1: eventually: expect gone d$k
		reuse d$k d$k
	end
end
end
join
pause 200
tick
measure q$q
end
instance first
cleanup → allow
tick
instance second
cleanup → allow
pause 300
measure gone
`

// TestSoak logs in and asks, and looks whether more is in use at the end than
// after the first quarter.
func TestSoak(t *testing.T) {
	rounds, checks := 1, 3 // pairs of checks of a client of a block
	if full() {
		rounds, checks = 2, 120
	}
	files := map[string]string{"pw": passwords(blocks, usersOfABlock), "acl": "user u0-0\ntopic write own/#\npattern read site/%u/#\n"}
	for _, version := range []string{"2.1", "2.0"} {
		t.Run(version, func(t *testing.T) {
			used := play(t, version, fmt.Sprintf(script, rounds, 2500*checks/120+10, checks), files)
			all := quarters * rounds * blocks
			logins := all * loginsOfABlock
			if version == "2.0" { // which cannot delay
				logins -= all * usersOfABlock
			}
			t.Logf("%d logins, %d ACL checks, %d questions from other threads", logins,
				all*(goChecks+2*usersOfABlock*checks), quarters*3*(2500*checks/120+10))
			compare(t, used["q1"], used["q4"], used["gone"])
		})
	}
}

// compare prints what was in use after the first and the last quarter, and after
// the plugin's end, and judges the growth between the first two.
func compare(t *testing.T, first, last, gone usage) {
	t.Helper()
	var rows table
	rows.add("in use", "first quarter", "last", "may grow by", "after cleanup")
	for i, r := range resources {
		grown := last[i] - first[i]
		rows.add(r.name, fmt.Sprint(first[i]), fmt.Sprint(last[i]), fmt.Sprint(r.tolerance), fmt.Sprint(gone[i]))
		if grown > r.tolerance {
			t.Errorf("%s: grew by %d, more than %d", r.name, grown, r.tolerance)
		}
	}
	rows.print(t)
	if left := gone[goroutines]; left > 1 {
		t.Errorf("%d goroutines are left after the plugin's end", left)
	}
}
