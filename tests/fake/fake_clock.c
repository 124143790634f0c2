/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "fake_clock.h"

void (*fake_clock_on_sleep)(void);

static unsigned int speed = 1; /* 0: it stands */
static int64_t standing;       /* milliseconds */
static int64_t part_us;        /* what was slept of the next one */
/* A millisecond of somebody who looks at the clock, and does nothing else. */
#define LOOKS_PER_MS 1000
static uint32_t nb_looks; /* since it moved last */

/* The linker has them called in place of those of the C library (--wrap). */
int __real_usleep(useconds_t us);
int __wrap_usleep(useconds_t us);
int __real_poll(struct pollfd *pfds, nfds_t nb, int timeout_ms);
int __wrap_poll(struct pollfd *pfds, nfds_t nb, int timeout_ms);
int __wrap___poll_chk(struct pollfd *pfds, nfds_t nb, int timeout_ms, size_t len);

void
fake_clock_run(unsigned int factor)
{
	__atomic_store_n(&speed, factor, __ATOMIC_RELAXED);
}

void
fake_clock_set(int64_t ms)
{
	__atomic_store_n(&standing, ms, __ATOMIC_RELAXED);
	__atomic_store_n(&speed, 0, __ATOMIC_RELAXED);
}

void
fake_clock_add(int64_t ms)
{
	__atomic_store_n(&nb_looks, 0, __ATOMIC_RELAXED);
	__atomic_add_fetch(&standing, ms, __ATOMIC_RELAXED);
}

static bool
stands(void)
{
	return __atomic_load_n(&speed, __ATOMIC_RELAXED) == 0;
}

static void
pass(int64_t us)
{
	int64_t sum = __atomic_add_fetch(&part_us, us, __ATOMIC_RELAXED);

	if (sum >= 1000) {
		__atomic_sub_fetch(&part_us, sum / 1000 * 1000, __ATOMIC_RELAXED);
		fake_clock_add(sum / 1000);
	}
}

int
__wrap_usleep(useconds_t us)
{
	if (!stands())
		return __real_usleep(us);
	pass(us);
	if (fake_clock_on_sleep != NULL)
		fake_clock_on_sleep();
	return 0;
}

int
__wrap_poll(struct pollfd *pfds, nfds_t nb, int timeout_ms)
{
	int ret;

	if (!stands() || timeout_ms <= 0)
		return __real_poll(pfds, nb, timeout_ms);
	ret = __real_poll(pfds, nb, 0);
	if (ret == 0 && fake_clock_on_sleep != NULL) {
		fake_clock_on_sleep();
		ret = __real_poll(pfds, nb, 0);
	}
	if (ret == 0)
		pass(1000LL * timeout_ms);
	return ret;
}

/* What _FORTIFY_SOURCE makes of it, where it knows how long the array is. */
int
__wrap___poll_chk(struct pollfd *pfds, nfds_t nb, int timeout_ms, size_t len)
{
	if (len / sizeof(*pfds) < nb)
		abort();
	return __wrap_poll(pfds, nb, timeout_ms);
}

int64_t
sluice_clock_ms(void)
{
	unsigned int factor = __atomic_load_n(&speed, __ATOMIC_RELAXED);
	struct timespec ts;

	if (factor == 0) {
		if (__atomic_add_fetch(&nb_looks, 1, __ATOMIC_RELAXED) == LOOKS_PER_MS)
			fake_clock_add(1);
		return __atomic_load_n(&standing, __ATOMIC_RELAXED);
	}
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (ts.tv_sec * 1000LL + ts.tv_nsec / 1000000) * factor;
}
