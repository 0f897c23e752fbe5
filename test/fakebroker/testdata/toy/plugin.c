/* A plugin for the fake broker's own test. It knows alice (password "secret")
 * and gives its verdict about late (same password) in the third TICK. The
 * option "fault" makes it do what a plugin must not, so that a script can show
 * that the tool notices. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct opt { char *key, *value; };
struct acl { void *future; void *client; const char *topic; const void *payload; void *properties; int access; };
struct login { void *future; void *client; char *username, *password; uint16_t password_len; };
struct toy { char fault[20]; char id[50]; int verdict, wait; void *seen; };

static void (*log_line)(int, const char *, ...);
static const char *(*id_of)(const void *);
static const char *(*name_of)(const void *);
static int (*version_of)(const void *);
static bool (*is_clean)(const void *);
static int (*kick)(const char *, bool);
static int (*add)(void *, int, int (*)(int, void *, void *), const void *, void *);
static void (*complete)(const char *, int);

static bool faulty(struct toy *t, const char *fault) { return !strcmp(t->fault, fault); }

static void *on_thread(void *t)
{
	log_line(1, "fault of instance %p", t);
	return NULL;
}

static int login(int event, void *data, void *user_data)
{
	(void)event;
	struct login *e = data;
	struct toy *t = user_data;
	pthread_t thread;
	if (faulty(t, "thread") && !pthread_create(&thread, NULL, on_thread, t))
		pthread_join(thread, NULL);
	while (faulty(t, "hang"))
		pause();
	if (!e->username)
		return 17;
	t->seen = e->client;
	if (!e->password)
		return 11;
	size_t n = e->password_len ? e->password_len : strlen(e->password);
	int verdict = n == 6 && !memcmp(e->password, "secret", n) ? 0 : 11;
	if (strcmp(e->username, "late") || !complete || version_of(e->client) == 5 || !is_clean(e->client))
		return strcmp(e->username, "late") && strcmp(e->username, "alice") ? 11 : verdict;
	snprintf(t->id, sizeof t->id, "%s", id_of(e->client));
	if (!faulty(t, "generation") || !t->wait)
		t->verdict = verdict;
	t->wait = faulty(t, "silent") ? 0 : 3;
	return -5;
}

static int acl(int event, void *data, void *user_data)
{
	(void)event;
	struct acl *e = data;
	if (faulty(user_data, "log"))
		log_line(1, "acl");
	const char *name = name_of(e->client);
	if (e->access == 8)
		return 0;
	return name && !strcmp(name, "alice") && !strncmp(e->topic, "alice/", 6) ? 0 : 12;
}

static int tick(int event, void *data, void *user_data)
{
	(void)event, (void)data;
	struct toy *t = user_data;
	if (faulty(t, "gone") && t->seen)
		id_of(t->seen);
	if (t->wait && !--t->wait)
		complete(t->id, t->verdict);
	return 0;
}

static int reload(int event, void *data, void *user_data)
{
	(void)event, (void)data, (void)user_data;
	log_line(1, "reload");
	kick("kick-me", false);
	return complete ? 0 : 17;
}

static int leave(int event, void *data, void *user_data)
{
	(void)data, (void)user_data;
	log_line(16, "event %d", event);
	return 0;
}

#define LOOK_UP(f, name) (*(void **)&f = dlsym(RTLD_DEFAULT, name))

int mosquitto_plugin_version(int n, const int *versions) { return n == 4 && versions[0] == 5 ? 5 : -1; }

int mosquitto_plugin_init(void *id, void **user_data, struct opt *opts, int n)
{
	LOOK_UP(log_line, "mosquitto_log_printf");
	LOOK_UP(id_of, "mosquitto_client_id");
	LOOK_UP(name_of, "mosquitto_client_username");
	LOOK_UP(version_of, "mosquitto_client_protocol_version");
	LOOK_UP(is_clean, "mosquitto_client_clean_session");
	LOOK_UP(kick, "mosquitto_kick_client_by_clientid");
	LOOK_UP(add, "mosquitto_callback_register");
	LOOK_UP(complete, "mosquitto_complete_basic_auth");
	struct toy *t = calloc(1, sizeof *t);
	for (int i = 0; i < n; i++) {
		log_line(2, "option %s is \"%s\"", opts[i].key, opts[i].value);
		if (!strcmp(opts[i].key, "fault"))
			snprintf(t->fault, sizeof t->fault, "%s", opts[i].value);
		if (!strcmp(opts[i].key, "refuse"))
			return free(t), 3;
	}
	*user_data = t;
	add(id, 1, reload, NULL, t);
	add(id, 2, acl, NULL, t);
	add(id, 3, login, NULL, t);
	add(id, 9, tick, NULL, t);
	add(id, 10, leave, NULL, t);
	int connects = add(id, 11, leave, NULL, t);
	log_line(2, "CONNECT %s", connects ? "is unknown" : "registered");
	add(id, 28, leave, NULL, t);
	return 0;
}

int mosquitto_plugin_cleanup(void *user_data, struct opt *opts, int n)
{
	(void)opts, (void)n;
	free(user_data);
	return 0;
}
