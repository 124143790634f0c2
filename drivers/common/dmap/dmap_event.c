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

#include "dmap_debug_impl.h"

#define MEM_CALLBACK_NAME "sluice_dmap"

static TAILQ_HEAD(, dmap_domain) domains = TAILQ_HEAD_INITIALIZER(domains);
/*
 * Read by events, so that one that waits until the kernel has unmapped something holds up no other.
 */
static pthread_rwlock_t domains_lock = PTHREAD_RWLOCK_INITIALIZER;
/*
 * The first domain registers and the last one removes: one at a time, or the last end would remove
 * what a new beginning has just registered. EAL takes its lock in there, under which the callbacks
 * take domains_lock, so this is another one, which no callback takes.
 */
static pthread_mutex_t registration_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t pools_lock = PTHREAD_MUTEX_INITIALIZER;

void
dmap_event_hold_pools(void)
{
	pthread_mutex_lock(&pools_lock);
}

void
dmap_event_release_pools(void)
{
	pthread_mutex_unlock(&pools_lock);
}

/*
 * Nobody can keep an application from freeing a pool, and no buffer can go back to it then. A
 * device has buffers of it from dmap_show() to dmap_revoke(), of which epoch counts the first, too.
 */
static void
tell_in_use(struct dmap_domain *d, const struct rte_mempool *mp)
{
	const struct dmap_owner *o;
	unsigned int nb;
	bool is_shown;

	rte_spinlock_lock(&d->table_lock);
	o = dmap_domain_find(d, DMAP_OWNER_POOL, mp);
	is_shown = o != NULL && d->is_live && d->epoch != 0 &&
			(o->is_shown || !d->backend->is_remote);
	rte_spinlock_unlock(&d->table_lock);
	nb = is_shown ? rte_mempool_in_use_count(mp) : 0;
	if (nb != 0)
		DMAP_LOG(ERR,
				"%s: mempool %s is freed while %u of its buffers are in use, the device "
				"may have them: stop the port first, or have it return what it has "
				"(rte_eth_tx_done_cleanup())",
				d->name, mp->name, nb);
}

void
dmap_event_pool_gone(struct rte_mempool *mp)
{
	struct dmap_domain *d;

	pthread_rwlock_rdlock(&domains_lock);
	TAILQ_FOREACH(d, &domains, next)
		dmap_request_forget(d, mp);
	pthread_rwlock_unlock(&domains_lock);
	/*
	 * Whoever looks at its pages now has read the request before; wait.
	 */
	dmap_event_hold_pools();
	dmap_event_release_pools();
	pthread_rwlock_rdlock(&domains_lock);
	TAILQ_FOREACH(d, &domains, next) {
		tell_in_use(d, mp);
		dmap_debug_pool_gone(d, mp);
		dmap_del_pool(d, mp);
	}
	pthread_rwlock_unlock(&domains_lock);
}

static void
pool_is_ready(const struct rte_mempool *mp)
{
	struct dmap_domain *d;

	pthread_rwlock_rdlock(&domains_lock);
	TAILQ_FOREACH(d, &domains, next)
		dmap_debug_pool_ready(d, mp);
	pthread_rwlock_unlock(&domains_lock);
}

static void
on_mempool_event(enum rte_mempool_event event, struct rte_mempool *mp, void *arg)
{
	RTE_SET_USED(arg);
	if (event == RTE_MEMPOOL_EVENT_DESTROY)
		dmap_event_pool_gone(mp);
	else
		pool_is_ready(mp);
}

static void
on_memory_event(enum rte_mem_event event, const void *addr, size_t len, void *arg)
{
	struct dmap_domain *d;

	RTE_SET_USED(arg);
	pthread_rwlock_rdlock(&domains_lock);
	TAILQ_FOREACH(d, &domains, next)
		if (event == RTE_MEM_EVENT_FREE)
			dmap_domain_memory_freed(d, addr, len);
		else
			dmap_domain_memory_added(d, addr, len);
	pthread_rwlock_unlock(&domains_lock);
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

static void
list_domain(struct dmap_domain *d)
{
	pthread_rwlock_wrlock(&domains_lock);
	TAILQ_INSERT_TAIL(&domains, d, next);
	pthread_rwlock_unlock(&domains_lock);
}

/* After this no event touches it. True if it was the last one. */
static bool
unlist_domain(struct dmap_domain *d)
{
	struct dmap_domain *known;
	bool was_last = false;

	pthread_rwlock_wrlock(&domains_lock);
	TAILQ_FOREACH(known, &domains, next)
		if (known == d)
			break;
	if (known != NULL) {
		TAILQ_REMOVE(&domains, d, next);
		was_last = TAILQ_EMPTY(&domains);
	}
	pthread_rwlock_unlock(&domains_lock);
	return was_last;
}

int
dmap_event_attach(struct dmap_domain *d)
{
	int ret = 0;

	pthread_mutex_lock(&registration_lock);
	/* Only changed with registration_lock held. */
	if (TAILQ_EMPTY(&domains))
		ret = start_events();
	if (ret == 0)
		list_domain(d);
	pthread_mutex_unlock(&registration_lock);
	return ret;
}

void
dmap_event_detach(struct dmap_domain *d)
{
	pthread_mutex_lock(&registration_lock);
	if (unlist_domain(d))
		stop_events();
	pthread_mutex_unlock(&registration_lock);
}
