/* A second plugin, loaded after the one under test: it says when it is told to
 * reload. */
#include <stddef.h>

typedef int (*callback)(int event, void *data, void *userdata);

void mosquitto_log_printf(int level, const char *format, ...);
int mosquitto_callback_register(void *id, int event, callback, const void *data, void *userdata);
int mosquitto_callback_unregister(void *id, int event, callback, const void *data);

enum { RELOAD = 1, NOTICE = 2, DEFER = 17 };

static int on_reload(int event, void *data, void *userdata)
{
	(void)event;
	(void)data;
	mosquitto_log_printf(NOTICE, "second plugin told to reload");
	return *(int *)userdata;
}

int mosquitto_plugin_version(int count, const int *versions)
{
	(void)count;
	(void)versions;
	return 5;
}

int mosquitto_plugin_init(void *id, void **userdata, void *options, int count)
{
	static int answer = DEFER;
	(void)options;
	if (count > 0) {
		answer = 0; /* any option: the broker is a 2.1 */
	}
	*userdata = id;
	return mosquitto_callback_register(id, RELOAD, on_reload, NULL, &answer);
}

int mosquitto_plugin_cleanup(void *userdata, void *options, int count)
{
	(void)options;
	(void)count;
	return mosquitto_callback_unregister(userdata, RELOAD, on_reload, NULL);
}
