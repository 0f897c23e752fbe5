/* What this plugin uses of Mosquitto's plugin interface, version 5, declared
 * here so that no header of the broker is needed. The layouts are those of
 * mosquitto_broker.h 2.0 and mosquitto/broker.h 2.1; where a later version put
 * something into a reserved place, that is said. */
#ifndef GOAUTH_ABI_H
#define GOAUTH_ABI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ABI_VERSION 5

struct mosquitto;                /* a client */
typedef struct mosquitto_plugin_id_t mosquitto_plugin_id_t;

struct mosquitto_opt {
	char *key;
	char *value;
};

typedef int (*mosquitto_callback)(int event, void *event_data, void *userdata);

enum {
	MOSQ_EVT_RELOAD = 1,
	MOSQ_EVT_ACL_CHECK = 2,
	MOSQ_EVT_BASIC_AUTH = 3,
	MOSQ_EVT_EXT_AUTH_START = 4,
	MOSQ_EVT_TICK = 9,
	MOSQ_EVT_DISCONNECT = 10,
	MOSQ_EVT_CONNECT = 11,        /* 2.1 */
	MOSQ_EVT_CLIENT_OFFLINE = 28, /* 2.1 */
};

enum {
	MOSQ_ERR_AUTH_DELAYED = -5,   /* 2.1 */
	MOSQ_ERR_SUCCESS = 0,
	MOSQ_ERR_INVAL = 3,
	MOSQ_ERR_AUTH = 11,
	MOSQ_ERR_ACL_DENIED = 12,
	MOSQ_ERR_UNKNOWN = 13,
	MOSQ_ERR_NOT_SUPPORTED = 10,
	MOSQ_ERR_PLUGIN_DEFER = 17,
	MOSQ_ERR_PLUGIN_IGNORE = 32,  /* 2.1 */
};

enum {
	MOSQ_LOG_ERR = 8,
};

struct mosquitto_evt_basic_auth {
	void *future;
	struct mosquitto *client;
	char *username;
	char *password;
	uint16_t password_len;        /* after 2.1.2; before, reserved and zero */
	char reserved[6];
	void *future2[3];
};

struct mosquitto_evt_acl_check {
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

/* DISCONNECT, and in 2.1 CONNECT, CLIENT_OFFLINE and EXT_AUTH_START, begin so. */
struct mosquitto_evt_client {
	void *future;
	struct mosquitto *client;
};

#endif
