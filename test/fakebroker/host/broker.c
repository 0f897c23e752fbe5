/* Plays the broker to a v5 plugin: the functions a plugin looks up with dlsym,
 * and what Mosquitto does around each callback. Struct layouts and signatures
 * are those of mosquitto_broker.h (2.0) and mosquitto/broker.h (2.1), 64 bit. */
#define _GNU_SOURCE
#include "broker.h"

#include <dlfcn.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct evt_reload { void *future; struct option *options; int option_count; void *future2[4]; };
struct evt_acl_check {
	void *future; struct mosquitto *client; const char *topic; const void *payload; void *properties;
	int access; uint32_t payloadlen; uint8_t qos; bool retain; void *future2[4];
};
struct evt_basic_auth {
	void *future; struct mosquitto *client; char *username, *password;
	uint16_t password_len; /* since 2.1.3; before that the first bytes of a zeroed future2 */
	void *future2[3];
};
struct evt_tick { void *future; long now_ns, next_ms; time_t now_s, next_s; void *future2[4]; };
struct evt_connect { void *future; struct mosquitto *client; void *future2[4]; };
struct evt_disconnect { void *future; struct mosquitto *client; int reason; void *future2[4]; };

struct mosquitto clients[POOL];
struct mosquitto_plugin_id_t *instances;
char *log_text;

static pthread_t broker_thread;
static _Thread_local struct mosquitto *lent; /* the client of the callback in progress */
static _Thread_local int current_event;

static int (*plugin_version)(int, const int *);
static int (*plugin_init)(struct mosquitto_plugin_id_t *, void **, struct option *, int);
static int (*plugin_cleanup)(void *, struct option *, int);
static void (*plugin_collect)(long *, long *); /* only in builds with the tag measure */

static void on_broker_thread(const char *function)
{
	if (!pthread_equal(pthread_self(), broker_thread))
		fail("%s: called off the main thread", function);
}

/* The getters may be called for the client of the callback in progress, on
 * whatever thread that is; for others on the broker's thread, while they live. */
static void may_read(const struct mosquitto *c, const char *function)
{
	if (c && c == lent)
		return;
	on_broker_thread(function);
	if (c < clients || c >= clients + POOL || c->state < FRESH || c->state == GONE)
		fail("%s: called for a client that is gone", function);
}

/* ---- What the plugin may call ---- */

/* longer appends a line to a log, in strides so that a long one costs no more. */
static char *longer(char *log, const char *level, const char *line)
{
	enum { STRIDE = 1 << 16 };
	static size_t used;
	if (!log)
		used = 0;
	size_t more = strlen(level) + strlen(line) + 4;
	if (!log || used / STRIDE != (used + more) / STRIDE)
		log = realloc(log, (used + more) / STRIDE * STRIDE + STRIDE);
	used += (size_t)sprintf(log + used, "%s: %s\n", level, line);
	return log;
}

__attribute__((format(printf, 2, 3))) void mosquitto_log_printf(int level, const char *fmt, ...)
{
	static const struct { int level; const char *name; } names[] = {
		{1, "info"}, {2, "notice"}, {4, "warning"}, {8, "error"}, {16, "debug"}};
	on_broker_thread(__func__);
	if (current_event == ACL_CHECK && level != 16)
		fail("mosquitto_log_printf: level %d from inside an ACL check recurses with log_dest topic", level);
	char line[1000]; /* the broker's own limit */
	va_list args;
	va_start(args, fmt);
	vsnprintf(line, sizeof line, fmt, args);
	va_end(args);
	const char *name = "other";
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (names[i].level == level)
			name = names[i].name;
	log_text = longer(log_text, name, line);
}

const char *mosquitto_client_address(const struct mosquitto *c) { may_read(c, __func__); return c->address; }
const char *mosquitto_client_id(const struct mosquitto *c) { may_read(c, __func__); return c->nameless ? NULL : c->id; }
const char *mosquitto_client_username(const struct mosquitto *c) { may_read(c, __func__); return c->username; }
bool mosquitto_client_clean_session(const struct mosquitto *c) { may_read(c, __func__); return c->clean; }
int mosquitto_client_protocol(const struct mosquitto *c) { may_read(c, __func__); return 0; /* mp_mqtt */ }
int mosquitto_client_protocol_version(const struct mosquitto *c) { may_read(c, __func__); return c->version; }
void *mosquitto_client_certificate(const struct mosquitto *c) { may_read(c, __func__); return NULL; }

int mosquitto_set_username(struct mosquitto *c, const char *username)
{
	on_broker_thread(__func__);
	if (!c || (username && !*username))
		return INVAL;
	may_read(c, __func__);
	free(c->username);
	c->username = username ? strdup(username) : NULL;
	return ALLOW;
}

int mosquitto_callback_register(struct mosquitto_plugin_id_t *p, int event, callback call, const void *data, void *user_data)
{
	(void)data;
	on_broker_thread(__func__);
	if (!call)
		return INVAL;
	if (event <= 0 || event >= EVENTS)
		return NOT_SUPPORTED;
	if (p->callbacks[event].call)
		return ALREADY_EXISTS;
	p->callbacks[event].call = call;
	p->callbacks[event].user_data = user_data;
	return ALLOW;
}

int mosquitto_callback_unregister(struct mosquitto_plugin_id_t *p, int event, callback call, const void *data)
{
	(void)data;
	on_broker_thread(__func__);
	if (event <= 0 || event >= EVENTS)
		return NOT_SUPPORTED;
	if (p->callbacks[event].call != call)
		return NOT_FOUND;
	p->callbacks[event].call = NULL;
	return ALLOW;
}

static int kick(const char *function, bool by_name, const char *which)
{
	int rc = NOT_FOUND;
	on_broker_thread(function);
	for (struct mosquitto *c = clients; c < clients + POOL; c++) {
		const char *has = by_name ? c->username : c->id;
		bool meant = which && has ? !strcmp(has, which) : !which && (!has || !by_name);
		if (c->state != CONNECTED || !meant)
			continue;
		c->kicked = true;
		broker_disconnect(c, ADMINISTRATIVE);
		rc = ALLOW;
	}
	return by_name ? ALLOW : rc;
}

int mosquitto_kick_client_by_clientid(const char *id, bool with_will) { (void)with_will; return kick(__func__, false, id); }
int mosquitto_kick_client_by_username(const char *name, bool with_will) { (void)with_will; return kick(__func__, true, name); }

/* Published messages go to the log, where the script can expect them. */
int mosquitto_broker_publish_copy(const char *id, const char *topic, int n, const void *payload, int qos, bool retain, void *properties)
{
	(void)properties;
	on_broker_thread(__func__);
	if (!topic || n < 0 || (n > 0 && !payload) || qos < 0 || qos > 2)
		return INVAL;
	mosquitto_log_printf(16, "published to %s, topic %s%s: %.*s", id ? id : "all", topic, retain ? ", retained" : "", n,
	                     n ? (const char *)payload : "");
	return ALLOW;
}

int mosquitto_broker_publish(const char *id, const char *topic, int n, void *payload, int qos, bool retain, void *properties)
{
	int rc = mosquitto_broker_publish_copy(id, topic, n, payload, qos, retain, properties);
	if (rc == ALLOW)
		free(payload);
	return rc;
}

void *mosquitto_malloc(size_t size) { return malloc(size); }
void mosquitto_free(void *mem) { free(mem); }
char *mosquitto_strdup(const char *s) { return strdup(s); }

static struct mosquitto *with_id(const char *id, int state)
{
	for (struct mosquitto *c = clients; id && c < clients + POOL; c++)
		if ((int)c->state == state && !strcmp(c->id, id))
			return c;
	return NULL;
}

static void refuse(struct mosquitto *c, int reason)
{
	c->clean = true;
	c->nameless = BROKER == 20; /* 2.0 may have taken the id away by then */
	broker_disconnect(c, reason);
}

#if BROKER >= 21
struct mosquitto *mosquitto_client(const char *id) { on_broker_thread(__func__); return with_id(id, CONNECTED); }
int mosquitto_client_port(const struct mosquitto *c) { may_read(c, __func__); return 1883; }

int mosquitto_plugin_set_info(struct mosquitto_plugin_id_t *p, const char *name, const char *version)
{
	on_broker_thread(__func__);
	mosquitto_log_printf(16, "instance %s is %s %s", p->name, name, version ? version : "");
	return ALLOW;
}

void mosquitto_complete_basic_auth(const char *id, int result)
{
	on_broker_thread(__func__);
	struct mosquitto *c = with_id(id, PENDING);
	if (!c)
		return;
	c->completed = result;
	if (result == ALLOW)
		broker_admit(c);
	else
		refuse(c, AUTH);
}
#endif

/* ---- What the broker does ---- */

void broker_start(const char *plugin)
{
	broker_thread = pthread_self();
	void *library = dlopen(plugin, RTLD_NOW | (BROKER == 20 ? RTLD_GLOBAL : RTLD_LOCAL));
	if (!library)
		fail("%s", dlerror());
	*(void **)&plugin_version = dlsym(library, "mosquitto_plugin_version");
	*(void **)&plugin_init = dlsym(library, "mosquitto_plugin_init");
	*(void **)&plugin_cleanup = dlsym(library, "mosquitto_plugin_cleanup");
	*(void **)&plugin_collect = dlsym(library, "goauthCollect");
	if (!plugin_version || !plugin_init || !plugin_cleanup)
		fail("the plugin does not export what 2.0 needs");
}

static void ignore_signal(int s) { (void)s; }

static const int broker_signals[] = {SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2};
enum { SIGNALS = sizeof broker_signals / sizeof *broker_signals };

int broker_init(struct mosquitto_plugin_id_t *p)
{
	static const int versions[] = {5, 4, 3, 2};
	int version = plugin_version(4, versions);
	if (version != 5)
		fail("mosquitto_plugin_version: got %d, expected 5", version);
	int rc = plugin_init(p, &p->user_data, p->options, p->option_count);
	p->alive = true; /* a failed init is followed by a cleanup as well */
	if (rc == ALLOW)
		for (int i = 0; i < SIGNALS; i++) /* as the broker does: after the plugin, without SA_ONSTACK */
			signal(broker_signals[i], ignore_signal);
	return rc;
}

bool broker_signals_on_stack(void)
{
	for (int i = 0; i < SIGNALS; i++) {
		struct sigaction a;
		sigaction(broker_signals[i], NULL, &a);
		if (!(a.sa_flags & SA_ONSTACK))
			return false;
	}
	return true;
}

int broker_cleanup(struct mosquitto_plugin_id_t *p)
{
	int rc = plugin_cleanup(p->user_data, p->options, p->option_count);
	memset(p->callbacks, 0, sizeof p->callbacks);
	p->user_data = NULL;
	p->alive = false;
	return rc;
}

void broker_collect(long *goroutines, long *heap)
{
	if (plugin_collect)
		plugin_collect(goroutines, heap);
	malloc_trim(0);
}

static int dispatch(struct mosquitto_plugin_id_t *p, int event, void *data, struct mosquitto *c)
{
	if (event >= EVENTS || !p->callbacks[event].call)
		return UNASKED;
	struct mosquitto *outer = lent;
	int outer_event = current_event;
	lent = c;
	current_event = event;
	int rc = p->callbacks[event].call(event, data, p->callbacks[event].user_data);
	lent = outer;
	current_event = outer_event;
	return rc;
}

void broker_tick(void)
{
	for (struct mosquitto_plugin_id_t *p = instances; p; p = p->next) {
		struct timespec now;
		struct evt_tick e = {0};
		if (BROKER >= 21) {
			clock_gettime(CLOCK_REALTIME, &now);
			e.now_s = now.tv_sec;
			e.now_ns = now.tv_nsec;
		}
		dispatch(p, TICK, &e, NULL);
	}
}

/* Every instance is told, whatever the others say; the answer is that of p. */
int broker_reload(struct mosquitto_plugin_id_t *p)
{
	int answer = UNASKED;
	for (struct mosquitto_plugin_id_t *q = instances; q; q = q->next) {
		struct evt_reload e = {0};
		int rc = dispatch(q, RELOAD, &e, NULL);
		if (q == p)
			answer = rc;
	}
	return answer;
}

/* What the plugin is shown it gets as a copy that is spoilt afterwards, so
 * that a plugin which keeps the pointer is found out. */
static char *lend(const char *s, size_t n)
{
	if (!s)
		return NULL;
	char *copy = malloc(n + 1);
	memcpy(copy, s, n);
	copy[n] = 0;
	return copy;
}

static void take_back(char *copy, size_t n)
{
	if (copy)
		memset(copy, 0xdd, n + 1);
	free(copy);
}

int broker_ask(struct mosquitto *c)
{
	size_t n = c->username ? strlen(c->username) : 0;
	struct evt_basic_auth e = {.client = c, .username = lend(c->username, n),
		.password = lend(c->password, c->password_size), .password_len = c->password_len};
	char *username = e.username, *password = e.password;
	int rc = dispatch(c->on, BASIC_AUTH, &e, c);
	take_back(username, n);
	take_back(password, c->password_size);
	return rc;
}

int broker_login(struct mosquitto *c)
{
	if (!pthread_equal(pthread_self(), broker_thread))
		return broker_ask(c); /* the HTTP API asks and does no more */
	if (with_id(c->id, PENDING)) {
		refuse(c, UNKNOWN);
		return REFUSED;
	}
	int rc = broker_ask(c);
	if (rc == ALLOW)
		broker_admit(c);
	else if (rc == DELAYED && BROKER >= 21)
		c->state = PENDING;
	else
		refuse(c, AUTH);
	return rc;
}

void broker_admit(struct mosquitto *c)
{
	struct mosquitto *earlier = with_id(c->id, CONNECTED);
	if (earlier)
		broker_disconnect(earlier, ALLOW);
	c->state = CONNECTED;
	struct evt_connect e = {.client = c};
	dispatch(c->on, CONNECT, &e, c);
}

/* A pending client that goes away is not mentioned to the plugin. */
void broker_disconnect(struct mosquitto *c, int reason)
{
	bool silent = c->state == PENDING && c->completed == NOT_YET;
	c->state = GONE;
	struct evt_disconnect e = {.client = c, .reason = BROKER == 20 ? -1 : reason};
	if (!silent)
		dispatch(c->on, BROKER >= 21 && !c->clean ? CLIENT_OFFLINE : DISCONNECT, &e, c);
}

int broker_acl(struct mosquitto *c, int access, const char *topic)
{
	size_t n = strlen(topic);
	char *copy = lend(topic, n);
	struct evt_acl_check e = {.client = c, .topic = copy, .access = access};
	int rc = dispatch(c->on, ACL_CHECK, &e, c);
	take_back(copy, n);
	return rc;
}
