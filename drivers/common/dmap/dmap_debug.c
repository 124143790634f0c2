/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/* The checker's table of what devices have, and its reports. Checks are in dmap_debug_check.c. */

#include <dlfcn.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_lcore.h>
#include <rte_string_fns.h>

#include "dmap_debug_impl.h"

#define BUCKET_BITS 16
#define NB_BUCKETS (1 << BUCKET_BITS)

rte_spinlock_t dmap_debug_lock = RTE_SPINLOCK_INITIALIZER;
/* Number 0 is none. */
static struct dmap_debug_entry *entries;
static uint32_t *buckets;
static uint32_t first_free, nb_users;
static bool was_full_said;

static const char *const names[] = {
	[DMAP_DEBUG_NOT_MAPPED] = "memory that the device does not reach",
	[DMAP_DEBUG_CROSSES_END] = "bytes beyond the end of what is mapped",
	[DMAP_DEBUG_DIRECTION] = "wrong direction",
	[DMAP_DEBUG_TWICE] = "given although the device has it already",
	[DMAP_DEBUG_TWO_DEVICES] = "given although another device has it",
	[DMAP_DEBUG_FREE_GIVEN] = "given although it is free",
	[DMAP_DEBUG_FREED_IN_FLIGHT] = "freed while a device has it",
	[DMAP_DEBUG_WRITTEN] = "written to while the device has it",
	[DMAP_DEBUG_BEYOND_USED] = "changed behind the bytes that the device returned",
	[DMAP_DEBUG_BEYOND_END] = "changed behind the bytes that the device got",
	[DMAP_DEBUG_HEADROOM] = "changed before the bytes that the device got",
	[DMAP_DEBUG_BAD_COMPLETION] = "the device returned what it does not have",
	[DMAP_DEBUG_DOUBLE_COMPLETION] = "the device returned something twice",
	[DMAP_DEBUG_BAD_LENGTH] = "the device returned a length that cannot be",
	[DMAP_DEBUG_RING_CHANGED] = "the ring was changed where the device only reads it",
	[DMAP_DEBUG_HIDDEN_IN_FLIGHT] = "hidden from the device while it has it",
	[DMAP_DEBUG_UNMAP_UNKNOWN] = "unmapped or synced, and not mapped",
	[DMAP_DEBUG_UNMAP_SIZE] = "unmapped with another size or address than mapped",
	[DMAP_DEBUG_OVERLAP] = "overlaps what is mapped already",
	[DMAP_DEBUG_MAPS_LEFT] = "still mapped at the end",
	[DMAP_DEBUG_BUFFERS_LEFT] = "still the device's at the end",
	[DMAP_DEBUG_POOL_FREED] = "its mempool is freed while the device has it",
	[DMAP_DEBUG_POOL_CHANGED] = "a mempool got memory after it was mapped",
	[DMAP_DEBUG_NO_OWNER] = "memory of no pool and no ring",
};
static_assert(RTE_DIM(names) == DMAP_DEBUG_NB_CHECKS, "a name for each");

RTE_EXPORT_INTERNAL_SYMBOL(dmap_debug_name)
const char *
dmap_debug_name(enum dmap_debug_check what)
{
	return names[what];
}

const void *
dmap_debug_key(const struct dmap_debug_loan *loan)
{
	return loan->m != NULL ? (const void *)loan->m : loan->va;
}

/* By the golden ratio: rte_hash_crc.h would bring tables of 8 KiB along. */
static uint32_t *
bucket_of(const void *key)
{
	return &buckets[(uintptr_t)key * UINT64_C(0x9e3779b97f4a7c15) >> (64 - BUCKET_BITS)];
}

struct dmap_debug_entry *
dmap_debug_first(const void *key)
{
	struct dmap_debug_entry *e = &entries[*bucket_of(key)];

	while (e != entries && dmap_debug_key(&e->loan) != key)
		e = &entries[e->next];
	return e == entries ? NULL : e;
}

struct dmap_debug_entry *
dmap_debug_next(struct dmap_debug_entry *e)
{
	const void *key = dmap_debug_key(&e->loan);

	do
		e = &entries[e->next];
	while (e != entries && dmap_debug_key(&e->loan) != key);
	return e == entries ? NULL : e;
}

struct dmap_debug_entry *
dmap_debug_at(uint32_t number)
{
	return number == 0 || number >= DMAP_DEBUG_ENTRIES || entries[number].domain == NULL ?
			NULL :
			&entries[number];
}

uint32_t
dmap_debug_number(const struct dmap_debug_entry *e)
{
	return e - entries;
}

static int
take_table(void)
{
	uint32_t i;

	if (nb_users == 0) {
		entries = calloc(DMAP_DEBUG_ENTRIES, sizeof(*entries));
		buckets = calloc(NB_BUCKETS, sizeof(*buckets));
		if (entries == NULL || buckets == NULL) {
			free(entries);
			free(buckets);
			return -ENOMEM;
		}
		for (i = 1; i < DMAP_DEBUG_ENTRIES; i++)
			entries[i].next = i + 1 < DMAP_DEBUG_ENTRIES ? i + 1 : 0;
		first_free = 1;
		was_full_said = false;
	}
	nb_users++;
	return 0;
}

RTE_EXPORT_INTERNAL_SYMBOL(dmap_debug_start)
int
dmap_debug_start(struct dmap_domain *d, const char *who)
{
	struct dmap_debug *g = calloc(1, sizeof(*g));
	int ret = g == NULL ? -ENOMEM : 0;

	if (ret == 0) {
		strlcpy(g->who, who, sizeof(g->who));
		rte_spinlock_lock(&dmap_debug_lock);
		ret = take_table();
		rte_spinlock_unlock(&dmap_debug_lock);
	}
	if (ret == 0)
		d->debug = g;
	else
		free(g);
	return ret;
}

static void
release(uint32_t number)
{
	struct dmap_debug_entry *e = &entries[number];
	uint32_t *link = bucket_of(dmap_debug_key(&e->loan));

	while (*link != number)
		link = &entries[*link].next;
	*link = e->next;
	memset(e, 0, sizeof(*e));
	e->next = first_free;
	first_free = number;
}

void
dmap_debug_tell_left(struct dmap_domain *d)
{
	uint32_t i;

	for (i = 1; i < DMAP_DEBUG_ENTRIES && d->debug != NULL; i++)
		if (entries[i].domain == d)
			dmap_debug_report(d,
					entries[i].loan.place == NULL ? DMAP_DEBUG_MAPS_LEFT :
									DMAP_DEBUG_BUFFERS_LEFT,
					&entries[i].loan, "the end of %s", d->debug->who);
}

void
dmap_debug_end(struct dmap_domain *d)
{
	uint32_t i;

	if (d->debug == NULL)
		return;
	dmap_debug_tell_left(d);
	for (i = 1; i < DMAP_DEBUG_ENTRIES; i++)
		if (entries[i].domain == d)
			dmap_debug_returned(i);
	rte_spinlock_lock(&dmap_debug_lock);
	if (--nb_users == 0) {
		free(entries);
		free(buckets);
	}
	rte_spinlock_unlock(&dmap_debug_lock);
	free(d->debug);
	d->debug = NULL;
}

RTE_EXPORT_INTERNAL_SYMBOL(dmap_debug_lent)
uint32_t
dmap_debug_lent(struct dmap_domain *d, const struct dmap_debug_loan *loan)
{
	uint32_t number, *bucket = bucket_of(dmap_debug_key(loan));
	struct dmap_debug_entry *e;
	bool is_first = false;

	rte_spinlock_lock(&dmap_debug_lock);
	number = first_free;
	if (number != 0) {
		e = &entries[number];
		first_free = e->next;
		e->domain = d;
		e->loan = *loan;
		e->lcore = rte_lcore_id();
		e->next = *bucket;
		*bucket = number;
	} else {
		is_first = !was_full_said;
		was_full_said = true;
	}
	rte_spinlock_unlock(&dmap_debug_lock);
	if (is_first)
		DMAP_LOG(WARNING,
				"dma_debug: devices have more than %u buffers: what is more is not checked; use "
				"smaller rings",
				DMAP_DEBUG_ENTRIES - 1);
	return number;
}

RTE_EXPORT_INTERNAL_SYMBOL(dmap_debug_returned)
void
dmap_debug_returned(uint32_t number)
{
	if (number == 0)
		return;
	rte_spinlock_lock(&dmap_debug_lock);
	dmap_debug_unmark(&entries[number]);
	release(number);
	rte_spinlock_unlock(&dmap_debug_lock);
}

/* DPDK's hashes want bytes that are aligned. */
RTE_EXPORT_INTERNAL_SYMBOL(dmap_debug_sum)
uint64_t
dmap_debug_sum(const struct dmap_debug_loan *loan)
{
	const uint64_t odd = 0x9e3779b97f4a7c15ULL;
	const char *at = loan->va;
	uint64_t sum = loan->len, word;
	uint32_t left = loan->len, n;

	for (; left != 0; left -= n, at += n) {
		n = RTE_MIN(left, (uint32_t)sizeof(word));
		word = 0;
		memcpy(&word, at, n);
		sum = (sum ^ word) * odd;
		sum ^= sum >> 32;
	}
	return sum;
}

RTE_EXPORT_INTERNAL_SYMBOL(dmap_debug_loan)
const struct dmap_debug_loan *
dmap_debug_loan(uint32_t number)
{
	return number == 0 ? NULL : &entries[number].loan;
}

RTE_EXPORT_INTERNAL_SYMBOL(dmap_debug_find)
uint32_t
dmap_debug_find(struct dmap_domain *d, const struct rte_mbuf *m, const char *place)
{
	struct dmap_debug_entry *e;

	rte_spinlock_lock(&dmap_debug_lock);
	for (e = dmap_debug_first(m); e != NULL; e = dmap_debug_next(e))
		if (e->domain == d && e->loan.place == place)
			break;
	rte_spinlock_unlock(&dmap_debug_lock);
	return e == NULL ? 0 : dmap_debug_number(e);
}

/* " at testpmd+0x1234 (pkt_burst_io_forward)" */
static void
describe_site(const void *site, char *text, size_t size)
{
	Dl_info info;

	text[0] = '\0';
	if (site == NULL)
		return;
	if (dladdr(site, &info) == 0 || info.dli_fname == NULL)
		snprintf(text, size, " at %p", site);
	else
		snprintf(text, size, " at %s+0x%" PRIxPTR "%s%s%s", info.dli_fname,
				(uintptr_t)site - (uintptr_t)info.dli_fbase,
				info.dli_sname == NULL ? "" : " (",
				info.dli_sname == NULL ? "" : info.dli_sname,
				info.dli_sname == NULL ? "" : ")");
}

/* Place, address, mbuf, and where it was given. */
static void
describe_loan(const struct dmap_debug_loan *loan, char *text, size_t size)
{
	char site[256], slot[64] = "";
	int n;

	if (loan == NULL) {
		text[0] = '\0';
		return;
	}
	describe_site(loan->site, site, sizeof(site));
	if (loan->place != NULL)
		snprintf(slot, sizeof(slot), "%s slot %u, ", loan->place, loan->slot);
	n = snprintf(text, size, ": %s%u bytes at %p, device address 0x%" PRIx64, slot, loan->len,
			loan->va, loan->da.v);
	if (loan->m != NULL && n > 0 && (size_t)n < size)
		n += snprintf(text + n, size - n, ", mbuf %p of %s", (const void *)loan->m,
				loan->pool);
	if (site[0] != '\0' && n > 0 && (size_t)n < size)
		snprintf(text + n, size - n, ", given%s", site);
}

RTE_EXPORT_INTERNAL_SYMBOL(dmap_debug_report)
void
dmap_debug_report(struct dmap_domain *d, enum dmap_debug_check what,
		const struct dmap_debug_loan *loan, const char *fmt, ...)
{
	char detail[256], text[768];
	va_list args;

	if (rte_atomic_fetch_add_explicit(&d->debug->nb[what], 1, rte_memory_order_relaxed) != 0)
		return;
	va_start(args, fmt);
	vsnprintf(detail, sizeof(detail), fmt, args);
	va_end(args);
	describe_loan(loan, text, sizeof(text));
	DMAP_LOG(ERR, "dma_debug: %s: %s%s (%s; lcore %d now). More of this kind are counted only",
			d->debug->who, names[what], text, detail, (int)rte_lcore_id());
}

RTE_EXPORT_INTERNAL_SYMBOL(dmap_debug_nb)
uint64_t
dmap_debug_nb(const struct dmap_domain *d, enum dmap_debug_check what)
{
	uint64_t nb = 0;
	unsigned int i;

	for (i = 0; d->debug != NULL && i < DMAP_DEBUG_NB_CHECKS; i++)
		if (what == DMAP_DEBUG_NB_CHECKS || i == what)
			nb += rte_atomic_load_explicit(&d->debug->nb[i], rte_memory_order_relaxed);
	return nb;
}
