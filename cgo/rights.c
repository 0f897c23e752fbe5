/* See rights.h. */
#include "rights.h"

#include <stdlib.h>
#include <string.h>

struct part {
	const uint8_t *image;
	char *user; /* the entry's name, if it is the same */
	size_t len;
	bool everything;
};

struct entry {
	char *name; /* behind the parts */
	size_t len;
	int64_t until;
	struct entry *next; /* in its slot */
	uint32_t hash;
	int parts;
	struct part part[];
};

struct rights {
	uint32_t seed, mask, count;
	struct entry **slots; /* mask + 1 */
};

struct entry *entry_new(const char *name, size_t len, int parts, int64_t until)
{
	struct entry *e = calloc(1, sizeof *e + parts * sizeof e->part[0] + len + 1);
	if (!e) {
		return NULL;
	}
	e->name = memcpy(&e->part[parts], name, len);
	e->len = len;
	e->until = until;
	e->parts = parts;
	return e;
}

bool entry_part(struct entry *e, int i, const char *user, size_t len, const uint8_t *image, bool everything)
{
	char *copy = e->name;
	if (len != e->len || memcmp(user, e->name, len)) {
		copy = malloc(len + 1);
		if (!copy) {
			return false;
		}
		memcpy(copy, user, len);
		copy[len] = 0;
	}
	e->part[i] = (struct part){image, copy, len, everything};
	return true;
}

void entry_free(struct entry *e)
{
	for (int i = 0; i < e->parts; i++) {
		if (e->part[i].user != e->name) {
			free(e->part[i].user);
		}
	}
	free(e);
}

int entry_parts(const struct entry *e) { return e->parts; }

const uint8_t *entry_image(const struct entry *e, int i) { return e->part[i].image; }

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

struct entry *rights_publish(struct rights *r, struct entry *e)
{
	struct entry *old = rights_forget(r, e->name, e->len);
	if (r->count > r->mask) {
		grow(r);
	}
	e->hash = rights_hash(r->seed, e->name, e->len);
	e->next = r->slots[e->hash & r->mask];
	r->slots[e->hash & r->mask] = e;
	r->count++;
	return old;
}

struct entry *rights_forget(struct rights *r, const char *name, size_t len)
{
	struct entry **at = find(r, rights_hash(r->seed, name, len), name, len), *e = *at;
	if (e) {
		*at = e->next;
		r->count--;
	}
	return e;
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
