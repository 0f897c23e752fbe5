package conf

import (
	"slices"
	"testing"
)

func TestGone(t *testing.T) {
	s := NewSet()
	s.RefusePrefix("no such backend", "pg_")
	s.Refuse("use a file", "psk")
	s.Retire("not needed", "cache_type", "cache")
	want := []Gone{
		{Name: "cache", Why: "not needed"},
		{Name: "cache_type", Why: "not needed"},
		{Name: "psk", Refused: true, Why: "use a file"},
		{Name: "pg_", Prefix: true, Refused: true, Why: "no such backend"},
	}
	if got := s.Gone(); !slices.Equal(got, want) {
		t.Errorf("got %+v", got)
	}
	for _, test := range []struct {
		gone Gone
		name string
		want bool
	}{
		{want[0], "cache", true},
		{want[0], "cache_type", false},
		{want[3], "pg_host", true},
		{want[3], "pg", false},
	} {
		if got := test.gone.Is(test.name); got != test.want {
			t.Errorf("%+v speaks of %s: %v", test.gone, test.name, got)
		}
	}
}

func TestNamed(t *testing.T) {
	s := NewSet()
	var a, b string
	s.Also(s.String(&a, "a_host", "", ""), "host")
	s.Also(s.Secret(s.String(&b, "b_pass", "", "")), "host")
	for _, test := range []struct {
		name string
		want []string
	}{
		{"a_host", []string{"a_host"}},
		{"host", []string{"a_host", "b_pass"}},
		{"b_pass_file", []string{"b_pass"}},
		{"host_file", []string{"b_pass"}},
		{"c", nil},
	} {
		var got []string
		for _, o := range s.Named(test.name) {
			got = append(got, o.Name)
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}
