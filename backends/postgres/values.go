package postgres

import (
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"mosquitto-go-auth/backends/sqldb"
)

// read returns the first rows of an answer. What the reader holds is valid only
// until its next row.
func read(from *pgconn.ResultReader, limit int) (rows sqldb.Rows, err error) {
	fields := from.FieldDescriptions()
	types := make([]uint32, len(fields))
	for i, f := range fields {
		rows.Columns = append(rows.Columns, f.Name)
		types[i] = f.DataTypeOID
	}
	var fault error
	for from.NextRow() {
		if len(rows.Values) >= limit || fault != nil {
			continue // the end of the answer must be read
		}
		row := make([]*string, len(types))
		for i, cell := range from.Values() {
			if cell != nil {
				text := decode(types[i], string(cell))
				row[i] = &text
			}
		}
		fault = rows.Add(row)
	}
	if _, err = from.Close(); err == nil {
		err = fault
	}
	return rows, err
}

// decode turns the text form of a value into what it means.
func decode(oid uint32, text string) string {
	switch oid {
	case pgtype.BoolOID:
		if text == "t" {
			return "1"
		}
		return "0"
	case pgtype.BPCharOID:
		return strings.TrimRight(text, " ") // char(n) is filled up with blanks that mean nothing
	case pgtype.ByteaOID:
		return byteString(text)
	}
	return text
}

// byteString reads both text forms of a bytea: \x6869, and the older one, in which
// \\ is a backslash and \123 an octal number.
func byteString(text string) string {
	if digits, ok := strings.CutPrefix(text, `\x`); ok {
		if raw, err := hex.DecodeString(digits); err == nil {
			return string(raw)
		}
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] == '\\' && i+3 < len(text) {
			if n, err := strconv.ParseUint(text[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		if text[i] == '\\' {
			i++
		}
		if i < len(text) {
			b.WriteByte(text[i])
		}
	}
	return b.String()
}
