/* See rights.h. */
#include "rights.h"

#include <stdlib.h>
#include <string.h>

struct part {
	const uint8_t *image;
	char *user;
	size_t len;
	bool everything;
};

struct entry {
	char *name;
	size_t len;
	uint32_t hash;
	int64_t until;
	int parts;
	struct entry *next; /* in its slot */
	struct part part[];
};

struct rights {
	uint32_t seed, mask, count;
	struct entry **slots; /* mask + 1 */
};

static char *copy(const char *s, size_t len)
{
	char *c = malloc(len + 1);
	if (c) {
		memcpy(c, s, len);
		c[len] = 0;
	}
	return c;
}

struct entry *entry_new(const char *name, size_t len, int parts, int64_t until)
{
	struct entry *e = calloc(1, sizeof *e + parts * sizeof e->part[0]);
	if (!e || !(e->name = copy(name, len))) {
		free(e);
		return NULL;
	}
	e->len = len;
	e->until = until;
	e->parts = parts;
	return e;
}

bool entry_part(struct entry *e, int i, const char *user, size_t len, const uint8_t *image, bool everything)
{
	e->part[i] = (struct part){image, copy(user, len), len, everything};
	return e->part[i].user;
}

void entry_free(struct entry *e)
{
	for (int i = 0; i < e->parts; i++) {
		free(e->part[i].user);
	}
	free(e->name);
	free(e);
}

struct rights *rights_new(uint32_t seed)
{
	struct rights *r = calloc(1, sizeof *r);
	if (r) {
		r->seed = FNV_BASIS ^ seed;
		r->mask = 63;
		r->slots = calloc(r->mask + 1, sizeof *r->slots);
	}
	if (r && !r->slots) {
		free(r);
		return NULL;
	}
	return r;
}

void rights_free(struct rights *r)
{
	for (uint32_t i = 0; i <= r->mask; i++) {
		for (struct entry *e = r->slots[i], *next; e; e = next) {
			next = e->next;
			entry_free(e);
		}
	}
	free(r->slots);
	free(r);
}

/* find returns where the pointer to a user's entry is, or would be put. */
static struct entry **find(const struct rights *r, uint32_t h, const char *name, size_t len)
{
	struct entry **at = &r->slots[h & r->mask];
	while (*at && ((*at)->hash != h || (*at)->len != len || memcmp((*at)->name, name, len))) {
		at = &(*at)->next;
	}
	return at;
}

/* grow doubles the slots; without memory the chains get longer instead. */
static void grow(struct rights *r)
{
	uint32_t mask = 2 * r->mask + 1;
	struct entry **slots = calloc((size_t)mask + 1, sizeof *slots);
	if (!slots) {
		return;
	}
	for (uint32_t i = 0; i <= r->mask; i++) {
		for (struct entry *e = r->slots[i], *next; e; e = next) {
			next = e->next;
			e->next = slots[e->hash & mask];
			slots[e->hash & mask] = e;
		}
	}
	free(r->slots);
	r->slots = slots;
	r->mask = mask;
}

void rights_publish(struct rights *r, struct entry *e)
{
	rights_forget(r, e->name, e->len);
	if (r->count > r->mask) {
		grow(r);
	}
	e->hash = rights_hash(r->seed, e->name, e->len);
	e->next = r->slots[e->hash & r->mask];
	r->slots[e->hash & r->mask] = e;
	r->count++;
}

void rights_forget(struct rights *r, const char *name, size_t len)
{
	struct entry **at = find(r, rights_hash(r->seed, name, len), name, len), *e = *at;
	if (e) {
		*at = e->next;
		r->count--;
		entry_free(e);
	}
}

int rights_check(const struct rights *r, const char *name, const char *id, const char *topic, int access, int64_t now)
{
	size_t len = strlen(name);
	const struct entry *e = *find(r, rights_hash(r->seed, name, len), name, len);
	if (!e || now >= e->until) {
		return RIGHTS_UNKNOWN;
	}
	struct text client = {id, strlen(id)}, t = {topic, strlen(topic)};
	for (int i = 0; i < e->parts; i++) {
		const struct part *p = &e->part[i];
		if (p->everything || rights_walk(p->image, (struct text){p->user, p->len}, client, t, access) == ALLOW) {
			return ACL_GRANTED;
		}
	}
	return ACL_DENIED;
}
