package mysql

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"mosquitto-go-auth/test/stall"
)

// What a server may answer with, and how it reads as text.
func TestCells(t *testing.T) {
	p := open(t, newServer(t).options()+samQuery).Backend.(*MySQL).pool
	tests := []struct{ sql, want string }{
		{"5", "5"},
		{"-1", "-1"},
		{"CAST(7 AS UNSIGNED)", "7"},
		{"18446744073709551615", "18446744073709551615"},
		{"TRUE", "1"},
		{"5.0", "5.0"},
		{"CAST(5 AS DOUBLE)", "5"},
		{"CAST(0.5 AS FLOAT)", "0.5"},
		{"'é'", "é"},
		{"''", ""},
		{"X'00ff'", "\x00\xff"},
		{"DATE '2026-01-02'", "2026-01-02"},
		{"NULL", "NULL"},
	}
	for _, tt := range tests {
		rows, err := p.Query(ctxOf(t), "SELECT "+tt.sql+" AS cell WHERE ? = 'a'", []any{"a"}, 10)
		if err != nil || len(rows.Values) != 1 || strings.Join(rows.Columns, ",") != "cell" {
			t.Errorf("%s: %v, %v", tt.sql, rows, err)
			continue
		}
		got := "NULL"
		if cell := rows.Values[0][0]; cell != nil {
			got = *cell
		}
		if got != tt.want {
			t.Errorf("%s: %q, want %q", tt.sql, got, tt.want)
		}
	}
}

// A statement ends with its caller's time, and the next one, over another
// connection, gets its own answer.
func TestBrokenOff(t *testing.T) {
	p := open(t, newServer(t).options()+samQuery).Backend.(*MySQL).pool
	const slow, quick = "SELECT SLEEP(5), ?", "SELECT ?"
	for _, end := range []struct {
		how  string
		ctx  func() (context.Context, context.CancelFunc)
		want error
	}{
		{"deadline", func() (context.Context, context.CancelFunc) {
			return context.WithTimeout(t.Context(), 50*time.Millisecond)
		}, context.DeadlineExceeded},
		{"cancel", func() (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(50*time.Millisecond, cancel)
			return ctx, cancel
		}, context.Canceled},
	} {
		ctx, cancel := end.ctx()
		clock := stall.Start()
		_, err := p.Query(ctx, slow, []any{"x"}, 1)
		cancel()
		if took := clock.Took(); !errors.Is(err, end.want) || took > 2*time.Second {
			t.Errorf("%s: %v after %v", end.how, err, took)
		}
		for range 20 {
			rows, err := p.Query(ctxOf(t), quick, []any{"right"}, 1)
			if err != nil || *rows.Values[0][0] != "right" {
				t.Errorf("%s: then %v, %v", end.how, rows, err)
			}
		}
	}
}

// A time that ends just as the answer comes spoils no connection for others.
func TestEndsWithTheAnswer(t *testing.T) {
	p := open(t, newServer(t).options()+"mysql_max_open_conns 1\n"+samQuery).Backend.(*MySQL).pool
	for n := range 300 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(n)*time.Microsecond)
		_, _ = p.Query(ctx, "SELECT ?", []any{"early"}, 1) // in time or not
		cancel()
		rows, err := p.Query(ctxOf(t), "SELECT ?", []any{"right"}, 1)
		if err != nil || *rows.Values[0][0] != "right" {
			t.Fatalf("after %d µs: %v, %v", n, rows, err)
		}
	}
}
