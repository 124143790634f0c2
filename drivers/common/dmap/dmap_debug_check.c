/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/* What the checker looks for where memory is lent, mapped, synced, and taken away. */

#include <string.h>

#include <rte_memory.h>

#include "dmap_debug_impl.h"

/* Of the page that an address is in. */
static bool
is_read_only(struct dmap_domain *d, const void *va)
{
	bool is_ro = false;
	unsigned int i;

	rte_spinlock_lock(&d->table_lock);
	for (i = 0; i < d->regions.nb; i++)
		if ((uintptr_t)va - d->regions.r[i].va < d->regions.r[i].len)
			is_ro |= (d->regions.r[i].flags & DMAP_REGION_READ_ONLY) != 0;
	rte_spinlock_unlock(&d->table_lock);
	return is_ro;
}

RTE_EXPORT_INTERNAL_SYMBOL(dmap_debug_check_place)
void
dmap_debug_check_place(struct dmap_domain *d, const struct dmap_debug_loan *loan)
{
	struct dmap_window w;

	if (dmap_lookup(d, loan->va, 1, &w) != 0)
		dmap_debug_report(d, DMAP_DEBUG_NOT_MAPPED, loan, "not in the domain");
	else if (dmap_lookup(d, loan->va, loan->len, &w) != 0)
		dmap_debug_report(d, DMAP_DEBUG_CROSSES_END, loan, "the map ends before");
	else if ((loan->dir & DMAP_FROM_DEVICE) && is_read_only(d, loan->va))
		dmap_debug_report(d, DMAP_DEBUG_DIRECTION, loan, "the device may only read there");
}

/* A burst that may have completed it is under way, or nobody has noted yet what one did. */
static bool
may_be_back(const struct dmap_debug_loan *loan)
{
	return loan->is_stale != NULL &&
			rte_atomic_load_explicit(loan->is_stale, rte_memory_order_acquire) != 0;
}

/* Who else has the mbuf? As many may as there are references to it. */
static void
check_others(struct dmap_domain *d, const struct dmap_debug_loan *loan)
{
	const struct dmap_domain *other = NULL;
	struct dmap_debug_entry *e;
	char whose[64] = "";
	uint16_t nb = 0;

	rte_spinlock_lock(&dmap_debug_lock);
	for (e = dmap_debug_first(loan->m); e != NULL; e = dmap_debug_next(e)) {
		if (may_be_back(&e->loan))
			continue;
		nb++;
		if (other == NULL || e->domain != d)
			other = e->domain;
	}
	if (other != NULL)
		memcpy(whose, other->debug->who, sizeof(whose));
	rte_spinlock_unlock(&dmap_debug_lock);
	if (rte_mbuf_refcnt_read(loan->m) == 0)
		dmap_debug_report(d, DMAP_DEBUG_FREE_GIVEN, loan, "its reference count is 0");
	else if (nb == 0 || nb + 1 <= rte_mbuf_refcnt_read(loan->m))
		return;
	else if (loan->dir == DMAP_FROM_DEVICE)
		/* The driver took it from its pool. */
		dmap_debug_report(d, DMAP_DEBUG_FREED_IN_FLIGHT, loan, "%s has it", whose);
	else
		dmap_debug_report(d, other == d ? DMAP_DEBUG_TWICE : DMAP_DEBUG_TWO_DEVICES, loan,
				"%s has it, and its reference count is %u", whose,
				rte_mbuf_refcnt_read(loan->m));
}

RTE_EXPORT_INTERNAL_SYMBOL(dmap_debug_check_buffer)
void
dmap_debug_check_buffer(struct dmap_domain *d, const struct dmap_debug_loan *loan)
{
	const struct rte_mbuf *m = loan->m;
	uintptr_t off = (uintptr_t)loan->va - (uintptr_t)m->buf_addr;

	check_others(d, loan);
	if (off > m->buf_len || loan->len > m->buf_len - off)
		dmap_debug_report(d, DMAP_DEBUG_CROSSES_END, loan, "the mbuf's buffer has %u bytes",
				m->buf_len);
}

/* An mbuf has not so many segments, and one that two loans are of is not taken for the other's. */
static uint16_t
mark_of(const struct dmap_debug_entry *e)
{
	return DMAP_DEBUG_MARK | dmap_debug_number(e);
}

bool
dmap_debug_unmark(struct dmap_debug_entry *e)
{
	struct rte_mbuf *m = (struct rte_mbuf *)(uintptr_t)e->loan.m;
	uint16_t nb_segs = e->loan.nb_segs;

	e->loan.nb_segs = 0;
	if (nb_segs == 0)
		return true;
	if (m->nb_segs != mark_of(e))
		return false;
	m->nb_segs = nb_segs;
	return true;
}

RTE_EXPORT_INTERNAL_SYMBOL(dmap_debug_watch)
void
dmap_debug_watch(uint32_t number)
{
	struct dmap_debug_entry *e = dmap_debug_at(number);
	struct rte_mbuf *m;

	if (e == NULL || e->loan.is_gone)
		return;
	m = (struct rte_mbuf *)(uintptr_t)e->loan.m;
	if (rte_mbuf_refcnt_read(m) != 1 || m->nb_segs >= DMAP_DEBUG_MARK)
		return;
	e->loan.nb_segs = m->nb_segs;
	m->nb_segs = mark_of(e);
}

RTE_EXPORT_INTERNAL_SYMBOL(dmap_debug_unwatch)
void
dmap_debug_unwatch(struct dmap_domain *d, uint32_t number)
{
	struct dmap_debug_entry *e = dmap_debug_at(number);

	if (e == NULL || dmap_debug_unmark(e))
		return;
	e->loan.is_gone = true;
	dmap_debug_report(d, DMAP_DEBUG_FREED_IN_FLIGHT, &e->loan,
			"it is in its pool, or was taken from there, as nb_segs %u shows",
			e->loan.m->nb_segs);
}

static bool
loan_overlaps(const struct dmap_debug_loan *l, uintptr_t va, uint64_t len)
{
	return dmap_overlap((uintptr_t)l->va, l->len, va, len);
}

/* Calls fn for each loan of a domain until it says false; the lock is held meanwhile. */
typedef bool (*visit_fn)(struct dmap_debug_entry *e, void *arg);

static void
visit(const struct dmap_domain *d, visit_fn fn, void *arg)
{
	struct dmap_debug_entry *e;
	uint32_t i;

	rte_spinlock_lock(&dmap_debug_lock);
	for (i = 1; i < DMAP_DEBUG_ENTRIES; i++) {
		e = dmap_debug_at(i);
		if (e != NULL && e->domain == d && !fn(e, arg))
			break;
	}
	rte_spinlock_unlock(&dmap_debug_lock);
}

/* What is looked for, and found. */
struct search {
	const struct dmap_map *map;
	struct dmap_domain *domain; /* that pages left; NULL: they are memory that ends */
	const char *pool; /* whose mbufs end as well, wherever their data lie; NULL: none do */
	const struct dmap_region_list *pages;
	struct dmap_debug_loan found;
	unsigned int nb;
};

/* Both may read. */
static bool
note_overlap(struct dmap_debug_entry *e, void *arg)
{
	struct search *s = arg;

	if (e->loan.place != NULL || !loan_overlaps(&e->loan, (uintptr_t)s->map->va, s->map->len) ||
			(e->loan.dir == DMAP_TO_DEVICE && s->map->dir == DMAP_TO_DEVICE))
		return true;
	s->found = e->loan;
	s->nb++;
	return false;
}

/* Pages that others show as well stay. */
static bool
is_hidden(const struct dmap_debug_entry *e, const struct search *s)
{
	struct dmap_window w;
	unsigned int i;

	if (s->pool != NULL && strcmp(e->loan.pool, s->pool) == 0)
		return true;
	for (i = 0; i < s->pages->nb; i++)
		if (loan_overlaps(&e->loan, s->pages->r[i].va, s->pages->r[i].len))
			return s->domain == NULL ||
					dmap_lookup(s->domain, e->loan.va, e->loan.len, &w) != 0;
	return false;
}

static bool
note_hidden(struct dmap_debug_entry *e, void *arg)
{
	struct search *s = arg;

	if (e->loan.is_gone || !is_hidden(e, s))
		return true;
	dmap_debug_unmark(e);
	e->loan.is_gone = true;
	/* Who frees memory with the packet that lay in it does so within the burst. */
	if (s->pool == NULL && e->loan.dir == DMAP_TO_DEVICE && may_be_back(&e->loan))
		return true;
	s->found = e->loan;
	s->nb++;
	return true;
}

void
dmap_debug_hide(struct dmap_domain *d, const struct dmap_region_list *pages)
{
	struct search s = { .domain = d, .pages = pages };

	if (d->debug == NULL)
		return;
	visit(d, note_hidden, &s);
	if (s.nb != 0)
		dmap_debug_report(d, DMAP_DEBUG_HIDDEN_IN_FLIGHT, &s.found, "one of %u", s.nb);
}

void
dmap_debug_pool_gone(struct dmap_domain *d, struct rte_mempool *mp)
{
	struct dmap_region_list bytes = { 0 };
	struct search s = { .pages = &bytes, .pool = mp->name };

	if (d->debug == NULL)
		return;
	/* Not its pages: other pools lie in them, too. */
	if (dmap_eal_pool_pages(mp, 1, &bytes) == 0)
		visit(d, note_hidden, &s);
	dmap_region_list_free(&bytes);
	/* Those that a burst has just completed are back, although it is not noted yet. */
	if (s.nb != 0 && rte_mempool_in_use_count(mp) != 0)
		dmap_debug_report(d, DMAP_DEBUG_POOL_FREED, &s.found, "one of %u", s.nb);
}

void
dmap_debug_pool_ready(struct dmap_domain *d, const struct rte_mempool *mp)
{
	bool is_known;

	if (d->debug == NULL)
		return;
	rte_spinlock_lock(&d->table_lock);
	is_known = dmap_domain_find(d, DMAP_OWNER_POOL, mp) != NULL;
	rte_spinlock_unlock(&d->table_lock);
	if (is_known)
		dmap_debug_report(d, DMAP_DEBUG_POOL_CHANGED, NULL,
				"%s: populate it before a port uses it", mp->name);
}

void
dmap_debug_map(struct dmap_domain *d, const struct rte_mbuf *m, const struct dmap_map *map,
		const void *site)
{
	struct dmap_debug_loan loan = {
		.va = map->va, .len = map->len, .dir = map->dir, .da = map->da, .site = site
	};
	struct search s = { .map = map };

	dmap_debug_set_mbuf(&loan, m);
	if (map->error != 0) {
		if (map->len != 0 && !dmap_eal_owns(map->va, 1) &&
				dmap_sealed_pool_of(map->va, 1) == NULL)
			dmap_debug_report(d, DMAP_DEBUG_NO_OWNER, &loan,
					"nor any other memory of EAL");
		return;
	}
	visit(d, note_overlap, &s);
	if (s.nb != 0)
		dmap_debug_report(d, DMAP_DEBUG_OVERLAP, &loan, "with %u bytes at %p", s.found.len,
				s.found.va);
	if (m != NULL)
		dmap_debug_check_buffer(d, &loan);
	if (map->bounce == 0)
		dmap_debug_check_place(d, &loan);
	if (map->dir == DMAP_TO_DEVICE)
		loan.sum = dmap_debug_sum(&loan);
	dmap_debug_lent(d, &loan);
}

/* The loan of a map, as it was made; *number is 0 if there is none. */
static struct dmap_debug_loan
loan_of(const struct dmap_domain *d, const struct dmap_map *map, uint32_t *number)
{
	struct dmap_debug_loan loan = {
		.va = map->va, .len = map->len, .dir = map->dir, .da = map->da
	};
	struct dmap_debug_entry *e;
	uint32_t i;

	*number = 0;
	rte_spinlock_lock(&dmap_debug_lock);
	for (i = 1; i < DMAP_DEBUG_ENTRIES && *number == 0; i++) {
		e = dmap_debug_at(i);
		if (e == NULL || e->domain != d || e->loan.place != NULL ||
				e->loan.da.v != map->da.v)
			continue;
		loan = e->loan;
		*number = i;
	}
	rte_spinlock_unlock(&dmap_debug_lock);
	return loan;
}

void
dmap_debug_unmap(struct dmap_domain *d, const struct dmap_map *map)
{
	uint32_t number;
	struct dmap_debug_loan loan = loan_of(d, map, &number);

	if (number == 0 || map->error != 0) {
		dmap_debug_report(
				d, DMAP_DEBUG_UNMAP_UNKNOWN, &loan, "unmap, error %d", map->error);
		return;
	}
	if (map->len != loan.len || map->va != loan.va)
		dmap_debug_report(d, DMAP_DEBUG_UNMAP_SIZE, &loan, "unmap of %u bytes at %p",
				map->len, map->va);
	if (map->dir != loan.dir)
		dmap_debug_report(d, DMAP_DEBUG_DIRECTION, &loan,
				"mapped with %d, unmapped with %d", loan.dir, map->dir);
	if (loan.dir == DMAP_TO_DEVICE && !loan.is_gone && dmap_debug_sum(&loan) != loan.sum)
		dmap_debug_report(d, DMAP_DEBUG_WRITTEN, &loan,
				"and nobody said dmap_sync_for_device()");
	dmap_debug_returned(number);
}

void
dmap_debug_sync(struct dmap_domain *d, const struct dmap_map *map, uint32_t off, uint32_t len,
		enum dmap_dir dir)
{
	uint32_t number;
	struct dmap_debug_loan loan = loan_of(d, map, &number);

	if (number == 0 || map->error != 0)
		dmap_debug_report(d, DMAP_DEBUG_UNMAP_UNKNOWN, &loan, "sync, error %d", map->error);
	else if (off > loan.len || len > loan.len - off)
		dmap_debug_report(d, DMAP_DEBUG_CROSSES_END, &loan, "sync of %u bytes at offset %u",
				len, off);
	else if (map->dir != loan.dir || (loan.dir & dir) == 0)
		dmap_debug_report(d, DMAP_DEBUG_DIRECTION, &loan, "mapped with %d, synced with %d",
				loan.dir, dir);
	else if (dir == DMAP_TO_DEVICE)
		dmap_debug_at(number)->loan.sum = dmap_debug_sum(&loan);
}
