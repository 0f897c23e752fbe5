/* pace LIBRARY FUNCTION RATE SECONDS
 *
 * Calls FUNCTION of LIBRARY so many times a second, what is due every
 * millisecond, as a broker calls its plugin when messages have come. It prints
 * two numbers: how many nanoseconds a call took, and how many nanoseconds of CPU
 * time the process took for it, in all its threads and above what it takes
 * without a library for a function that does nothing. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static int64_t now(clockid_t clock)
{
	struct timespec t;
	clock_gettime(clock, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void nothing(void) {}

struct cost { double wall, cpu; };

static struct cost pace(void (*volatile call)(void), int rate, double seconds)
{
	int64_t begin = now(CLOCK_MONOTONIC), cpu = now(CLOCK_PROCESS_CPUTIME_ID), wall = 0;
	long done = 0, all = (long)(rate * seconds);
	for (int64_t at = begin; done < all; at += 1000000) {
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME,
			&(struct timespec){at / 1000000000, at % 1000000000}, NULL);
		int64_t start = now(CLOCK_MONOTONIC);
		for (long due = (long)((double)(start - begin) / 1e9 * rate); done < due; done++)
			call();
		wall += now(CLOCK_MONOTONIC) - start;
	}
	return (struct cost){(double)wall / (double)all, (double)(now(CLOCK_PROCESS_CPUTIME_ID) - cpu) / (double)all};
}

int main(int argc, char **argv)
{
	if (argc != 5)
		return fprintf(stderr, "usage: pace LIBRARY FUNCTION RATE SECONDS\n"), 2;
	int rate = atoi(argv[3]);
	double seconds = atof(argv[4]);
	struct cost without = pace(nothing, rate, seconds);
	void *library = dlopen(argv[1], RTLD_NOW);
	void (*call)(void);
	if (!library || !(*(void **)&call = dlsym(library, argv[2])))
		return fprintf(stderr, "%s\n", dlerror()), 1;
	call();
	struct cost with = pace(call, rate, seconds);
	printf("%.1f %.1f\n", with.wall - without.wall, with.cpu - without.cpu);
	return 0;
}
