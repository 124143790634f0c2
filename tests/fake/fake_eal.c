/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

#include <errno.h>
#include <stdlib.h>

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
static TAILQ_HEAD(, dmap_domain) domains = TAILQ_HEAD_INITIALIZER(domains);
static unsigned int nb_domains;
static int refusal;

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
add_pages(char *addr, size_t len, struct dmap_region_list *out)
{
	uintptr_t va = (uintptr_t)addr / FAKE_PAGE * FAKE_PAGE, end = (uintptr_t)addr + len;
	int ret = 0;

	for (; va < end && ret == 0; va += FAKE_PAGE) {
		/* A number that is a file of its own for each page; nobody opens it. */
		struct dmap_region r = { .va = va,
			.len = FAKE_PAGE,
			.da.v = va,
			.fd = 1000 + (int)(va / FAKE_PAGE % 100000000) };

		if (find((char *)va) == NULL)
			return -ENOTSUP;
		ret = dmap_region_list_add(out, &r);
	}
	return ret;
}

bool
dmap_eal_owns(const void *addr, size_t len)
{
	RTE_SET_USED(addr);
	RTE_SET_USED(len);
	return true; /* dmap_eal_pages() knows */
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
	return p->ext != NULL ? add_pages(p->ext, p->ext_len, out) :
				add_pages(p->mem, p->mem_len, out);
}

int
dmap_eal_all_pages(bool have_lock, struct dmap_region_list *out)
{
	const struct piece *p;
	int ret = 0;

	RTE_SET_USED(have_lock);
	TAILQ_FOREACH(p, &pieces, next)
		if (ret == 0)
			ret = add_pages(p->addr, p->len, out);
	return ret;
}

int
dmap_event_attach(struct dmap_domain *d)
{
	int ret = refusal;

	refusal = 0;
	if (ret != 0)
		return ret;
	TAILQ_INSERT_TAIL(&domains, d, next);
	nb_domains++;
	return 0;
}

void
dmap_event_detach(struct dmap_domain *d)
{
	struct dmap_domain *known;

	TAILQ_FOREACH(known, &domains, next)
		if (known == d)
			break;
	if (known == NULL)
		return;
	TAILQ_REMOVE(&domains, d, next);
	nb_domains--;
}

void
fake_event_pool_destroyed(struct rte_mempool *mp)
{
	struct dmap_domain *d;

	TAILQ_FOREACH(d, &domains, next)
		dmap_del_pool(d, mp);
}

void
fake_event_memory_freed(void *addr, size_t len)
{
	struct dmap_domain *d;

	TAILQ_FOREACH(d, &domains, next)
		dmap_domain_memory_freed(d, addr, len);
}

void
fake_event_memory_added(void)
{
	struct dmap_domain *d;

	TAILQ_FOREACH(d, &domains, next)
		dmap_domain_memory_added(d);
}

void
fake_event_refuse(int error)
{
	refusal = error;
}

unsigned int
fake_event_nb_domains(void)
{
	return nb_domains;
}
