/* The broker, as far as the plugin calls it. */
#ifndef GOAUTH_HOST_H
#define GOAUTH_HOST_H

#include <stdatomic.h>

#include "abi.h"
#include "rights.h"

/* The broker's functions, looked up when the plugin is loaded; NULL for those
 * that this broker does not have. */
struct host_functions {
	void (*log_printf)(int level, const char *fmt, ...);
	int (*callback_register)(mosquitto_plugin_id_t *, int event, mosquitto_callback, const void *, void *userdata);
	int (*callback_unregister)(mosquitto_plugin_id_t *, int event, mosquitto_callback, const void *);
	const char *(*client_id)(const struct mosquitto *);
	const char *(*client_username)(const struct mosquitto *);
	const char *(*client_address)(const struct mosquitto *);
	bool (*client_clean_session)(const struct mosquitto *);
	int (*client_protocol_version)(const struct mosquitto *);
	int (*set_username)(struct mosquitto *, const char *);
	int (*kick_client_by_clientid)(const char *id, bool with_will);
	void (*complete_basic_auth)(const char *id, int result); /* 2.1 */
	struct mosquitto *(*client)(const char *id);             /* 2.1 */
	int (*plugin_set_info)(mosquitto_plugin_id_t *, const char *name, const char *version); /* 2.1 */
};

extern struct host_functions host;

/* What Go answers, in the order of plugin.Verdict. */
enum { LOGIN_REFUSE, LOGIN_ACCEPT, LOGIN_DEFER, LOGIN_UNAVAILABLE, LOGIN_COME_BACK, LOGIN_PENDING };

/* When a turn is told to Go. */
enum { AT_TICK, AT_LOGIN, AT_CHECK };

/* instance is one use of the plugin in the broker. */
struct instance {
	uintptr_t engine;            /* the Go side's handle, 0 for none */
	mosquitto_plugin_id_t *id;
	bool admits, judges, deny_special;
	struct rights *rights;       /* what users may do */
	atomic_int attention;        /* TICK has to enter Go */
	bool ticks;                  /* the broker calls TICK */
	size_t registered;           /* so many events were gone through */
};

/* host_find looks the functions up, and notes the broker's thread. It returns
 * the name of one that every broker should have and this one has not, or NULL. */
const char *host_find(void);

/* host_is_main tells whether the caller is the broker's thread. */
bool host_is_main(void);

/* host_can_delay tells whether the broker can delay a login. */
bool host_can_delay(void);

/* host_is_standin tells whether a client is one that the broker made up for a
 * question, on its stack: the author of a retained message. */
bool host_is_standin(const struct mosquitto *);

/* host_settle repairs, once, what the broker set up after it loaded the
 * plugin, on the broker's thread. Call it at the begin of every callback. */
void host_settle(void);

/* host_turn counts the turns of the broker's loop. */
extern uint64_t host_turn;

/* host_guard notes that a client must not publish, or that it need no longer be
 * asked about. host_may_guard tells whether a client is one of those, and now and
 * then says so of another. On the broker's thread only. */
void host_guard(uintptr_t client, bool begins);
bool host_may_guard(const struct mosquitto *);

/* host_signal ends the broker's sleep, if the caller is another thread. */
void host_signal(void);

/* host_eventfd returns a new eventfd that never blocks, -1 if there is none to be had. */
int host_eventfd(void);

/* host_yield has the kernel run other threads than the caller at once when they
 * have something to do, and the caller as much as ever, but later. */
void host_yield(void);

void host_log(int level, const char *text);
void host_complete(const char *id, bool allow);
void host_kick(const char *id);
struct mosquitto *host_client(const char *id, bool *known);
void host_set_username(uintptr_t client, const char *name);

/* host_now is a time in nanoseconds, some milliseconds coarse. */
int64_t host_now(void);

/* For Go, which cannot use atomics of C. */
void instance_set_attention(struct instance *, int on);
int instance_attention(struct instance *);

/* instance_register asks the broker for the events that the instance needs, and
 * instance_unregister takes back what it got. */
int instance_register(struct instance *);
void instance_unregister(struct instance *);

#endif
