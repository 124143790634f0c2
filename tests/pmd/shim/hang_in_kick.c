/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * write() of eight bytes, which is a kick, never comes back once the file of the name in HANG_WHEN
 * is there: the core stays inside of its burst.
 */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

ssize_t
write(int fd, const void *buf, size_t len)
{
	static ssize_t (*real)(int fd, const void *buf, size_t len);
	const char *when = getenv("HANG_WHEN");

	if (real == NULL)
		real = (ssize_t(*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");
	while (len == 8 && when != NULL && getpid() != gettid() && access(when, F_OK) == 0)
		pause();
	return real(fd, buf, len);
}
