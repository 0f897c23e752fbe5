/* acl.Image.Walk for the broker's thread. The layout of an image, and what the
 * walk means, are described in plugin/acl/image.go and walk.go; the two walks
 * are tested against each other. */
#include "rights.h"

#include <string.h>

enum {
	FLAG_DOLLAR = 1,
	OFF_FLAGS = 0, OFF_SECTIONS = 4, OFF_ROOTS = 8,
	NODE_GRANT = 0, NODE_DENY = 1, NODE_HASH_GRANT = 2, NODE_HASH_DENY = 3,
	NODE_PLUS = 4, NODE_LITERALS = 8, NODE_TEMPLATES = 12,
	ENTRY_HASH = 0, ENTRY_TEXT = 4, ENTRY_LEN = 8, ENTRY_NODE = 12, ENTRY_SIZE = 16,
	HEADER_SIZE = 4,
	MAX_STEPS = 4096,
	MAX_STACK = 256,
};

/* place is a node, and where in the topic the level below it begins; rest is
 * NULL if the topic ended at the node. */
struct place {
	uint32_t node;
	const char *rest;
};

struct walker {
	const uint8_t *image;
	struct text user, id; /* length 0: no rule with it matches */
	const char *topic, *end;
	bool dollar;          /* wildcards in the first level do not match */
	int steps, depth;
	struct place stack[MAX_STACK];
};

static inline uint32_t word(const uint8_t *image, uint32_t off)
{
	const uint8_t *b = image + off;
	return b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

uint32_t rights_hash(uint32_t h, const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		h = (h ^ (uint8_t)s[i]) * 16777619u;
	}
	return h;
}

static bool push(struct walker *w, uint32_t node, const char *rest)
{
	if (w->depth == MAX_STACK) {
		return false;
	}
	w->stack[w->depth++] = (struct place){node, rest};
	return true;
}

/* literal finds the node for a level in a table, 0 if there is none. Each entry that
 * it has to pass is a step. */
static bool literal(struct walker *w, uint32_t table, struct text level, uint32_t *found)
{
	*found = 0;
	if (!table) {
		return true;
	}
	uint32_t mask = word(w->image, table), h = rights_hash(FNV_BASIS, level.at, level.len);
	for (uint32_t i = h & mask;; i = (i + 1) & mask) {
		uint32_t e = table + HEADER_SIZE + i * ENTRY_SIZE, node = word(w->image, e + ENTRY_NODE);
		if (!node || (word(w->image, e + ENTRY_HASH) == h && word(w->image, e + ENTRY_LEN) == level.len &&
			!memcmp(w->image + word(w->image, e + ENTRY_TEXT), level.at, level.len))) {
			*found = node;
			return true;
		}
		if (++w->steps > MAX_STEPS) {
			return false;
		}
	}
}

/* fits compares a level with a template, in which NUL and u or c stand for the
 * user name or the client id. */
static bool fits(const struct walker *w, const uint8_t *t, uint32_t len, struct text level)
{
	for (const uint8_t *end = t + len; t < end; t++) {
		struct text value = {(const char *)t, 1};
		if (*t == 0) {
			value = *++t == 'c' ? w->id : w->user;
		}
		if (!value.len || level.len < value.len || memcmp(level.at, value.at, value.len)) {
			return false;
		}
		level.at += value.len;
		level.len -= value.len;
	}
	return level.len == 0;
}

static bool templates(struct walker *w, uint32_t list, struct text level, const char *rest, bool hidden)
{
	uint32_t n = list ? word(w->image, list) : 0;
	for (uint32_t i = 0; i < n; i++) {
		if (++w->steps > MAX_STEPS) {
			return false;
		}
		uint32_t e = list + HEADER_SIZE + i * ENTRY_SIZE;
		const uint8_t *t = w->image + word(w->image, e + ENTRY_TEXT);
		if ((hidden && !*t) || !fits(w, t, word(w->image, e + ENTRY_LEN), level)) {
			continue;
		}
		if (!push(w, word(w->image, e + ENTRY_NODE), rest)) {
			return false;
		}
	}
	return true;
}

/* visit collects the rights that a node gives, and sets aside the nodes below it
 * that the next level leads to. */
static bool visit(struct walker *w, struct place p, uint8_t *grant, uint8_t *deny)
{
	const uint8_t *node = w->image + p.node;
	bool hidden = p.rest == w->topic && w->dollar;
	if (!hidden) {
		*grant |= node[NODE_HASH_GRANT];
		*deny |= node[NODE_HASH_DENY];
	}
	if (!p.rest) {
		*grant |= node[NODE_GRANT];
		*deny |= node[NODE_DENY];
		return true;
	}
	const char *slash = memchr(p.rest, '/', w->end - p.rest);
	struct text level = {p.rest, (slash ? slash : w->end) - p.rest};
	const char *next = slash ? slash + 1 : NULL;
	uint32_t plus = word(w->image, p.node + NODE_PLUS);
	if (plus && !hidden && !push(w, plus, next)) {
		return false;
	}
	uint32_t found;
	if (!literal(w, word(w->image, p.node + NODE_LITERALS), level, &found) || (found && !push(w, found, next))) {
		return false;
	}
	return templates(w, word(w->image, p.node + NODE_TEMPLATES), level, next, hidden);
}

/* section walks one tree. A deny that matches decides at once; a grant only
 * after everything that matches has been seen. */
static int section(struct walker *w, uint32_t root, int access)
{
	uint8_t grant = 0, deny = 0;
	w->depth = 0;
	push(w, root, w->topic);
	while (w->depth) {
		if (++w->steps > MAX_STEPS || !visit(w, w->stack[--w->depth], &grant, &deny)) {
			return TOO_DEEP;
		}
		if (deny & access) {
			return DENY;
		}
	}
	return grant & access ? ALLOW : NO_MATCH;
}

/* unless_special leaves out a name that has a meaning in a topic filter. */
static struct text unless_special(struct text name)
{
	for (size_t i = 0; i < name.len; i++) {
		if (name.at[i] == '+' || name.at[i] == '#' || name.at[i] == '/') {
			return (struct text){"", 0};
		}
	}
	return name;
}

int rights_walk(const uint8_t *image, struct text user, struct text id, struct text topic, int access)
{
	if (!image) {
		return NO_MATCH;
	}
	struct walker w; /* the stack needs no first value */
	w.image = image;
	w.user = unless_special(user);
	w.id = unless_special(id);
	w.topic = topic.len ? topic.at : ""; /* never NULL */
	w.end = w.topic + topic.len;
	w.dollar = topic.len && *w.topic == '$' && !(word(image, OFF_FLAGS) & FLAG_DOLLAR);
	w.steps = 0;
	uint32_t sections = word(image, OFF_SECTIONS);
	for (uint32_t i = 0; i < sections; i++) {
		int d = section(&w, word(image, OFF_ROOTS + 4 * i), access);
		if (d != NO_MATCH) {
			return d;
		}
	}
	return NO_MATCH;
}
