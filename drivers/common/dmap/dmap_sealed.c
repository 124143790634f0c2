/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Memory of sealed pools, of the whole process. Each pool has a file of its own, so that a device
 * that is shown one does not get another: what it has of a file is all of it.
 *
 * When a pool ends, all domains forget it before its memory goes: they lend no address of it then,
 * and no table names its file. Its pages go although a device may have mapped the file, and keep it
 * so: there are zeroes then.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <rte_errno.h>
#include <rte_mempool.h>

#include "dmap_impl.h"

struct dmap_sealed {
	TAILQ_ENTRY(dmap_sealed) next;
	const struct rte_mempool *mp; /* NULL: not bound */
	struct dmap_region r;
};

/* Those that are bound. */
static TAILQ_HEAD(, dmap_sealed) list = TAILQ_HEAD_INITIALIZER(list);
/* Held for looks and changes of the list; nothing is taken behind it. */
static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;

RTE_EXPORT_INTERNAL_SYMBOL(dmap_sealed_create)
int
dmap_sealed_create(const char *name, size_t len, int socket, struct dmap_sealed **out)
{
	struct dmap_sealed *s = calloc(1, sizeof(*s));
	void *va;
	int ret;

	if (s == NULL)
		return -ENOMEM;
	/* Whole huge pages, that the kernel may make some. */
	len = RTE_ALIGN_CEIL(
			len, len > DMAP_HUGE_PAGE / 2 ? DMAP_HUGE_PAGE : (size_t)getpagesize());
	va = dmap_memfd_map(name, len, 0, socket, &s->r.fd);
	if (va == MAP_FAILED) {
		ret = -errno;
		DMAP_LOG(ERR, "no memory file of %zu bytes for mempool %s: %s", len, name,
				strerror(errno));
		free(s);
		return ret;
	}
	if (mlock(va, len) < 0)
		DMAP_LOG(INFO, "the memory of mempool %s may be swapped out: %s", name,
				strerror(errno));
	s->r.va = (uintptr_t)va;
	s->r.len = len;
	s->r.da.v = s->r.va;
	*out = s;
	return 0;
}

RTE_EXPORT_INTERNAL_SYMBOL(dmap_sealed_memory)
void *
dmap_sealed_memory(const struct dmap_sealed *s, size_t *len)
{
	*len = s->r.len;
	return (void *)s->r.va;
}

RTE_EXPORT_INTERNAL_SYMBOL(dmap_sealed_destroy)
void
dmap_sealed_destroy(struct dmap_sealed *s)
{
	if (s == NULL)
		return;
	fallocate(s->r.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, s->r.len);
	munmap((void *)s->r.va, s->r.len);
	close(s->r.fd);
	free(s);
}

/* list_lock is held. */
static struct dmap_sealed *
find(const struct rte_mempool *mp)
{
	struct dmap_sealed *s;

	TAILQ_FOREACH(s, &list, next)
		if (s->mp == mp)
			return s;
	return NULL;
}

static void
on_mempool_event(enum rte_mempool_event event, struct rte_mempool *mp, void *arg)
{
	struct dmap_sealed *s;

	RTE_SET_USED(arg);
	if (event != RTE_MEMPOOL_EVENT_DESTROY)
		return;
	pthread_mutex_lock(&list_lock);
	s = find(mp);
	if (s != NULL)
		TAILQ_REMOVE(&list, s, next);
	pthread_mutex_unlock(&list_lock);
	/* Domains have callbacks of their own, which may come later. */
	if (s != NULL)
		dmap_event_pool_gone(mp);
	dmap_sealed_destroy(s);
}

RTE_EXPORT_INTERNAL_SYMBOL(dmap_sealed_bind)
int
dmap_sealed_bind(struct dmap_sealed *s, const struct rte_mempool *mp)
{
	/* For good: the callback may not remove itself, and costs nothing. */
	if (rte_mempool_event_callback_register(on_mempool_event, NULL) < 0 && rte_errno != EEXIST)
		return -rte_errno;
	s->mp = mp;
	pthread_mutex_lock(&list_lock);
	TAILQ_INSERT_TAIL(&list, s, next);
	pthread_mutex_unlock(&list_lock);
	return 0;
}

struct rte_mempool *
dmap_sealed_pool_of(const void *addr, size_t len)
{
	const struct rte_mempool *mp = NULL;
	const struct dmap_sealed *s;

	pthread_mutex_lock(&list_lock);
	TAILQ_FOREACH(s, &list, next)
		if ((uintptr_t)addr - s->r.va < s->r.len &&
				len <= s->r.len - ((uintptr_t)addr - s->r.va))
			mp = s->mp;
	pthread_mutex_unlock(&list_lock);
	return (struct rte_mempool *)(uintptr_t)mp;
}

int
dmap_sealed_pages(const struct rte_mempool *mp, struct dmap_region_list *out)
{
	const struct dmap_sealed *s;
	int ret = -ENOENT;

	pthread_mutex_lock(&list_lock);
	s = find(mp);
	if (s != NULL)
		ret = dmap_region_list_add(out, &s->r);
	pthread_mutex_unlock(&list_lock);
	return ret;
}
