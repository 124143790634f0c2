/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

#include <dirent.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#include "fake_fault.h"

static __thread bool is_armed;
static __thread uint32_t nth_left, nb_calls;

/* The linker has them called in place of those of the C library (--wrap). */
void *__real_malloc(size_t len);
void *__wrap_malloc(size_t len);
void *__real_calloc(size_t nb, size_t len);
void *__wrap_calloc(size_t nb, size_t len);
void *__real_realloc(void *old, size_t len);
void *__wrap_realloc(void *old, size_t len);
char *__real_strdup(const char *s);
char *__wrap_strdup(const char *s);
int __real_eventfd(unsigned int count, int flags);
int __wrap_eventfd(unsigned int count, int flags);

void
fake_fault_arm(uint32_t nth)
{
	nth_left = nth;
	nb_calls = 0;
	is_armed = true;
}

uint32_t
fake_fault_disarm(void)
{
	is_armed = false;
	return nb_calls;
}

void
fake_fault_hold(bool is_held)
{
	static __thread bool was_armed;

	if (is_held) {
		was_armed = is_armed;
		is_armed = false;
	} else {
		is_armed = was_armed;
	}
}

bool
fake_fault_hits(void)
{
	if (!is_armed)
		return false;
	nb_calls++;
	return nth_left != FAKE_FAULT_NEVER && nth_left-- == 0;
}

static bool
hits(int err)
{
	if (!fake_fault_hits())
		return false;
	errno = err;
	return true;
}

void *
__wrap_malloc(size_t len)
{
	return hits(ENOMEM) ? NULL : __real_malloc(len);
}

void *
__wrap_calloc(size_t nb, size_t len)
{
	return hits(ENOMEM) ? NULL : __real_calloc(nb, len);
}

void *
__wrap_realloc(void *old, size_t len)
{
	return hits(ENOMEM) ? NULL : __real_realloc(old, len);
}

char *
__wrap_strdup(const char *s)
{
	return hits(ENOMEM) ? NULL : __real_strdup(s);
}

int
__wrap_eventfd(unsigned int count, int flags)
{
	return hits(EMFILE) ? -1 : __real_eventfd(count, flags);
}

unsigned int
fake_count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int nb = 0;

	while (readdir(dir) != NULL)
		nb++;
	closedir(dir);
	return nb;
}
