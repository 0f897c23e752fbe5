/* check PLUGIN PASSWORDS ACL PASSWORD LAPS USER RULES [USER RULES]...
 *
 * Plays a broker to the plugin, with the two files, logs the users in, and has
 * it answer ACL checks for topics that one of a user's RULES rules site/N/+/USER/#
 * grants, with N from 0. In each lap it prints a line for each user:
 *
 *	RULES SAME MANY ALLOCATIONS
 *
 * nanoseconds of a check of one topic again and again, of a check of topics at
 * random, and how often memory was asked for in all of these. What the plugin
 * logs goes to the standard error. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "broker.h"

enum { TOPICS = 4096, CHECKS = 200000, USERS = 8 };

/* What the broker's thread asks for, also inside the plugin, goes through these. */
static _Thread_local long allocations;
void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *malloc(size_t n) { return allocations++, __libc_malloc(n); }
void *calloc(size_t n, size_t size) { return allocations++, __libc_calloc(n, size); }
void *realloc(void *p, size_t n) { return allocations++, __libc_realloc(p, n); }

/* The event as Mosquitto 2.1 has it. */
struct acl_check {
	void *future;
	struct mosquitto *client;
	const char *topic;
	const void *payload;
	void *properties;
	int access;
	uint32_t payloadlen;
	uint8_t qos;
	bool retain;
	void *future2[4];
};

struct user {
	int rules;
	struct mosquitto *client;
	char *topics[TOPICS];
};

static struct mosquitto_plugin_id_t plugin;

void fail(const char *fmt, ...)
{
	fprintf(stderr, "check: %s\nlog so far:\n%s", fmt, log_text ? log_text : "");
	_exit(1);
}

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void load(char **argv)
{
	static struct option options[] = {
		{"backends", "files"}, {"password_file", NULL}, {"acl_file", NULL}};
	options[1].value = argv[2];
	options[2].value = argv[3];
	plugin.name = "main";
	plugin.options = options;
	plugin.option_count = 3;
	instances = &plugin;
	broker_start(argv[1]);
	if (broker_init(&plugin) != ALLOW)
		fail("the plugin did not start");
}

static struct mosquitto *login(int i, const char *name, const char *password)
{
	struct mosquitto *c = &clients[i];
	*c = (struct mosquitto){.handle = strdup(name), .id = strdup(name), .username = strdup(name),
		.password = strdup(password), .password_size = strlen(password), .address = strdup("127.0.0.1"),
		.version = 4, .clean = true, .completed = NOT_YET, .state = FRESH, .on = &plugin};
	int rc = broker_login(c);
	for (int tries = 0; rc == DELAYED && c->completed == NOT_YET && tries < 5000; tries++) {
		usleep(1000);
		broker_tick();
	}
	if (c->state != CONNECTED)
		fail("a login failed");
	for (int turns = 0; turns < 10; turns++)
		broker_tick(); /* what is guarded while clients are pending is let go */
	return c;
}

static void make_topics(struct user *u)
{
	for (int i = 0; i < TOPICS; i++) {
		int n = i == 0 ? u->rules / 2 : rand() % u->rules;
		if (asprintf(&u->topics[i], "site/%d/kitchen/%s/temperature", n, u->client->username) < 0)
			abort();
	}
}

/* timed returns the nanoseconds of a check; topics is a power of two. */
static double timed(struct user *u, int topics)
{
	callback call = plugin.callbacks[ACL_CHECK].call;
	void *data = plugin.callbacks[ACL_CHECK].user_data;
	double start = now();
	for (int i = 0; i < CHECKS; i++) {
		struct acl_check e = {.client = u->client, .topic = u->topics[i & (topics - 1)], .access = 1 + (i & 1)};
		if (call(ACL_CHECK, &e, data) != ALLOW)
			fail("a check was denied");
	}
	return (now() - start) / CHECKS;
}

int main(int argc, char **argv)
{
	static struct user users[USERS];
	int n = (argc - 6) / 2;
	if (argc < 8 || argc % 2 || n > USERS)
		return fprintf(stderr, "usage: check PLUGIN PASSWORDS ACL PASSWORD LAPS USER RULES...\n"), 2;
	load(argv);
	for (int i = 0; i < n; i++) {
		users[i].rules = atoi(argv[7 + 2 * i]);
		users[i].client = login(i, argv[6 + 2 * i], argv[4]);
		make_topics(&users[i]);
	}
	for (int lap = atoi(argv[5]); lap > 0; lap--)
		for (struct user *u = users; u < users + n; u++) {
			long before = allocations;
			double same = timed(u, 1), many = timed(u, TOPICS);
			printf("%d %.2f %.2f %ld\n", u->rules, same, many, allocations - before);
		}
	fflush(stdout);
	broker_cleanup(&plugin);
	fputs(log_text ? log_text : "", stderr);
	return 0;
}
