#define _GNU_SOURCE
#include "host.h"

#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

struct host_functions host;
uint64_t host_turn;

static pthread_t main_thread;
static pid_t main_tid;
static int wake_signal; /* 0: none was free */
static struct {
	const char *begin;
	size_t size;
} stack; /* of the broker's thread */

static void woken(int signal) { (void)signal; }

/* choose_signal takes a real-time signal that nobody uses or blocks, to end the
 * broker's sleep with. SIGRTMIN itself is Mosquitto 2.1's request to rotate the log. */
static void choose_signal(void)
{
	sigset_t blocked;
	sigemptyset(&blocked);
	pthread_sigmask(SIG_SETMASK, NULL, &blocked);
	for (int s = SIGRTMIN + 1; s <= SIGRTMAX && !wake_signal; s++) {
		if (sigismember(&blocked, s)) {
			continue;
		}
		struct sigaction old, new = {.sa_handler = woken, .sa_flags = SA_ONSTACK | SA_RESTART};
		if (sigaction(s, NULL, &old) == 0 && old.sa_handler == SIG_DFL && sigaction(s, &new, NULL) == 0) {
			wake_signal = s;
		}
	}
}

static void find_stack(void)
{
	pthread_attr_t a;
	void *begin;
	if (pthread_getattr_np(main_thread, &a) == 0) {
		if (pthread_attr_getstack(&a, &begin, &stack.size) == 0) {
			stack.begin = begin;
		}
		pthread_attr_destroy(&a);
	}
}

bool host_is_standin(const struct mosquitto *client)
{
	return stack.begin && (const char *)client >= stack.begin && (const char *)client < stack.begin + stack.size;
}

const char *host_find(void)
{
	if (main_tid) {
		return NULL;
	}
#define FIND(f) (*(void **)&host.f = dlsym(RTLD_DEFAULT, "mosquitto_" #f))
#define NEED(f) if (!FIND(f)) return "mosquitto_" #f
	NEED(log_printf);
	NEED(callback_register);
	NEED(callback_unregister);
	NEED(client_id);
	NEED(client_username);
	NEED(client_address);
	NEED(client_clean_session);
	NEED(client_protocol_version);
	NEED(set_username);
	NEED(kick_client_by_clientid);
	FIND(complete_basic_auth);
	FIND(client);
	FIND(plugin_set_info);
	main_thread = pthread_self();
	main_tid = (pid_t)syscall(SYS_gettid);
	choose_signal();
	find_stack();
	return NULL;
}

bool host_is_main(void) { return pthread_equal(pthread_self(), main_thread); }

bool host_can_delay(void) { return host.complete_basic_auth && host.client; }

/* The broker installs handlers without SA_ONSTACK after it has loaded its
 * plugins. One that ran while its thread is in Go, or on a thread of Go's, would
 * run on a goroutine's small stack. */
void host_settle(void)
{
	static bool settled;
	if (!host_is_main() || settled) {
		return;
	}
	settled = true;
	const int signals[] = {SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGRTMIN};
	for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
		struct sigaction a;
		if (sigaction(signals[i], NULL, &a) == 0 && a.sa_handler != SIG_DFL && a.sa_handler != SIG_IGN &&
			!(a.sa_flags & SA_ONSTACK)) {
			a.sa_flags |= SA_ONSTACK;
			sigaction(signals[i], &a, NULL);
		}
	}
}

void host_signal(void)
{
	if (wake_signal && !host_is_main()) {
		syscall(SYS_tgkill, getpid(), main_tid, wake_signal);
	}
}

int host_eventfd(void) { return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }

int64_t host_now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* The struct sched_attr of the kernel, as far as it began with. */
struct sched_attributes {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

/* Since Linux 6.12 a thread can ask for the length of its turns, 100 ms at most,
 * and is interrupted for those with shorter ones. Otherwise the broker's thread,
 * woken on the processor of a hash, waits for up to 4 ms. Older kernels take no
 * notice. */
void host_yield(void)
{
	struct sched_attributes a = {0};
	if (syscall(SYS_sched_getattr, 0, &a, sizeof a, 0) == 0 && a.policy == SCHED_OTHER) {
		a.runtime = 100000000;
		syscall(SYS_sched_setattr, 0, &a, 0);
	}
}

/* How many guarded clients share a slot, and how many there are. */
enum { GUARD_BITS = 10 };
static uint32_t guards[1 << GUARD_BITS], guarded;

static uint32_t *guards_of(uintptr_t client)
{
	return &guards[(uint32_t)(client >> 4) * 2654435769u >> (32 - GUARD_BITS)];
}

void host_guard(uintptr_t client, bool begins)
{
	*guards_of(client) += begins ? 1 : -1;
	guarded += begins ? 1 : -1;
}

bool host_may_guard(const struct mosquitto *client) { return guarded && *guards_of((uintptr_t)client); }

void host_log(int level, const char *text) { host.log_printf(level, "%s", text); }

void host_complete(const char *id, bool allow)
{
	if (host.complete_basic_auth) {
		host.complete_basic_auth(id, allow ? MOSQ_ERR_SUCCESS : MOSQ_ERR_AUTH);
	}
}

void host_kick(const char *id) { host.kick_client_by_clientid(id, false); }

struct mosquitto *host_client(const char *id, bool *known)
{
	*known = host.client != NULL;
	return host.client ? host.client(id) : NULL;
}

void host_set_username(uintptr_t client, const char *name) { host.set_username((struct mosquitto *)client, name); }

void instance_set_attention(struct instance *i, int on) { atomic_store(&i->attention, on); }

int instance_attention(struct instance *i) { return atomic_load(&i->attention); }
