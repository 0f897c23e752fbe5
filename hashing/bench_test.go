package hashing

import "testing"

// BenchmarkVerify verifies a wrong password against what is stored in practice.
func BenchmarkVerify(b *testing.B) {
	for _, bench := range []struct {
		name, stored string
		salt         SaltEncoding
	}{
		{"bcrypt-10", "$2a$10$abcdefghijklmnopqrstuu5Lo0g67CiD3M4RpN1BmBb4Crp5w7dbK", SaltAny},
		{"pbkdf2-sha512-100000", "PBKDF2$sha512$100000$AAECAwQFBgcICQoLDA0ODw==$+94U0zjMb4IQV/P0p4rCC8cBsR43qTs3kMNRDgGUc/OPTg3urMJHGdNE02yaxk3bvpl6gNWHX6nMkWFQcgrWzg==", SaltBase64},
		{"pbkdf2-sha512-100000-any-salt", "PBKDF2$sha512$100000$AAECAwQFBgcICQoLDA0ODw==$+94U0zjMb4IQV/P0p4rCC8cBsR43qTs3kMNRDgGUc/OPTg3urMJHGdNE02yaxk3bvpl6gNWHX6nMkWFQcgrWzg==", SaltAny},
		{"pbkdf2-sha256-901", "PBKDF2$sha256$901$8ebTR72Pcmjl3cYq$/fgPSaWuRUJZhj1Q0js3hgtrz3mCfiH9", SaltText},
		{"argon2id-19456-2-1", "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$cpx6VEQbwTVZvcpxNIxOVUWZ5xnAipUmAe1cg2GMG70", SaltAny},
		{"argon2id-4096-3-2", "$argon2id$v=19$m=4096,t=3,p=2$c29tZXNhbHQ$cpx6VEQbwTVZvcpxNIxOVUWZ5xnAipUmAe1cg2GMG70", SaltAny},
		{"scrypt-16-8-1", "$scrypt$ln=16,r=8,p=1$aM15713r3Xsvxbi31lqr1Q$nFNh2CVHVjNldFVKDHDlm4CbdRSCdEBsjjJxD+iCs5E", SaltAny},
		{"sha512-crypt-5000", "$6$saltstring$adDbXsJjcDlq2662QPgd.tkSOVmnG9Tt3oXl4HR60SusC3AGjirnDenVZp3DGwLwqy6iYKCzannhaX9DR72nN1", SaltAny},
		{"scram-sha-256-4096", "SCRAM-SHA-256$4096:eunCNDYK8IYjJQW+kx/qzQ==$hgZqeUGotpZllhou31WHDlev7Weny1RLDsqq3s+CJ/I=:uN33n58t/qRCSCkP/f6Q/hpEVo6Q/JkroWXWHeq4grc=", SaltAny},
		{"mosquitto-sha512", "$6$lwiuA33SCmaKzpnG$UxW/aeERlbosZy5ODYR2qMOMdpLfivj1mdwre03piRzwbQiKqQC5cP/i2ITMgzLQARwqflL2VwZ7/JfcbGXH4g==", SaltAny},
		{"mosquitto-pbkdf2-101", "$7$101$fPaFHlaOpITRPEbb$hU3oOf6DSBtjvwnEVCt2s9QvogN/ph61wvy2cLO+E1VJdcl+KPgU5fdlF8cT6acrD46C1bBzp9nNO9IJVrw8aA==", SaltAny},
	} {
		b.Run(bench.name, func(b *testing.B) {
			h, err := Parse(bench.stored, bench.salt, DefaultLimits())
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				h.Verify("wrong")
			}
		})
	}
}

// BenchmarkParse reads a stored hash, as every login does.
func BenchmarkParse(b *testing.B) {
	const stored = "PBKDF2$sha512$100000$AAECAwQFBgcICQoLDA0ODw==$+94U0zjMb4IQV/P0p4rCC8cBsR43qTs3kMNRDgGUc/OPTg3urMJHGdNE02yaxk3bvpl6gNWHX6nMkWFQcgrWzg=="
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(stored, SaltAny, DefaultLimits()); err != nil {
			b.Fatal(err)
		}
	}
}
