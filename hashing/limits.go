package hashing

// Limits are upper bounds on what a stored hash may ask for. Who can write one
// row could otherwise occupy a processor, or all memory, with every login.
// The zero Limits refuse every hash that has a cost.
type Limits struct {
	BcryptCost       int // binary logarithm of the rounds, 4 to 31
	PBKDF2Iterations int // counted once for every block of the key that the digest has to fill
	Argon2Memory     int // KiB
	Argon2Time       int // passes over the memory
	ScryptMemory     int // KiB, counted once for each p: 128·N·r·p bytes
	SHACryptRounds   int
}

// DefaultLimits leave room for what is recommended today and some years to
// come: a hash at one of them takes seconds to verify.
func DefaultLimits() Limits {
	return Limits{
		BcryptCost:       15,
		PBKDF2Iterations: 5_000_000,
		Argon2Memory:     256 * 1024,
		Argon2Time:       10,
		ScryptMemory:     256 * 1024,
		SHACryptRounds:   1_000_000,
	}
}

// within returns an error if a hash asks for more than the limit that the
// option sets.
func within(scheme, what string, asked, limit int, option string) error {
	if asked <= limit {
		return nil
	}
	return &Refusal{ErrTooCostly, scheme, "it asks for " + what + " than the option " + option + " allows"}
}
