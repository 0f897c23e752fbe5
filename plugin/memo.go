package plugin

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"sync"
	"time"
)

// mac is a keyed digest: it stands for secrets without giving them away.
type mac [sha256.Size]byte

// macKey is a random key that never leaves the process.
type macKey []byte

func newMACKey() macKey {
	k := make(macKey, 32)
	rand.Read(k) // never fails (crypto/rand)
	return k
}

// sum digests fields so that no two different lists of fields give the same:
// each goes in with its length.
func (k macKey) sum(fields ...string) (m mac) {
	h := hmac.New(sha256.New, k)
	for _, f := range fields {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(f)))
		h.Write(n[:])
		h.Write([]byte(f))
	}
	h.Sum(m[:0])
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
