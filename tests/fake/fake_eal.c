/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>

#include <rte_errno.h>
#include <rte_memory.h>

#include "dmap_impl.h"
#include "fake_eal.h"
#include "fake_error.h"
#include "fake_pool.h"

struct piece {
	TAILQ_ENTRY(piece) next;
	char *addr;
	size_t len;
};

static TAILQ_HEAD(, piece) pieces = TAILQ_HEAD_INITIALIZER(pieces);
static rte_mempool_event_callback *mempool_callbacks[2];
static rte_mem_event_callback_t memory_callback;
static unsigned int nb_callbacks;
static int refusal;
static int file;

RTE_INIT(fake_eal_open)
{
	file = open("/dev/null", O_RDWR | O_CLOEXEC);
}
/* As EAL has it: held while events are sent and while pages are looked up. */
static pthread_rwlock_t memory_lock = PTHREAD_RWLOCK_INITIALIZER;

void
fake_eal_add(void *addr, size_t len)
{
	struct piece *p = calloc(1, sizeof(*p));

	if ((uintptr_t)addr % FAKE_PAGE != 0 || len % FAKE_PAGE != 0)
		fake_error("fake memory is not made of whole pages");
	p->addr = addr;
	p->len = len;
	TAILQ_INSERT_TAIL(&pieces, p, next);
}

void
fake_eal_remove(void *addr)
{
	struct piece *p;

	TAILQ_FOREACH(p, &pieces, next)
		if (p->addr == addr)
			break;
	if (p == NULL)
		return;
	TAILQ_REMOVE(&pieces, p, next);
	free(p);
}

char *
fake_eal_alloc(unsigned int nb_pages)
{
	char *mem = aligned_alloc(FAKE_PAGE, nb_pages * FAKE_PAGE);

	fake_eal_add(mem, nb_pages * FAKE_PAGE);
	return mem;
}

void
fake_eal_free(char *mem)
{
	fake_eal_remove(mem);
	free(mem);
}

static const struct piece *
find(const char *addr)
{
	const struct piece *p;

	TAILQ_FOREACH(p, &pieces, next)
		if (addr >= p->addr && addr < p->addr + p->len)
			return p;
	return NULL;
}

static int
add_pages_locked(char *addr, size_t len, struct dmap_region_list *out)
{
	uintptr_t va = (uintptr_t)addr / FAKE_PAGE * FAKE_PAGE, end = (uintptr_t)addr + len;
	int ret = 0;

	for (; va < end && ret == 0; va += FAKE_PAGE) {
		/*
		 * One file, in which no page lies behind the one before it: as good as a file for
		 * each.
		 */
		struct dmap_region r = {
			.va = va, .len = FAKE_PAGE, .da.v = va, .fd = file, .fd_off = 2 * va
		};

		if (find((char *)va) == NULL)
			return -ENOTSUP;
		ret = dmap_region_list_add(out, &r);
	}
	return ret;
}

static int
add_pages(char *addr, size_t len, struct dmap_region_list *out)
{
	int ret;

	pthread_rwlock_rdlock(&memory_lock);
	ret = add_pages_locked(addr, len, out);
	pthread_rwlock_unlock(&memory_lock);
	return ret;
}

bool
dmap_eal_owns(const void *addr, size_t len)
{
	bool is_known;

	RTE_SET_USED(len);
	pthread_rwlock_rdlock(&memory_lock);
	is_known = find(addr) != NULL;
	pthread_rwlock_unlock(&memory_lock);
	return is_known;
}

int
dmap_eal_pages(const void *addr, size_t len, size_t granule, struct dmap_region_list *out)
{
	RTE_SET_USED(granule);
	return add_pages((char *)(uintptr_t)addr, len, out);
}

size_t
dmap_eal_page_size(const void *addr)
{
	RTE_SET_USED(addr);
	return 4096;
}

int
dmap_eal_pool_pages(struct rte_mempool *mp, size_t granule, struct dmap_region_list *out)
{
	const struct fake_pool *p = fake_pool_of(mp);

	RTE_SET_USED(granule);
	if (fake_eal_before_walk != NULL)
		fake_eal_before_walk(mp);
	return p->ext != NULL ? add_pages(p->ext, p->ext_len, out) :
				add_pages(p->mem, p->mem_len, out);
}

void (*fake_eal_before_walk)(struct rte_mempool *mp);

int
dmap_eal_all_pages(struct dmap_region_list *out)
{
	const struct piece *p;
	int ret = 0;

	pthread_rwlock_rdlock(&memory_lock);
	TAILQ_FOREACH(p, &pieces, next)
		if (ret == 0)
			ret = add_pages_locked(p->addr, p->len, out);
	pthread_rwlock_unlock(&memory_lock);
	return ret;
}

int
dmap_eal_new_pages(const void *addr, size_t len, struct dmap_region_list *out)
{
	return add_pages_locked((char *)(uintptr_t)addr, len, out);
}

/* In place of the mempool library's and EAL's. */

static rte_mempool_event_callback **
find_mempool_callback(rte_mempool_event_callback *func)
{
	unsigned int i;

	for (i = 0; i < RTE_DIM(mempool_callbacks); i++)
		if (mempool_callbacks[i] == func)
			return &mempool_callbacks[i];
	return NULL;
}

int
rte_mempool_event_callback_register(rte_mempool_event_callback *func, void *arg)
{
	RTE_SET_USED(arg);
	if (refusal != 0 || find_mempool_callback(func) != NULL) {
		rte_errno = refusal != 0 ? -refusal : EEXIST;
		refusal = 0;
		return -1;
	}
	*find_mempool_callback(NULL) = func;
	nb_callbacks++;
	return 0;
}

int
rte_mempool_event_callback_unregister(rte_mempool_event_callback *func, void *arg)
{
	RTE_SET_USED(arg);
	if (find_mempool_callback(func) == NULL)
		return -1;
	*find_mempool_callback(func) = NULL;
	nb_callbacks--;
	return 0;
}

int
rte_mem_event_callback_register(const char *name, rte_mem_event_callback_t func, void *arg)
{
	RTE_SET_USED(name);
	RTE_SET_USED(arg);
	pthread_rwlock_wrlock(&memory_lock);
	if (memory_callback != NULL)
		fake_error("memory events are registered twice");
	memory_callback = func;
	nb_callbacks++;
	pthread_rwlock_unlock(&memory_lock);
	return 0;
}

int
rte_mem_event_callback_unregister(const char *name, void *arg)
{
	RTE_SET_USED(name);
	RTE_SET_USED(arg);
	pthread_rwlock_wrlock(&memory_lock);
	memory_callback = NULL;
	nb_callbacks--;
	pthread_rwlock_unlock(&memory_lock);
	return 0;
}

static void
send_mempool_event(enum rte_mempool_event event, struct rte_mempool *mp)
{
	unsigned int i;

	for (i = 0; i < RTE_DIM(mempool_callbacks); i++)
		if (mempool_callbacks[i] != NULL)
			mempool_callbacks[i](event, mp, NULL);
}

void
fake_event_pool_destroyed(struct rte_mempool *mp)
{
	send_mempool_event(RTE_MEMPOOL_EVENT_DESTROY, mp);
}

void
fake_event_pool_ready(struct rte_mempool *mp)
{
	send_mempool_event(RTE_MEMPOOL_EVENT_READY, mp);
}

static void
send_memory_event(enum rte_mem_event event, void *addr, size_t len)
{
	pthread_rwlock_wrlock(&memory_lock);
	if (memory_callback != NULL)
		memory_callback(event, addr, len, NULL);
	pthread_rwlock_unlock(&memory_lock);
}

void
fake_event_memory_freed(void *addr, size_t len)
{
	send_memory_event(RTE_MEM_EVENT_FREE, addr, len);
}

void
fake_event_memory_added(void *addr, size_t len)
{
	send_memory_event(RTE_MEM_EVENT_ALLOC, addr, len);
}

void
fake_event_refuse(int error)
{
	refusal = error;
}

unsigned int
fake_event_nb_callbacks(void)
{
	return nb_callbacks;
}
