package redis

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"

	"mosquitto-go-auth/backends"
)

// What a reply may have. The client library makes room for what a server merely
// announces, so a broken one could end the broker with a single line.
const (
	maxValues = 1 << 18  // in all arrays together; an account has far fewer
	maxBytes  = 32 << 20 // in all strings together
	maxDepth  = 32       // arrays in arrays; the library recurses
	maxLine   = 64 << 10
)

var (
	errReply = errors.New("what the server sends is no answer of Redis")
	errLarge = fmt.Errorf("%w: the server's answer is too large", backends.ErrBadAnswer)
)

// replies reads along what a server sends (RESP2, redis.io/docs/latest/develop/reference/protocol-spec),
// and finds what is no reply, or one that is too large. It takes no more time than
// the bytes that came, nor more room than a line.
type replies struct {
	line  []byte // the beginning of one that has not ended
	skip  int    // bytes of a string and its line's end that are still to come
	wants []int  // how many values each array that has begun still wants, the outermost first

	values, bytes int                          // of the reply that has begun
	told          func(kind byte, line []byte) // the first line of each reply; may be nil
}

// read takes the next bytes.
func (r *replies) read(p []byte) error {
	for len(p) > 0 {
		if r.skip > 0 {
			n := min(r.skip, len(p))
			if r.skip, p = r.skip-n, p[n:]; r.skip == 0 {
				r.ended()
			}
			continue
		}
		line, rest, whole := bytes.Cut(p, []byte("\n"))
		if r.line = append(r.line, line...); len(r.line) > maxLine {
			return errReply
		}
		if !whole {
			return nil
		}
		line, p = r.line, rest
		r.line = r.line[:0]
		if err := r.value(line); err != nil {
			return err
		}
	}
	return nil
}

// value takes a line, without its LF.
func (r *replies) value(line []byte) error {
	line, ok := bytes.CutSuffix(line, []byte("\r"))
	if !ok || len(line) == 0 {
		return errReply
	}
	kind, rest := line[0], line[1:]
	if r.told != nil && len(r.wants) == 0 {
		r.told(kind, rest)
	}
	switch kind {
	case '+', '-', ':':
		r.ended()
		return nil
	case '$', '*':
	default:
		return errReply
	}
	n, err := strconv.Atoi(string(rest))
	switch {
	case err != nil && !errors.Is(err, strconv.ErrRange), n < -1, err == nil && strconv.Itoa(n) != string(rest):
		return errReply
	case n == -1 || kind == '*' && n == 0:
		r.ended()
		return nil
	case kind == '$':
		return r.text(n)
	}
	return r.array(n)
}

func (r *replies) text(n int) error {
	if n > maxBytes-r.bytes {
		return errLarge
	}
	r.bytes, r.skip = r.bytes+n, n+2
	return nil
}

func (r *replies) array(n int) error {
	if n > maxValues-r.values || len(r.wants) == maxDepth {
		return errLarge
	}
	r.values, r.wants = r.values+n, append(r.wants, n)
	return nil
}

// ended counts a value, and each array that it completes.
func (r *replies) ended() {
	for last := len(r.wants) - 1; last >= 0; last-- {
		if r.wants[last]--; r.wants[last] > 0 {
			return
		}
		r.wants = r.wants[:last]
	}
	r.values, r.bytes = 0, 0
}
