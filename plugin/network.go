package plugin

import "net/netip"

// networkOf is what an address counts as where addresses are to share: an IPv6
// client has a network of 2⁶⁴ addresses to itself (RFC 4291 §2.5.4), of which it
// could take another one for each login.
func networkOf(address string) string {
	a, err := netip.ParseAddr(address)
	if err != nil || a.Unmap().Is4() {
		return address
	}
	p, err := a.WithZone("").Prefix(64)
	if err != nil {
		return address
	}
	return p.String()
}
