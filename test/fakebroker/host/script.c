/* fakebroker PLUGIN.so [PATIENCE] < SCRIPT
 *
 * Plays a Mosquitto broker to PLUGIN.so as SCRIPT says, and waits PATIENCE ms
 * (10000) for what it waits for; the steps are described
 * in ../README.md. At the first one that does not go as expected it prints the
 * line, what was expected and what came instead, and exits 1. */
#define _GNU_SOURCE
#include "broker.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { DONE = 2000, UNMET = 2001, HANGS = 6 };

struct words { int n; struct { char *s; size_t size; bool quoted; } w[40]; };

static char where[1200] = "start"; /* line number and text of the step in progress */
static struct mosquitto_plugin_id_t *here; /* the instance that the steps are about */
static char unmet_text[300];
static int patience_ms;                   /* six times as long without an end of the step is a hang */
static int counters[26];                  /* of the loops in progress, by their letters; -1 for none */

void fail(const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	printf("FAIL: ");
	vprintf(fmt, args);
	printf("\n  at %s\n  log so far:\n%s", where, log_text ? log_text : "");
	fflush(stdout);
	_exit(1);
}

static void hung(int s)
{
	(void)s;
	static const char text[] = "FAIL: hung, at ";
	ssize_t n = write(1, text, sizeof text - 1) + write(1, where, strlen(where)) + write(1, "\n", 1);
	_exit(n > 0 ? 1 : 2);
}

__attribute__((format(printf, 1, 2))) static int unmet(const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	vsnprintf(unmet_text, sizeof unmet_text, fmt, args);
	va_end(args);
	return UNMET;
}

/* ---- Return codes and times ---- */

static const struct { const char *name; int rc; } codes[] = {
	{"allow", ALLOW}, {"denied", DENIED}, {"auth", AUTH}, {"defer", DEFER}, {"ignore", IGNORE},
	{"delayed", DELAYED}, {"unasked", UNASKED}, {"refused", REFUSED}};
enum { CODES = sizeof codes / sizeof *codes };

static int number(const char *s, const char *what)
{
	char *end;
	long n = strtol(s, &end, 10);
	if (end == s || *end)
		fail("%s: not %s", s, what);
	return (int)n;
}

static int code(const char *s)
{
	for (int i = 0; i < CODES; i++)
		if (!strcmp(s, codes[i].name))
			return codes[i].rc;
	return number(s, "a return code");
}

static const char *named(int rc, char text[40])
{
	snprintf(text, 40, "%d", rc);
	for (int i = 0; i < CODES; i++)
		if (rc == codes[i].rc)
			snprintf(text, 40, "%s (%d)", codes[i].name, rc);
	return text;
}

static double now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* One turn of the broker's loop. A signal of the plugin cuts the pause short. */
static void turn(void)
{
	broker_tick();
	nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
}

/* ---- Clients ---- */

static struct mosquitto *find(const char *handle)
{
	static int used; /* all behind were never used */
	while (used < POOL && clients[used].state != UNUSED)
		used++;
	for (struct mosquitto *c = clients + used; c-- > clients;)
		if (c->state != UNUSED && !strcmp(c->handle, handle))
			return c;
	return NULL;
}

static struct mosquitto *known(const char *handle)
{
	struct mosquitto *c = find(handle);
	if (!c || c->state == RESERVED)
		fail("no client %s", handle);
	return c;
}

static void set(char **field, const char *value)
{
	free(*field);
	*field = value ? strdup(value) : NULL;
}

/* describe reads the words that say who a client is. */
static void describe(struct mosquitto *c, struct words *w, int i)
{
	for (; i < w->n; i++) {
		const char *word = w->w[i].s;
		if (!strcmp(word, "clean") || !strcmp(word, "persistent")) {
			c->clean = *word == 'c';
			continue;
		}
		if (++i == w->n)
			fail("%s: a value is missing", word);
		const char *value = w->w[i].s;
		if (!strcmp(word, "user")) {
			set(&c->username, value);
		} else if (!strcmp(word, "pass")) {
			free(c->password);
			c->password_size = w->w[i].size;
			c->password = memcpy(malloc(c->password_size + 1), value, c->password_size + 1);
		} else if (!strcmp(word, "passlen")) {
			c->password_len = (uint16_t)number(value, "a length");
		} else if (!strcmp(word, "id")) {
			set(&c->id, value);
		} else if (!strcmp(word, "v")) {
			c->version = number(value, "a protocol version");
		} else if (!strcmp(word, "address")) {
			set(&c->address, strcmp(value, "none") ? value : NULL);
		} else {
			fail("%s: no such word for a client", word);
		}
	}
}

/* new_client takes the next struct that was never used, or the one reserved
 * for the handle. */
static struct mosquitto *new_client(struct words *w)
{
	struct mosquitto *c = find(w->w[1].s);
	if (c && c->state != GONE && c->state != RESERVED && c->state != FRESH)
		fail("%s is still there", c->handle);
	for (int i = 0; (!c || c->state != RESERVED) && i < POOL; i++)
		if (clients[i].state == UNUSED)
			c = &clients[i], i = POOL;
	if (c->state != UNUSED && c->state != RESERVED)
		fail("more than %d clients", POOL);
	char *texts[] = {c->handle, c->id, c->username, c->password, c->address};
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		free(texts[i]); /* of an earlier client with this address */
	*c = (struct mosquitto){.version = 4, .clean = true, .completed = NOT_YET, .state = FRESH, .on = here};
	set(&c->handle, w->w[1].s);
	set(&c->id, w->w[1].s);
	char address[32]; /* each its own: addresses are judged by their failures */
	snprintf(address, sizeof address, "127.1.%d.%d", (int)(c - clients) / 250, (int)(c - clients) % 250 + 1);
	set(&c->address, address);
	describe(c, w, 2);
	return c;
}

/* ---- Steps: each returns the plugin's code, DONE or UNMET ---- */

static int do_instance(struct words *w)
{
	for (here = instances; here && strcmp(here->name, w->w[1].s); here = here->next)
		;
	if (!here) {
		here = calloc(1, sizeof *here);
		set(&here->name, w->w[1].s);
		here->next = instances;
		instances = here;
	}
	return DONE;
}

static int do_init(struct words *w) { (void)w; return broker_init(here); }
static int do_cleanup(struct words *w) { (void)w; return broker_cleanup(here); }
static int do_reload(struct words *w) { (void)w; return broker_reload(here); }
static int do_login(struct words *w) { return broker_login(new_client(w)); }

static int await(struct mosquitto *c)
{
	if (c->state != PENDING && c->completed == NOT_YET)
		return unmet("%s is not pending", c->handle);
	for (double end = now_ms() + patience_ms; c->completed == NOT_YET; turn())
		if (now_ms() > end)
			return unmet("not completed within %d ms", patience_ms);
	return c->completed;
}

static int do_connect(struct words *w)
{
	turn();
	struct mosquitto *c = new_client(w);
	int rc = broker_login(c);
	return rc == DELAYED && c->state == PENDING ? await(c) : rc;
}

static int do_client(struct words *w)
{
	bool connected = !strcmp(w->w[w->n - 1].s, "connected");
	w->n -= connected;
	struct mosquitto *c = new_client(w);
	if (connected)
		broker_admit(c);
	return DONE;
}

static int access_of(const char *s)
{
	static const struct { const char *name; int bit; } kinds[] = {
		{"read", 1}, {"write", 2}, {"subscribe", 4}, {"unsubscribe", 8}};
	for (int i = 0; i < 4; i++)
		if (!strcmp(s, kinds[i].name))
			return kinds[i].bit;
	return number(s, "an access");
}

static int do_acl(struct words *w) { return broker_acl(known(w->w[1].s), access_of(w->w[2].s), w->w[3].s); }

static int do_reask(struct words *w)
{
	struct mosquitto *c = known(w->w[1].s);
	describe(c, w, 2);
	int rc = broker_ask(c);
	if (rc != ALLOW)
		broker_disconnect(c, AUTH);
	return rc;
}

static int do_tick(struct words *w)
{
	if (w->n == 4 && !strcmp(w->w[1].s, "until") && !strcmp(w->w[2].s, "complete"))
		return await(known(w->w[3].s));
	for (int n = w->n > 1 ? number(w->w[1].s, "a count") : 1; n > 0; n--)
		broker_tick();
	return DONE;
}

static int do_drop(struct words *w)
{
	struct mosquitto *c = known(w->w[1].s);
	if (w->n > 2 && !strcmp(w->w[2].s, "nameless"))
		set(&c->username, NULL);
	broker_disconnect(c, 7 /* MOSQ_ERR_CONN_LOST */);
	return DONE;
}

static int do_reuse(struct words *w)
{
	struct mosquitto *c = known(w->w[2].s);
	if (c->state != GONE)
		fail("%s is still there", c->handle);
	set(&c->handle, w->w[1].s);
	c->state = RESERVED;
	return DONE;
}

/* By way of a rename, as mosquitto_passwd and editors do it. */
static int do_copy(struct words *w)
{
	char command[1000];
	const char *to = w->w[2].s;
	snprintf(command, sizeof command, "cp '%s' '%s.new' && mv '%s.new' '%s'", w->w[1].s, to, to, to);
	return system(command) ? unmet("%s", command) : DONE;
}

/* do_measure prints what the process uses, without the log so far. */
static int do_measure(struct words *w)
{
	free(log_text);
	log_text = NULL;
	fflush(stdout);
	long goroutines = 0, heap = 0;
	broker_collect(&goroutines, &heap);
	long rss = 0, threads = 0, fds = -1; /* the directory itself is open while it is read */
	char line[200];
	FILE *status = fopen("/proc/self/status", "r");
	while (status && fgets(line, sizeof line, status)) {
		sscanf(line, "VmRSS: %ld", &rss);
		sscanf(line, "Threads: %ld", &threads);
	}
	if (status)
		fclose(status);
	DIR *open_files = opendir("/proc/self/fd");
	for (struct dirent *e; open_files && (e = readdir(open_files));)
		fds += *e->d_name != '.';
	if (open_files)
		closedir(open_files);
	printf("measure %s: rss %ld kB, heap %ld kB, goroutines %ld, threads %ld, files %ld\n", w->w[1].s, rss, heap / 1024,
	       goroutines, threads, fds);
	return DONE;
}

static void rest_patient(void) { alarm((unsigned)(patience_ms * HANGS + 999) / 1000); }

static int do_patience(struct words *w)
{
	patience_ms = number(w->w[1].s, "milliseconds");
	rest_patient();
	return DONE;
}

/* The pause lasts, whatever signals the plugin sends. */
static int do_pause(struct words *w)
{
	long ms = (long)number(w->w[1].s, "milliseconds");
	struct timespec until;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += ms / 1000;
	until.tv_nsec += ms % 1000 * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
		;
	return DONE;
}

static int do_expect(struct words *w)
{
	const char *what = w->w[1].s, *value = w->n > 2 ? w->w[2].s : "";
	if (!strcmp(what, "onstack"))
		return broker_signals_on_stack() ? DONE : unmet("a signal handler of the broker without SA_ONSTACK");
	if (!strcmp(what, "log") || !strcmp(what, "nolog"))
		return !*value || !strstr(log_text ? log_text : "", value) == (*what == 'n') ? DONE : unmet("log: %s", value);
	static const char *states[] = {"", "", "fresh", "pending", "connected", "gone"};
	struct mosquitto *c = known(value);
	if (!strcmp(what, "kicked") ? c->kicked : !strcmp(what, states[c->state]))
		return DONE;
	return unmet("%s is %s", c->handle, c->kicked ? "kicked" : states[c->state]);
}

static int do_join(struct words *w);

static const struct step { const char *name; int (*run)(struct words *); int min_words; } steps[] = {
	{"instance", do_instance, 2}, {"init", do_init, 1}, {"cleanup", do_cleanup, 1}, {"reload", do_reload, 1},
	{"login", do_login, 2}, {"connect", do_connect, 2}, {"client", do_client, 2}, {"acl", do_acl, 4},
	{"reask", do_reask, 2}, {"tick", do_tick, 1}, {"drop", do_drop, 2}, {"reuse", do_reuse, 3},
	{"measure", do_measure, 2}, {"join", do_join, 1},
	{"copy", do_copy, 3}, {"pause", do_pause, 2}, {"patience", do_patience, 2}, {"expect", do_expect, 2}};

/* ---- Reading a line ---- */

/* split parts a line into words at blanks. "…" knows \0 \n \t \" \\, '…' nothing. */
static void split(char *s, struct words *w)
{
	for (w->n = 0; *(s += strspn(s, " \t")); w->n++) {
		if (w->n == 40)
			fail("too many words");
		char quote = *s == '"' || *s == '\'' ? *s++ : 0, *out = s;
		w->w[w->n].s = s;
		w->w[w->n].quoted = quote;
		for (; *s && (quote ? *s != quote : *s != ' ' && *s != '\t'); s++) {
			bool escape = quote == '"' && *s == '\\' && s[1];
			s += escape;
			*out++ = !escape ? *s : *s == '0' ? '\0' : *s == 'n' ? '\n' : *s == 't' ? '\t' : *s;
		}
		if (quote && !*s)
			fail("the quote is not closed");
		s += *s != 0;
		*out = 0;
		w->w[w->n].size = (size_t)(out - w->w[w->n].s);
	}
}

struct task { const struct step *step; struct words *w; int result; };

static void *on_thread(void *t)
{
	struct task *task = t;
	task->result = task->step->run(task->w);
	return NULL;
}

/* The broker's loop goes on while another thread is in the plugin. */
static int run_on_thread(const struct step *step, struct words *w)
{
	struct task task = {step, w, UNMET};
	pthread_t thread;
	if (step->run != do_login && step->run != do_acl)
		fail("only login and acl come from other threads");
	if (pthread_create(&thread, NULL, on_thread, &task))
		fail("no thread");
	while (pthread_tryjoin_np(thread, NULL) == EBUSY)
		turn();
	return task.result;
}

/* What another thread asks again and again, while the script goes on. */
struct asker {
	struct mosquitto *client;
	char *topic; /* NULL: it logs in */
	int access, times, expected;
	bool inverted;
	char *step;
	pthread_t thread;
	struct asker *next;
};

static struct asker *askers;

static void *ask_on_thread(void *of)
{
	struct asker *a = of;
	for (int i = 0; i < a->times; i++) {
		int rc = a->topic ? broker_acl(a->client, a->access, a->topic) : broker_ask(a->client);
		char got[40];
		if ((rc == a->expected) == a->inverted)
			fail("question %d of %s: got %s", i + 1, a->step, named(rc, got));
	}
	return NULL;
}

/* beside begins such a thread; join waits for all of them, with the broker's loop
 * going on. The client is one of the step "client". */
static void beside(int times, struct words *w, int arrow, int n)
{
	bool acl = !strcmp(w->w[0].s, "acl"), inverted = n == arrow + 3 && !strcmp(w->w[arrow + 1].s, "not");
	if ((!acl && strcmp(w->w[0].s, "reask")) || arrow != (acl ? 4 : 2) || arrow + inverted + 2 != n)
		fail("only acl and reask, without words but with an answer, are asked beside the script");
	struct asker *a = malloc(sizeof *a);
	*a = (struct asker){.client = known(w->w[1].s), .times = times, .expected = code(w->w[n - 1].s), .inverted = inverted,
		.next = askers};
	a->step = strdup(where);
	if (acl) {
		a->access = access_of(w->w[2].s);
		a->topic = strdup(w->w[3].s);
	}
	askers = a;
	if (pthread_create(&a->thread, NULL, ask_on_thread, a))
		fail("no thread");
}

static int do_join(struct words *w)
{
	(void)w;
	for (struct asker *a; (a = askers); free(a)) {
		rest_patient();
		while (pthread_tryjoin_np(a->thread, NULL) == EBUSY)
			turn();
		askers = a->next;
		free(a->topic);
		free(a->step);
	}
	return DONE;
}

static bool as_expected(int got, int arrow, struct words *w, int n)
{
	if (got == UNMET || arrow == n)
		return got == DONE;
	bool inverted = !strcmp(w->w[arrow + 1].s, "not");
	if (arrow + inverted + 2 != n || got == DONE)
		fail("one return code belongs behind the arrow of a step that has one");
	int expected = code(w->w[n - 1].s);
	char a[40], b[40];
	if ((got == expected) != inverted)
		return true;
	unmet("expected %s%s, got %s", inverted ? "not " : "", named(expected, a), named(got, b));
	return false;
}

static void run(char *s)
{
	bool eventually = false, thread = false;
	int within = 0, times = 0, used = 0;
	for (char colon;; s += used) {
		s += strspn(s, " \t");
		if (sscanf(s, "within %dms%c%n", &within, &colon, &used) == 2 && colon == ':')
			continue;
		if (sscanf(s, "beside %d%c%n", &times, &colon, &used) == 2 && colon == ':')
			continue;
		if (!strncmp(s, "eventually:", 11)) {
			eventually = true, used = 11;
		} else if (!strncmp(s, "thread:", 7)) {
			thread = true, used = 7;
		} else if (!strncmp(s, "2.0:", 4) || !strncmp(s, "2.1:", 4)) {
			if ((s[2] == '0') != (BROKER == 20))
				return;
			used = 4;
		} else {
			break;
		}
	}
	char key[200];
	if (sscanf(s, "option %199s%n", key, &used) == 1) { /* the value is the rest of the line, as in mosquitto.conf */
		here->options = realloc(here->options, sizeof(struct option) * (size_t)(here->option_count + 1));
		here->options[here->option_count++] = (struct option){strdup(key), strdup(s + used + strspn(s + used, " \t"))};
		return;
	}
	struct words w;
	split(s, &w);
	int n = w.n, arrow = 0;
	while (arrow < n && (w.w[arrow].quoted || (strcmp(w.w[arrow].s, "→") && strcmp(w.w[arrow].s, "->"))))
		arrow++;
	const struct step *step = steps, *end = steps + sizeof steps / sizeof *steps;
	while (step < end && strcmp(step->name, w.w[0].s))
		step++;
	if (step == end || arrow < step->min_words)
		fail("no such step, or words are missing");
	if (times) {
		beside(times, &w, arrow, n);
		return;
	}
	double start = now_ms();
	unmet_text[0] = 0;
	for (w.n = arrow; !as_expected(thread ? run_on_thread(step, &w) : step->run(&w), arrow, &w, n); w.n = arrow) {
		if (!eventually || now_ms() > start + patience_ms)
			fail("%s", unmet_text[0] ? unmet_text : "the step has a return code; say which is expected");
		turn();
	}
	double took = now_ms() - start;
	if (within) {
		printf("%.2f ms: %s\n", took, where);
		if (took > within)
			fail("took %.2f ms, expected at most %d", took, within);
	}
}

/* ---- Loops ---- */

struct line { int number; char *text; };

static char *without_indent(char *s) { return s + strspn(s, " \t"); }

/* end_of finds the line that ends the loop which begins in one. */
static int end_of(const struct line *lines, int i, int n)
{
	for (int depth = 0; i < n; i++) {
		const char *s = without_indent(lines[i].text);
		depth += !strncmp(s, "repeat ", 7);
		depth -= !strcmp(s, "end");
		if (!depth)
			return i;
	}
	fail("repeat without end");
}

/* count puts the counters of the loops in progress in for $a to $z. */
static void count(char *out, size_t room, const char *s)
{
	for (char *end = out + room - 12; *s && out < end;) {
		bool counter = *s == '$' && s[1] >= 'a' && s[1] <= 'z' && counters[s[1] - 'a'] >= 0;
		if (counter)
			out += sprintf(out, "%d", counters[s[1] - 'a']);
		else
			*out++ = *s;
		s += 1 + counter;
	}
	*out = 0;
}

static void play(const struct line *lines, int i, int n)
{
	for (; i < n; i++) {
		char text[1000];
		count(text, sizeof text, lines[i].text);
		snprintf(where, sizeof where, "line %d: %s", lines[i].number, text);
		int times;
		char letter = 0;
		if (sscanf(text, " repeat %d %c", &times, &letter) < 1) {
			if (*without_indent(text) && *text != '#')
				run(text);
			continue;
		}
		int end = end_of(lines, i, n), *counter = letter >= 'a' && letter <= 'z' ? &counters[letter - 'a'] : &times;
		for (int k = 0, of = times; k < of; k++) {
			*counter = k;
			rest_patient();
			play(lines, i + 1, end);
		}
		*counter = -1;
		i = end;
	}
}

static int read_lines(struct line **lines)
{
	char *line = NULL;
	size_t room = 0;
	int n = 0;
	for (int number = 1; getline(&line, &room, stdin) > 0; number++) {
		line[strcspn(line, "\r\n")] = 0;
		*lines = realloc(*lines, sizeof **lines * (size_t)(n + 1));
		(*lines)[n++] = (struct line){number, strdup(line)};
	}
	free(line);
	return n;
}

int main(int argc, char **argv)
{
	if (argc < 2 || argc > 3)
		return fprintf(stderr, "usage: fakebroker PLUGIN.so [PATIENCE] < SCRIPT\n"), 2;
	sigaction(SIGALRM, &(struct sigaction){.sa_handler = hung, .sa_flags = SA_ONSTACK}, NULL);
	do_patience(&(struct words){.n = 2, .w = {[1] = {.s = argc == 3 ? argv[2] : "10000"}}});
	broker_start(argv[1]);
	do_instance(&(struct words){.n = 2, .w = {[1] = {.s = "main"}}});
	memset(counters, -1, sizeof counters);
	struct line *lines = NULL;
	int n = read_lines(&lines);
	play(lines, 0, n);
	do_join(NULL);
	for (here = instances; here; here = here->next)
		if (here->alive && broker_cleanup(here) != ALLOW)
			fail("cleanup of instance %s at the end of the script", here->name);
	return 0;
}
