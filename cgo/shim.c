/* The symbols that a broker looks for, its events unpacked to plain arguments,
 * and the engine's answers turned into the broker's numbers. */
#include <stdlib.h>
#include <string.h>

#include "_cgo_export.h"
#include "abi.h"
#include "host.h"

#define READ 1
#define WRITE 2

/* Mosquitto before 2.0 asks for this; it cannot be served. */
int mosquitto_auth_plugin_version(void)
{
	if (host_find() == NULL || host.log_printf) {
		host.log_printf(MOSQ_LOG_ERR, "go-auth: this plugin needs Mosquitto 2.0 or newer");
	}
	return -1;
}

int mosquitto_plugin_version(int count, const int *versions)
{
	for (int i = 0; i < count; i++) {
		if (versions[i] == ABI_VERSION) {
			return ABI_VERSION;
		}
	}
	return -1;
}

/* end ends an instance. A worker may still raise its flag: the few bytes stay. */
static void end(struct instance *in)
{
	instance_unregister(in);
	goauthCleanup(in);
}

int mosquitto_plugin_init(mosquitto_plugin_id_t *id, void **userdata, struct mosquitto_opt *options, int count)
{
	const char *absent = host_find();
	if (absent) {
		if (host.log_printf) {
			host.log_printf(MOSQ_LOG_ERR, "go-auth: this broker does not have %s", absent);
		}
		return MOSQ_ERR_NOT_SUPPORTED;
	}
	struct instance *in = calloc(1, sizeof *in);
	if (!in) {
		return MOSQ_ERR_UNKNOWN;
	}
	in->id = id;
	int rc = goauthInit(in, options, count);
	if (rc == MOSQ_ERR_SUCCESS) {
		rc = instance_register(in);
	}
	if (rc != MOSQ_ERR_SUCCESS) {
		end(in);
		return rc;
	}
	*userdata = in;
	return MOSQ_ERR_SUCCESS;
}

/* turn does what is due in each turn of the broker's loop, or in its place at
 * another time. */
static void turn(struct instance *in, int when)
{
	host_turn++;
	if (instance_attention(in)) {
		instance_set_attention(in, 0);
		if (goauthTick(in, when)) {
			instance_set_attention(in, 1);
		}
	}
}

static int on_basic_auth(int event, void *data, void *userdata)
{
	(void)event;
	struct mosquitto_evt_basic_auth *e = data;
	struct instance *in = userdata;
	host_settle();
	size_t len = e->password ? strlen(e->password) : 0;
	if (e->password && e->password_len > len) {
		len = e->password_len; /* with NUL bytes in it */
	}
	bool elsewhere = !host_is_main();
	if (!elsewhere && !in->ticks) {
		turn(in, AT_LOGIN); /* Mosquitto 2.0.11 has no TICK with per_listener_settings */
	}
	int version = host.client_protocol_version(e->client);
	int answer = goauthLogin(in, e->client, (char *)host.client_id(e->client), e->username, e->password, len,
		(char *)host.client_address(e->client), version, host.client_clean_session(e->client), elsewhere);
	switch (answer) {
	case LOGIN_ACCEPT:
		return MOSQ_ERR_SUCCESS;
	case LOGIN_DEFER:
		return MOSQ_ERR_PLUGIN_DEFER;
	case LOGIN_PENDING:
		return MOSQ_ERR_AUTH_DELAYED;
	case LOGIN_COME_BACK:
	case LOGIN_UNAVAILABLE:
		return MOSQ_ERR_UNKNOWN; /* the broker closes without CONNACK, and clients connect again */
	default:
		return MOSQ_ERR_AUTH;
	}
}

/* quick answers, without entering Go, for a client of the broker's that receives
 * or publishes; else it says RIGHTS_UNKNOWN. */
static int quick(const struct instance *in, const struct mosquitto *client, int access, const char *id,
	const char *name, const char *topic)
{
	if (access == WRITE && host_may_guard(client)) {
		return RIGHTS_UNKNOWN; /* the client may be one that must not publish */
	}
	if (!in->judges) {
		return ACL_NOT_JUDGED;
	}
	if ((access != READ && access != WRITE) || !id || !topic || (name && !*name) ||
		(in->deny_special && strpbrk(id, "+#"))) {
		return RIGHTS_UNKNOWN;
	}
	return rights_check(in->rights, name ? name : "", id, topic, access, host_now());
}

/* Any other answer than these three disconnects clients, on READ the wrong one. */
static int on_acl_check(int event, void *data, void *userdata)
{
	(void)event;
	struct mosquitto_evt_acl_check *e = data;
	struct instance *in = userdata;
	host_settle();
	const char *id = host.client_id(e->client), *name = host.client_username(e->client);
	bool elsewhere = !host_is_main();
	if (!elsewhere && !in->ticks && instance_attention(in)) {
		turn(in, AT_CHECK); /* see on_basic_auth */
	}
	int answer = elsewhere ? RIGHTS_UNKNOWN : quick(in, e->client, e->access, id, name, e->topic);
	if (answer == RIGHTS_UNKNOWN) {
		bool standin = host_is_standin(e->client);
		bool offline = !standin && !host.client_address(e->client);
		answer = goauthCheck(in, standin ? NULL : e->client, (char *)id, (char *)name, (char *)e->topic, e->access,
			offline, elsewhere);
	}
	switch (answer) {
	case ACL_GRANTED:
		return MOSQ_ERR_SUCCESS;
	case ACL_NOT_JUDGED:
		/* 2.0 is never asked in this case; 2.1 then does as if we were absent. */
		return MOSQ_ERR_PLUGIN_IGNORE;
	default:
		return MOSQ_ERR_ACL_DENIED;
	}
}

static int on_tick(int event, void *data, void *userdata)
{
	(void)event;
	(void)data;
	struct instance *in = userdata;
	host_settle();
	in->ticks = true;
	turn(in, AT_TICK);
	return MOSQ_ERR_SUCCESS;
}

/* In 2.0 any answer but "defer" keeps the reload from others; in 2.1 any but
 * success ends the broker. */
static int on_reload(int event, void *data, void *userdata)
{
	(void)event;
	(void)data;
	host_settle();
	goauthReload(userdata);
	return host.complete_basic_auth ? MOSQ_ERR_SUCCESS : MOSQ_ERR_PLUGIN_DEFER;
}

static int on_connect(int event, void *data, void *userdata)
{
	(void)event;
	struct mosquitto_evt_client *e = data;
	if (e->client && host_is_main()) {
		goauthConnected(userdata, e->client, (char *)host.client_id(e->client), (char *)host.client_username(e->client));
	}
	return MOSQ_ERR_SUCCESS;
}

/* 2.0 tells DISCONNECT for every client that goes; 2.1 tells CLIENT_OFFLINE for
 * those whose session stays. */
static int on_disconnect(int event, void *data, void *userdata)
{
	struct mosquitto_evt_client *e = data;
	if (e->client && host.client_id(e->client) && host_is_main()) {
		/* In 2.0 "clean" says nothing of when a session of MQTT 5 ends. */
		bool stays = event == MOSQ_EVT_CLIENT_OFFLINE || (!host.client &&
			(!host.client_clean_session(e->client) || host.client_protocol_version(e->client) == 5));
		goauthDisconnected(userdata, e->client, (char *)host.client_id(e->client), stays);
	}
	return MOSQ_ERR_SUCCESS;
}

/* The pending client whose address this one has got is gone. */
static int on_ext_auth(int event, void *data, void *userdata)
{
	(void)event;
	struct mosquitto_evt_client *e = data;
	if (host_is_main()) {
		goauthForget(userdata, e->client);
	}
	return MOSQ_ERR_PLUGIN_DEFER;
}

/* Events that are not wanted are not registered: where no backend knows users,
 * logins are left to the broker. ACL_CHECK is also needed to keep back the wills
 * of pending clients. The last three are new in 2.1. */
static const struct registration {
	int event;
	mosquitto_callback callback;
} registrations[] = {
	{MOSQ_EVT_BASIC_AUTH, on_basic_auth},
	{MOSQ_EVT_ACL_CHECK, on_acl_check},
	{MOSQ_EVT_TICK, on_tick},
	{MOSQ_EVT_RELOAD, on_reload},
	{MOSQ_EVT_DISCONNECT, on_disconnect},
	{MOSQ_EVT_CONNECT, on_connect},
	{MOSQ_EVT_CLIENT_OFFLINE, on_disconnect},
	{MOSQ_EVT_EXT_AUTH_START, on_ext_auth},
};

#define REGISTRATIONS (sizeof registrations / sizeof *registrations)

static bool wanted(const struct instance *in, int event)
{
	switch (event) {
	case MOSQ_EVT_BASIC_AUTH:
		return in->admits;
	case MOSQ_EVT_ACL_CHECK:
		return in->judges || (in->admits && host_can_delay());
	case MOSQ_EVT_CONNECT:
	case MOSQ_EVT_CLIENT_OFFLINE:
	case MOSQ_EVT_EXT_AUTH_START:
		return host_can_delay();
	}
	return true;
}

int instance_register(struct instance *in)
{
	for (size_t i = 0; i < REGISTRATIONS; i++) {
		if (!wanted(in, registrations[i].event)) {
			continue;
		}
		int rc = host.callback_register(in->id, registrations[i].event, registrations[i].callback, NULL, in);
		if (rc != MOSQ_ERR_SUCCESS) {
			host.log_printf(MOSQ_LOG_ERR, "go-auth: the broker refused event %d with error %d; "
				"is the plugin named twice for the same listener?", registrations[i].event, rc);
			return rc;
		}
		in->registered = i + 1;
	}
	if (host.plugin_set_info) {
		host.plugin_set_info(in->id, "go-auth", goauthVersion());
	}
	return MOSQ_ERR_SUCCESS;
}

/* The broker removes the callbacks of a plugin that it unloads; 2.0 wants to be
 * told. */
void instance_unregister(struct instance *in)
{
	for (size_t i = 0; i < in->registered; i++) {
		if (wanted(in, registrations[i].event)) {
			host.callback_unregister(in->id, registrations[i].event, registrations[i].callback, NULL);
		}
	}
	in->registered = 0;
}

int mosquitto_plugin_cleanup(void *userdata, struct mosquitto_opt *options, int count)
{
	(void)options;
	(void)count;
	if (userdata) {
		end(userdata);
	}
	return MOSQ_ERR_SUCCESS;
}
