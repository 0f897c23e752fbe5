package sqldb

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"mosquitto-go-auth/backends"
	"mosquitto-go-auth/conf"
)

// script is a Querier with prepared answers, by the statement's text and its
// arguments: "SELECT u [sam]".
type script struct {
	answers map[string]Rows
	fail    map[string]error
	asked   []string
}

func (s *script) Query(_ context.Context, text string, args []any, limit int) (Rows, error) {
	key := fmt.Sprint(text, " ", args)
	s.asked = append(s.asked, key)
	if err := s.fail[key]; err != nil {
		return Rows{}, err
	}
	r, ok := s.answers[key]
	if !ok {
		return Rows{}, fmt.Errorf("no answer to %s", key)
	}
	r.Values = r.Values[:min(limit, len(r.Values))]
	return r, nil
}

// batches is a script that takes several statements at once.
type batches struct {
	*script
	sizes []int
}

func (b *batches) Batch(ctx context.Context, questions []Question) (rows []Rows, err error) {
	b.sizes = append(b.sizes, len(questions))
	for _, q := range questions {
		r, err := b.Query(ctx, q.Text, q.Args, q.Limit)
		if err != nil {
			return rows, err
		}
		rows = append(rows, r)
	}
	return rows, nil
}

// table makes rows: the columns, then the rows, cells separated by |, NULL for
// nil.
func table(columns string, rows ...string) Rows {
	r := Rows{Columns: strings.Split(columns, "|")}
	for _, row := range rows {
		var cells []*string
		for _, c := range strings.Split(row, "|") {
			if c == "NULL" {
				cells = append(cells, nil)
			} else {
				cells = append(cells, &c)
			}
		}
		r.Values = append(r.Values, cells)
	}
	return r
}

const (
	user  = "SELECT u FROM t WHERE n = ?"
	super = "SELECT s FROM t WHERE n = ?"
	acl   = "SELECT a FROM t WHERE n = ?"
	each  = "SELECT a FROM t WHERE n = ? AND rw & ?"
)

func config(u, s, a string, checks backends.Checks) Config {
	return Config{Place: "MySQL at db:3306/mqtt", Checks: checks,
		User: Query{Option: "mysql_userquery", Text: u}, Super: Query{Option: "mysql_superquery", Text: s},
		ACL: Query{Option: "mysql_aclquery", Text: a}}
}

func section(rules ...backends.Rule) []backends.Section { return []backends.Section{rules} }

func TestAccount(t *testing.T) {
	down := errors.New("connection refused")
	account := func(hash string) backends.Account { return backends.Account{Hash: hash} }
	rules := func(hash string, rules ...backends.Rule) backends.Account {
		return backends.Account{Hash: hash, Sections: section(rules...)}
	}
	userRow, noUser := table("h", "hash"), table("h")
	plug := config(user, "", "", backends.AllChecks)
	plug.User.AuthPlug = true
	toAll := config(user, "", "", backends.AllChecks)
	const named = "SELECT u, n FROM t WHERE n = ?"
	rulesOnly := backends.Lookup{Name: "sam", RulesOnly: true}

	tests := []struct {
		name   string
		config Config
		lookup backends.Lookup
		rows   map[string]Rows
		fail   map[string]error
		want   backends.Account
		err    error  // that the error is
		text   string // that the error contains
		asked  int
	}{
		{name: "user", config: plug, rows: map[string]Rows{user: userRow}, want: account("hash"), asked: 1},
		{name: "first row counts", config: plug, rows: map[string]Rows{user: table("h", "one", "two")}, want: account("one"), asked: 1},
		{name: "NULL hash", config: plug, rows: map[string]Rows{user: table("h", "NULL")}, want: account(""), asked: 1},
		{name: "no user", config: plug, rows: map[string]Rows{user: noUser}, err: backends.ErrNoUser, asked: 1},
		{name: "canonical name", config: plug, rows: map[string]Rows{user: table("h|n", "hash|sam")},
			want: backends.Account{Name: "sam", Hash: "hash"}, asked: 1},
		{name: "canonical name in other case", config: plug, rows: map[string]Rows{user: table("h|n", "hash|Sam")}, err: backends.ErrNoUser, asked: 1},
		{name: "canonical name padded", config: plug, rows: map[string]Rows{user: table("h|n", "hash|sam ")}, err: backends.ErrNoUser, asked: 1},
		{name: "canonical name NULL", config: plug, rows: map[string]Rows{user: table("h|n", "hash|NULL")}, err: backends.ErrNoUser, asked: 1},
		{name: "three columns", config: plug, rows: map[string]Rows{user: table("h|n|x")}, text: "returns 3 columns", asked: 1},
		{name: "server down", config: plug, fail: map[string]error{user: down}, err: down,
			text: "asking MySQL at db:3306/mqtt (mysql_userquery): connection refused", asked: 1},
		{name: "no such character", config: plug, fail: map[string]error{user: ErrNoMatch}, err: backends.ErrNoUser, asked: 1},
		{name: "not UTF-8", config: plug, lookup: backends.Lookup{Name: "sam\xff"}, err: backends.ErrNoUser},
		{name: "client id not UTF-8", config: plug, lookup: backends.Lookup{Name: "sam", ClientID: "\xff"}, err: backends.ErrNoUser},

		{name: "superuser, rules not fetched", config: config(user, super, acl, backends.AllChecks),
			rows: map[string]Rows{user: userRow, super: table("c", "2")}, want: backends.Account{Hash: "hash", Super: true}, asked: 2},
		{name: "super 0", config: config(user, super, acl, backends.AllChecks),
			rows: map[string]Rows{user: userRow, super: table("c", "0"), acl: table("t")}, want: account("hash"), asked: 3},
		{name: "super negative", config: config(user, super, acl, backends.AllChecks),
			rows: map[string]Rows{user: userRow, super: table("c", "-1"), acl: table("t")}, want: account("hash"), asked: 3},
		{name: "super NULL", config: config(user, super, acl, backends.AllChecks),
			rows: map[string]Rows{user: userRow, super: table("c", "NULL"), acl: table("t")}, want: account("hash"), asked: 3},
		{name: "super without row", config: config(user, super, acl, backends.AllChecks),
			rows: map[string]Rows{user: userRow, super: table("c"), acl: table("t")}, want: account("hash"), asked: 3},
		{name: "super not a number", config: config(user, super, acl, backends.AllChecks),
			rows: map[string]Rows{user: userRow, super: table("c", "yes")}, text: `(mysql_superquery): column "c" does not hold a whole number`, asked: 2},
		{name: "super two columns", config: config(user, super, acl, backends.AllChecks),
			rows: map[string]Rows{user: userRow, super: table("c|d")}, text: "returns 2 columns", asked: 2},
		{name: "super not registered", config: config(user, super, acl, backends.CheckUser|backends.CheckACL),
			rows: map[string]Rows{user: userRow, acl: table("t")}, want: account("hash"), asked: 2},

		{name: "no aclquery", config: toAll, rows: map[string]Rows{user: userRow},
			want: backends.Account{Hash: "hash", AllowAll: true}, asked: 1},
		{name: "no aclquery, acl not registered", config: config(user, "", "", backends.CheckUser),
			rows: map[string]Rows{user: userRow}, want: account("hash"), asked: 1},
		{name: "one column grants everything", config: config(user, "", acl, backends.AllChecks),
			rows: map[string]Rows{user: userRow, acl: table("t", "a/#", "NULL", "")},
			want: rules("hash", backends.Rule{Pattern: "a/#", Access: backends.All}), asked: 2},
		{name: "bit mask", config: config(user, "", acl, backends.AllChecks),
			rows: map[string]Rows{user: userRow, acl: table("t|rw", "a|1", "b|0", "c|NULL", "NULL|7", "d|6", "a|4")},
			want: rules("hash", backends.Rule{Pattern: "a", Access: backends.Read | backends.Subscribe},
				backends.Rule{Pattern: "d", Access: backends.Write | backends.Subscribe}), asked: 2},
		{name: "bit mask 8", config: config(user, "", acl, backends.AllChecks),
			rows: map[string]Rows{user: userRow, acl: table("t|rw", "a|1", "b|8")}, text: `(mysql_aclquery): column "rw" holds something else`, asked: 2},
		{name: "bit mask -1", config: config(user, "", acl, backends.AllChecks),
			rows: map[string]Rows{user: userRow, acl: table("t|rw", "b|-1")}, text: `column "rw"`, asked: 2},
		{name: "bit mask rw", config: config(user, "", acl, backends.AllChecks),
			rows: map[string]Rows{user: userRow, acl: table("t|rw", "b|rw")}, text: `column "rw"`, asked: 2},
		{name: "acl three columns", config: config(user, "", acl, backends.AllChecks),
			rows: map[string]Rows{user: userRow, acl: table("t|rw|x")}, text: "returns 3 columns", asked: 2},
		{name: "acl down", config: config(user, "", acl, backends.AllChecks),
			rows: map[string]Rows{user: userRow}, fail: map[string]error{acl: down}, err: down, asked: 2},

		{name: "rules only", config: config(user, super, acl, backends.AllChecks), lookup: backends.Lookup{Name: "sam", RulesOnly: true},
			rows: map[string]Rows{super: table("c", "0"), acl: table("t|rw", "a|1")},
			want: rules("", backends.Rule{Pattern: "a", Access: backends.Read}), asked: 2},
		{name: "rules only, nothing", config: config(user, super, acl, backends.AllChecks), lookup: backends.Lookup{Name: "sam", RulesOnly: true},
			rows: map[string]Rows{super: table("c", "0"), acl: table("t|rw", "a|0")}, err: backends.ErrNoUser, asked: 2},
		{name: "rules only, super", config: config(user, super, acl, backends.AllChecks), lookup: backends.Lookup{Name: "sam", RulesOnly: true},
			rows: map[string]Rows{super: table("c", "1")}, want: backends.Account{Super: true}, asked: 1},
		{name: "rules only, no aclquery", config: toAll, lookup: backends.Lookup{Name: "sam", RulesOnly: true},
			rows: map[string]Rows{user: userRow}, want: backends.Account{AllowAll: true}, asked: 1},
		{name: "rules only, no aclquery, no user", config: toAll, lookup: backends.Lookup{Name: "sam", RulesOnly: true},
			rows: map[string]Rows{user: noUser}, err: backends.ErrNoUser, asked: 1},
		{name: "rules only, auth-plug without aclquery", config: plug, lookup: backends.Lookup{Name: "sam", RulesOnly: true}, err: backends.ErrNoUser},
		{name: "rules only, the name is right", config: config(named, super, acl, backends.AllChecks), lookup: rulesOnly,
			rows: map[string]Rows{named: table("h|n", "hash|sam"), super: table("c", "0"), acl: table("t", "a")},
			want: backends.Account{Name: "sam", Sections: section(backends.Rule{Pattern: "a", Access: backends.All})}, asked: 3},
		{name: "rules only, another spelling", config: config(named, super, acl, backends.AllChecks), lookup: rulesOnly,
			rows: map[string]Rows{named: table("h|n", "hash|Sam"), super: table("c", "1"), acl: table("t", "a")}, err: backends.ErrNoUser, asked: 1},
		{name: "rules only, another spelling, user not registered", config: config(named, super, acl, backends.CheckSuperuser|backends.CheckACL),
			rows: map[string]Rows{named: table("h|n", "hash|Sam"), super: table("c", "1"), acl: table("t", "a")}, err: backends.ErrNoUser, asked: 1},
		{name: "rules only, no row", config: config(named, super, acl, backends.AllChecks), lookup: rulesOnly,
			rows: map[string]Rows{named: table("h|n"), super: table("c", "0"), acl: table("t", "a")},
			want: rules("", backends.Rule{Pattern: "a", Access: backends.All}), asked: 3},
		{name: "rules only, guard down", config: config(named, super, acl, backends.AllChecks), lookup: rulesOnly,
			fail: map[string]error{named: down}, err: down, asked: 1},
		{name: "rules only, one column of *", config: config("SELECT * FROM t WHERE n = ?", "", acl, backends.AllChecks), lookup: rulesOnly,
			rows: map[string]Rows{"SELECT * FROM t WHERE n = ?": userRow, acl: table("t", "a")},
			want: rules("", backends.Rule{Pattern: "a", Access: backends.All}), asked: 2},
		{name: "several spellings", config: config(named, "", acl, backends.AllChecks),
			rows: map[string]Rows{named: table("h|n", "no|Sam", "hash|sam", "no|SAM"), acl: table("t")},
			want: backends.Account{Name: "sam", Hash: "hash"}, asked: 2},
		{name: "no such character in the rules", config: config(user, super, acl, backends.AllChecks),
			rows: map[string]Rows{user: userRow, acl: table("t", "a")}, fail: map[string]error{super: ErrNoMatch},
			want: rules("hash", backends.Rule{Pattern: "a", Access: backends.All}), asked: 3},
		{name: "password only", config: config(user, super, acl, backends.AllChecks), lookup: backends.Lookup{Name: "sam", PasswordOnly: true},
			rows: map[string]Rows{user: userRow}, want: account("hash"), asked: 1},
		{name: "password only, no aclquery", config: toAll, lookup: backends.Lookup{Name: "sam", PasswordOnly: true},
			rows: map[string]Rows{user: userRow}, want: account("hash"), asked: 1},
		{name: "password only, no user", config: config(user, super, acl, backends.AllChecks), lookup: backends.Lookup{Name: "sam", PasswordOnly: true},
			rows: map[string]Rows{user: noUser}, err: backends.ErrNoUser, asked: 1},
		{name: "password only, user not registered", config: config(user, "", acl, backends.CheckACL),
			lookup: backends.Lookup{Name: "sam", PasswordOnly: true}, err: backends.ErrNoUser},
		{name: "user not registered", config: config(user, "", acl, backends.CheckACL),
			rows: map[string]Rows{acl: table("t", "a")}, want: rules("", backends.Rule{Pattern: "a", Access: backends.All}), asked: 1},
	}
	for _, tt := range tests {
		q := &script{answers: map[string]Rows{}, fail: map[string]error{}}
		for k, v := range tt.rows {
			q.answers[k+" [sam]"] = v
		}
		for k, v := range tt.fail {
			q.fail[k+" [sam]"] = v
		}
		if tt.lookup.Name == "" {
			tt.lookup.Name = "sam"
		}
		check := func(t *testing.T, q Querier) {
			s, _, err := New(tt.config, q)
			if err != nil {
				t.Fatal(err)
			}
			got, err := s.Account(t.Context(), tt.lookup)
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
			wantErr := tt.err != nil || tt.text != ""
			if (err != nil) != wantErr || tt.err != nil && !errors.Is(err, tt.err) {
				t.Fatalf("error %v, want %v %s", err, tt.err, tt.text)
			}
			if wantErr && !strings.Contains(err.Error(), tt.text) {
				t.Errorf("error %q, want %q", err, tt.text)
			}
			if tt.text != "" && errors.Is(err, backends.ErrNoUser) {
				t.Error("an outage is taken for an unknown user")
			}
		}
		t.Run(tt.name, func(t *testing.T) {
			check(t, q)
			if len(q.asked) != tt.asked {
				t.Errorf("asked %q, want %d statements", q.asked, tt.asked)
			}
		})
		t.Run(tt.name+", at once", func(t *testing.T) { // the same answers
			b := &batches{script: q}
			check(t, b)
			want := 1
			for _, err := range tt.fail {
				if errors.Is(err, ErrNoMatch) && tt.asked > 1 {
					want = 2 // the server broke off
				}
			}
			if len(b.sizes) > want || tt.asked > 1 && len(b.sizes) != want {
				t.Errorf("asked in batches of %d, want %d batches", b.sizes, want)
			}
		})
	}
}

func TestEachRight(t *testing.T) {
	q := &script{answers: map[string]Rows{
		user + " [sam]":   table("h", "hash"),
		each + " [sam 1]": table("t", "a", "b"),
		each + " [sam 2]": table("t", "b"),
		each + " [sam 4]": table("t", "c", "a"),
	}}
	b := &batches{script: q}
	s, _, err := New(config(user, "", each, backends.AllChecks), b)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Account(t.Context(), backends.Lookup{Name: "sam"}); err != nil || !reflect.DeepEqual(b.sizes, []int{4}) {
		t.Fatalf("asked in batches of %d, want one of 4; error %v", b.sizes, err)
	}
	if s, _, err = New(config(user, "", each, backends.AllChecks), q); err != nil {
		t.Fatal(err)
	}
	got, err := s.Account(t.Context(), backends.Lookup{Name: "sam"})
	if err != nil {
		t.Fatal(err)
	}
	want := section(backends.Rule{Pattern: "a", Access: backends.Read | backends.Subscribe},
		backends.Rule{Pattern: "b", Access: backends.Read | backends.Write},
		backends.Rule{Pattern: "c", Access: backends.Subscribe})
	if !reflect.DeepEqual(got.Sections, want) {
		t.Errorf("got %+v, want %+v", got.Sections, want)
	}
	q.answers[each+" [sam 4]"] = table("t|rw", "c|4")
	if _, err = s.Account(t.Context(), backends.Lookup{Name: "sam"}); err == nil || !strings.Contains(err.Error(), "returns 2 columns") {
		t.Errorf("two columns with the access bound: error %v", err)
	}
}

func TestTooManyRules(t *testing.T) {
	all := Rows{Columns: []string{"t"}}
	topic := "a"
	for range maxRules + 1 {
		all.Values = append(all.Values, []*string{&topic})
	}
	q := &script{answers: map[string]Rows{user + " [sam]": table("h", "hash"), acl + " [sam]": all}}
	s, _, err := New(config(user, "", acl, backends.AllChecks), q)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = s.Account(t.Context(), backends.Lookup{Name: "sam"}); err == nil || !strings.Contains(err.Error(), "more than 100000 rows") {
		t.Errorf("error %v", err)
	}
}

func TestNew(t *testing.T) {
	plug := config("SELECT h FROM t WHERE n = '%s'", "", "", backends.AllChecks)
	plug.User.AuthPlug = true
	tests := []struct {
		name     string
		config   Config
		provides backends.Checks
		note     string
		faults   []string
	}{
		{"everything", config(user, super, acl, backends.AllChecks), backends.AllChecks, "", nil},
		{"no superquery", config(user, "", acl, backends.AllChecks), backends.CheckUser | backends.CheckACL, "", nil},
		{"no aclquery", config(user, "", "", backends.AllChecks), backends.CheckUser | backends.CheckACL, "everything is allowed to every user", nil},
		{"auth-plug without aclquery", plug, backends.CheckUser | backends.CheckACL, "nothing is allowed", nil},
		{"user only", config(user, super, acl, backends.CheckUser), backends.CheckUser, "", nil},
		{"acl only", config("", super, acl, backends.CheckACL), backends.CheckACL, "", nil},
		{"by size", config(user, "", "SELECT t FROM a WHERE n = ? AND rw >= ?", backends.AllChecks), backends.CheckUser | backends.CheckACL,
			"SELECT t, rw FROM a WHERE n = ?", nil},
		{"no userquery", config("", "", acl, backends.AllChecks), 0, "", []string{"mysql_userquery: is missing; write the statement"}},
		{"acl only without queries", config("", "", "", backends.CheckACL), 0, "", []string{"mysql_userquery: is missing, and so is mysql_aclquery"}},
		{"faults together", config("SELECT 1", "SELECT '", acl, backends.AllChecks), 0, "",
			[]string{"mysql_userquery: the query does not use the user name", "mysql_superquery: a quotation mark"}},
		{"unused queries are not read", config(user, "SELECT '", "SELECT '", backends.CheckUser), backends.CheckUser, "", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, notes, err := New(tt.config, &script{})
			var faults conf.Faults
			if errors.As(err, &faults); len(faults) != len(tt.faults) {
				t.Fatalf("faults %v, want %q", faults, tt.faults)
			}
			for i, f := range faults {
				if !strings.Contains(f.String(), tt.faults[i]) {
					t.Errorf("fault %q, want %q", f, tt.faults[i])
				}
			}
			if err != nil {
				return
			}
			if got := s.Provides(); got != tt.provides {
				t.Errorf("provides %b, want %b", got, tt.provides)
			}
			if got := strings.Join(notes, "\n"); !strings.Contains(got, tt.note) || (got == "") != (tt.note == "") {
				t.Errorf("notes %q, want %q", got, tt.note)
			}
		})
	}
}

func TestSample(t *testing.T) {
	tests := []struct{ query, table, column string }{
		{"SELECT h FROM users WHERE username = ? LIMIT 1", "users", "username"},
		{"select h from `my db`.users where ((users.`name` = ?)) and active = 1", "`my db`.users", "users.`name`"},
		{"SELECT h FROM users u WHERE u.name = ?", "", ""},
		{"SELECT h FROM users JOIN x WHERE name = ?", "", ""},
		{"SELECT h FROM users WHERE active = 1 AND name = ?", "", ""},
		{"SELECT h FROM users WHERE name = ? COLLATE utf8mb4_bin", "", ""},
		{"SELECT h FROM users WHERE BINARY name = ?", "", ""},
		{"SELECT h FROM users WHERE name = ? AND name LIKE ?", "", ""},
		{"SELECT t FROM acls WHERE id = (SELECT id FROM users WHERE name = ?)", "users", "name"},
		{"SELECT h FROM users WHERE name LIKE ?", "", ""},
		{"SELECT ? FROM users WHERE", "", ""},
		{"SELECT ? FROM", "", ""},
	}
	for _, tt := range tests {
		tokens, err := lex(MySQL, tt.query)
		s := &Statement{tokens: tokens}
		for i := range tokens {
			if tokens[i].kind == placeholder {
				tokens[i].param = Name
			}
		}
		if err != nil {
			t.Fatal(err)
		}
		if table, column, _ := s.table(); table != tt.table || column != tt.column {
			t.Errorf("%s: %q, %q", tt.query, table, column)
		}
	}
}

func TestColumns(t *testing.T) {
	tests := []struct {
		query string
		want  int
	}{
		{"SELECT h FROM t WHERE n = ?", 1},
		{"select h, n FROM t WHERE n = ?", 2},
		{"SELECT DISTINCT COALESCE(h, g), `n, m` /* , */ FROM t WHERE n = ?", 2},
		{"SELECT CONCAT('a, ', h) FROM t WHERE n IN (?, 'x')", 1},
		{"SELECT (SELECT 1 FROM u) FROM t WHERE n = ?", 1},
		{"SELECT COUNT(*) FROM t WHERE n = ?", 1},
		{"SELECT 2*3 FROM t WHERE n = ?", 1},
		{"SELECT f(?)", 1},
		{"SELECT * FROM t WHERE n = ?", 0},
		{"SELECT t.* FROM t WHERE n = ?", 0},
		{"WITH x AS (SELECT 1) SELECT h FROM t WHERE n = ?", 0},
		{"(SELECT h FROM t WHERE n = ?)", 0},
	}
	for _, tt := range tests {
		s, err := Parse(MySQL, UserQuery, Query{Text: tt.query})
		if err != nil {
			t.Fatal(err)
		}
		if got := s.columns(); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.query, got, tt.want)
		}
	}
}
