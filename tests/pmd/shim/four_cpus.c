/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/* To be preloaded: programs that want a CPU for each thread see a machine with four. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <unistd.h>

long
sysconf(int name)
{
	static long (*real)(int name);

	if (name == _SC_NPROCESSORS_ONLN || name == _SC_NPROCESSORS_CONF)
		return 4;
	if (real == NULL)
		real = (long (*)(int))dlsym(RTLD_NEXT, "sysconf");
	return real(name);
}
