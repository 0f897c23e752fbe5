/* The table of compiled rights, from which the broker's thread answers ACL
 * checks without entering Go. It belongs to that thread alone. */
#ifndef GOAUTH_RIGHTS_H
#define GOAUTH_RIGHTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What Go answers, in the order of plugin.Answer; RIGHTS_UNKNOWN leaves the
 * answer to Go. */
enum { ACL_DENIED, ACL_GRANTED, ACL_NOT_JUDGED, RIGHTS_UNKNOWN };

/* What one walk says, in the order of acl.Decision. */
enum { NO_MATCH, ALLOW, DENY, TOO_DEEP };

/* text is a string with its length; it may hold no NUL but need not end in one. */
struct text {
	const char *at;
	size_t len;
};

struct rights; /* the table */
struct entry;  /* what one user may do */

struct rights *rights_new(uint32_t seed);
void rights_free(struct rights *);

/* entry_new makes an entry with room for a number of parts, which entry_part
 * then fills. The image must outlive the entry; it may be NULL. until is the
 * time (see rights_check) up to which the entry may answer. Both copy their
 * strings. NULL means that there is no memory. */
struct entry *entry_new(const char *name, size_t len, int parts, int64_t until);
bool entry_part(struct entry *, int i, const char *user, size_t len, const uint8_t *image, bool everything);
void entry_free(struct entry *);

/* entry_parts and entry_image tell what is in an entry. */
int entry_parts(const struct entry *);
const uint8_t *entry_image(const struct entry *, int i);

/* rights_publish puts an entry in, and owns it from now on. rights_forget takes
 * a user's entry out. Both return the one that was there, which is the caller's
 * from now on, or NULL. */
struct entry *rights_publish(struct rights *, struct entry *);
struct entry *rights_forget(struct rights *, const char *name, size_t len);

/* rights_check answers for a right to a topic, no filter: access is 1 (read) or
 * 2 (write). now is a time in nanoseconds. */
int rights_check(const struct rights *, const char *name, const char *id, const char *topic, int access, int64_t now);

/* rights_hash is FNV-1a with 32 bits, begun with h. */
#define FNV_BASIS 2166136261u
uint32_t rights_hash(uint32_t h, const char *s, size_t len);

/* rights_walk is acl.Image.Walk, for read and write. */
int rights_walk(const uint8_t *image, struct text user, struct text id, struct text topic, int access);

#endif
