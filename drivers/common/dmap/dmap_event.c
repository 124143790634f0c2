/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * What happens to memory behind the domains' backs: mempools are freed, EAL frees and adds pages.
 * One registration serves all domains.
 */

#include <errno.h>

#include <rte_errno.h>
#include <rte_memory.h>
#include <rte_mempool.h>

#include "dmap_impl.h"

#define MEM_CALLBACK_NAME "sluice_dmap"

static TAILQ_HEAD(, dmap_domain) domains = TAILQ_HEAD_INITIALIZER(domains);
static pthread_mutex_t domains_lock = PTHREAD_MUTEX_INITIALIZER;

static void
on_mempool_event(enum rte_mempool_event event, struct rte_mempool *mp, void *arg)
{
	struct dmap_domain *d;

	RTE_SET_USED(arg);
	if (event != RTE_MEMPOOL_EVENT_DESTROY)
		return;
	pthread_mutex_lock(&domains_lock);
	TAILQ_FOREACH(d, &domains, next)
		dmap_del_pool(d, mp);
	pthread_mutex_unlock(&domains_lock);
}

static void
on_memory_event(enum rte_mem_event event, const void *addr, size_t len, void *arg)
{
	struct dmap_domain *d;

	RTE_SET_USED(arg);
	pthread_mutex_lock(&domains_lock);
	TAILQ_FOREACH(d, &domains, next)
		if (event == RTE_MEM_EVENT_FREE)
			dmap_domain_memory_freed(d, addr, len);
		else
			dmap_domain_memory_added(d);
	pthread_mutex_unlock(&domains_lock);
}

/* EAL's legacy memory mode never frees or adds pages, and has no such events. */
static int
start_events(void)
{
	if (rte_mempool_event_callback_register(on_mempool_event, NULL) < 0)
		return -rte_errno;
	if (rte_mem_event_callback_register(MEM_CALLBACK_NAME, on_memory_event, NULL) < 0 &&
			rte_errno != ENOTSUP) {
		int ret = -rte_errno;

		rte_mempool_event_callback_unregister(on_mempool_event, NULL);
		return ret;
	}
	return 0;
}

static void
stop_events(void)
{
	rte_mempool_event_callback_unregister(on_mempool_event, NULL);
	rte_mem_event_callback_unregister(MEM_CALLBACK_NAME, NULL);
}

int
dmap_event_attach(struct dmap_domain *d)
{
	bool is_first;
	int ret = 0;

	/*
	 * The registration takes EAL's memory lock, under which the callbacks above take domains_lock: so it
	 * must not be taken around the registration.
	 */
	pthread_mutex_lock(&domains_lock);
	is_first = TAILQ_EMPTY(&domains);
	TAILQ_INSERT_TAIL(&domains, d, next);
	pthread_mutex_unlock(&domains_lock);
	if (is_first)
		ret = start_events();
	if (ret != 0) {
		pthread_mutex_lock(&domains_lock);
		TAILQ_REMOVE(&domains, d, next);
		pthread_mutex_unlock(&domains_lock);
	}
	return ret;
}

void
dmap_event_detach(struct dmap_domain *d)
{
	struct dmap_domain *known;
	bool was_last = false;

	pthread_mutex_lock(&domains_lock);
	TAILQ_FOREACH(known, &domains, next)
		if (known == d)
			break;
	if (known != NULL) {
		TAILQ_REMOVE(&domains, d, next);
		was_last = TAILQ_EMPTY(&domains);
	}
	pthread_mutex_unlock(&domains_lock);
	if (was_last)
		stop_events();
}
