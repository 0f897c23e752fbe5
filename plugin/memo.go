package plugin

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"sync"
	"time"
)

// mac is a keyed digest: it stands for secrets without giving them away.
type mac [sha256.Size]byte

// macKey is a random key that never leaves the process, ready for use by any
// goroutine.
type macKey struct{ ready *sync.Pool }

// macSum computes one digest at a time.
type macSum struct {
	hash hash.Hash
	text []byte
}

func newMACKey() macKey {
	k := make([]byte, 32)
	rand.Read(k) // never fails (crypto/rand)
	return macKey{&sync.Pool{New: func() any { return &macSum{hash: hmac.New(sha256.New, k)} }}}
}

// sum digests fields so that no two different lists of fields give the same:
// each goes in with its length.
func (k macKey) sum(fields ...string) (m mac) {
	s := k.ready.Get().(*macSum)
	for _, f := range fields {
		s.text = binary.BigEndian.AppendUint64(s.text, uint64(len(f)))
		s.text = append(s.text, f...)
	}
	s.hash.Write(s.text)
	clear(s.text) // it may hold a password
	s.text = s.text[:0]
	s.hash.Sum(m[:0])
	s.hash.Reset()
	k.ready.Put(s)
	return m
}

// memo remembers that a stored hash has verified a password. That is true for
// ever, so it is never stale: whether the account still has that hash is asked
// of the store at every login. It is bounded in number and time, and safe for
// concurrent use.
type memo struct {
	key     macKey
	mu      sync.Mutex
	entries recent[mac]
}

func newMemo(key macKey, life time.Duration, size int) *memo {
	return &memo{key: key, entries: newRecent[mac](life, size)}
}

// entry returns what stands for a hash and a password in the memo.
func (m *memo) entry(hash, password string) mac { return m.key.sum("memo", hash, password) }

// verified tells whether the hash has verified the password.
func (m *memo) verified(entry mac) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.entries.has(entry)
}

// add remembers it. Only a hash that was computed may lead here, so that an
// entry is not prolonged by its use.
func (m *memo) add(entry mac) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.entries.add(entry)
}
