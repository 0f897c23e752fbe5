/* What the two halves of the fake broker share: broker.c plays Mosquitto,
 * script.c reads the script. */
#ifndef FAKEBROKER_BROKER_H
#define FAKEBROKER_BROKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* 20 plays Mosquitto 2.0, 21 plays 2.1. */
#ifndef BROKER
#error "compile with -DBROKER=20 or -DBROKER=21"
#endif

/* Return codes of the plugin interface (MOSQ_ERR_…), then our own. */
enum {
	DELAYED = -5, ALLOW = 0, INVAL = 3, NOT_FOUND = 6, NOT_SUPPORTED = 10, AUTH = 11, DENIED = 12,
	UNKNOWN = 13, DEFER = 17, ADMINISTRATIVE = 30, ALREADY_EXISTS = 31, IGNORE = 32,
	UNASKED = 1000,  /* the plugin has no callback for the event */
	REFUSED = 1001,  /* the broker closed the connection without asking */
	NOT_YET = 1002,  /* a login that nobody completed */
};

enum { RELOAD = 1, ACL_CHECK = 2, BASIC_AUTH = 3, TICK = 9, DISCONNECT = 10, CONNECT = 11, CLIENT_OFFLINE = 28,
       EVENTS = BROKER == 20 ? 11 : 31 };

struct option { char *key, *value; };

typedef int (*callback)(int event, void *data, void *user_data);

/* One loaded instance of the plugin. */
struct mosquitto_plugin_id_t {
	char *name;
	struct option *options;
	int option_count;
	void *user_data;
	bool alive;
	struct { callback call; void *user_data; } callbacks[EVENTS];
	struct mosquitto_plugin_id_t *next;
};

/* One client. The structs are a pool: an address is used again only when the
 * script says so. */
struct mosquitto {
	char *handle, *id, *username, *password, *address;
	size_t password_size;  /* bytes in password, without the NUL behind them */
	uint16_t password_len; /* as told to the plugin; 0 up to Mosquitto 2.1.2 */
	int version;
	bool clean, kicked, nameless;
	int completed;
	enum { UNUSED, RESERVED, FRESH, PENDING, CONNECTED, GONE } state;
	struct mosquitto_plugin_id_t *on;
};

enum { POOL = 4096 };
extern struct mosquitto clients[POOL];
extern struct mosquitto_plugin_id_t *instances;
extern char *log_text; /* every line so far as "level: text\n" */

void fail(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

void broker_start(const char *plugin);
int broker_init(struct mosquitto_plugin_id_t *p);
int broker_cleanup(struct mosquitto_plugin_id_t *p);
void broker_tick(void);
int broker_reload(struct mosquitto_plugin_id_t *p);
int broker_ask(struct mosquitto *c);   /* BASIC_AUTH and nothing else */
int broker_login(struct mosquitto *c);
void broker_admit(struct mosquitto *c);
void broker_disconnect(struct mosquitto *c, int reason);
int broker_acl(struct mosquitto *c, int access, const char *topic);
bool broker_signals_on_stack(void);
void broker_collect(long *goroutines, long *heap); /* bytes; 0 where the plugin does not tell */

#endif
