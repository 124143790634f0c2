/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/* rte_thread_create_internal_control() of DPDK 23.11, for older releases. */

#include <errno.h>
#include <stdlib.h>

#include <rte_lcore.h>

#ifdef SLUICE_COMPAT_THREAD

struct start {
	rte_thread_func fn;
	void *arg;
};

static void *
run(void *arg)
{
	struct start start = *(struct start *)arg;

	free(arg);
	return (void *)(uintptr_t)start.fn(start.arg);
}

int
rte_thread_create_internal_control(
		rte_thread_t *id, const char *name, rte_thread_func fn, void *arg)
{
	struct start *start = malloc(sizeof(*start));
	pthread_t thread;
	int ret;

	if (start == NULL)
		return -ENOMEM;
	start->fn = fn;
	start->arg = arg;
	ret = rte_ctrl_thread_create(&thread, name, NULL, run, start);
	if (ret != 0) {
		free(start);
		return ret;
	}
	id->opaque_id = thread; /* as rte_thread_self() has it on Linux */
	return 0;
}

#endif
