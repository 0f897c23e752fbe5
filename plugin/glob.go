package plugin

// glob tells whether a name matches a pattern of fnmatch(3) without flags, as
// the option superusers of mosquitto-auth-plug has it: * stands for any
// characters, the slash too, ? for one, [a-z] and [!a-z] for one of a set, and
// a backslash takes the next character as it is. It compares bytes.
func glob(pattern, name string) bool {
	star, mark := -1, 0 // where to go on if the way taken since the last * fails
	p, n := 0, 0
	for n < len(name) {
		if p < len(pattern) && pattern[p] == '*' {
			star, mark = p, n
			p++
			continue
		}
		if width, ok := globOne(pattern[p:], name[n]); ok {
			p += width
			n++
			continue
		}
		if star < 0 {
			return false
		}
		mark++
		p, n = star+1, mark
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}

// globOne matches one character, and returns how much of the pattern it took.
func globOne(pattern string, c byte) (width int, ok bool) {
	if pattern == "" {
		return 0, false
	}
	switch pattern[0] {
	case '?':
		return 1, true
	case '[':
		if width, in := globSet(pattern, c); width > 0 {
			return width, in
		}
	case '\\':
		if len(pattern) > 1 {
			return 2, pattern[1] == c
		}
	}
	return 1, pattern[0] == c
}

// globSet matches a bracket expression. The width is 0 if it is not closed; the
// bracket is then an ordinary character.
func globSet(pattern string, c byte) (width int, in bool) {
	i, negated := 1, false
	if i < len(pattern) && (pattern[i] == '!' || pattern[i] == '^') {
		negated = true
		i++
	}
	for first := true; i < len(pattern); first = false {
		if pattern[i] == ']' && !first {
			return i + 1, in != negated
		}
		low, high := pattern[i], pattern[i]
		if i+2 < len(pattern) && pattern[i+1] == '-' && pattern[i+2] != ']' {
			high = pattern[i+2]
			i += 2
		}
		in = in || low <= c && c <= high
		i++
	}
	return 0, false
}
