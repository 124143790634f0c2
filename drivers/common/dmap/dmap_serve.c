/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * What the device is told, and when. All that waits for a device of a remote back end is here,
 * called by the thread that starts the device and by the control thread. A table is made with
 * change_lock held, told without it, and what the device said is noted with it again; so owners may
 * leave meanwhile, and those that came have to wait for the next table.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dmap_impl.h"

/*
 * No back end takes more regions than this; it has to say so itself, and needs no descriptors for
 * it.
 */
#define TABLE_MAX 512

/* Which owners that are not shown yet a table has beside those that are. */
enum offer { OFFER_ALL, OFFER_ONE, OFFER_NONE };

int
dmap_remote_show(void *ctx, const struct dmap_region *regions, unsigned int nb)
{
	const struct dmap_remote *p = ctx;

	return p->show(p->ctx, regions, nb);
}

RTE_EXPORT_INTERNAL_SYMBOL(dmap_set_waker)
void
dmap_set_waker(struct dmap_domain *d, void (*fn)(void *ctx), void *ctx)
{
	pthread_mutex_lock(&d->change_lock);
	d->waker_ctx = ctx;
	rte_atomic_store_explicit(&d->waker, fn, rte_memory_order_release);
	pthread_mutex_unlock(&d->change_lock);
}

/* Answers that leave the exchange with the device intact. */
static bool
is_refusal(int ret)
{
	return ret == -EREMOTEIO || ret == -ENOSPC || ret == -ENOMEM || ret == -EMFILE;
}

static bool
is_offered_or_shown(const struct dmap_owner *o)
{
	return o->is_shown || o->is_offered;
}

static void
free_table(struct dmap_region_list *l)
{
	unsigned int i;

	for (i = 0; i < l->nb; i++)
		if (l->r[i].fd >= 0)
			close(l->r[i].fd);
	dmap_region_list_free(l);
}

/*
 * A table that stays valid without change_lock: EAL closes the file of a page that it frees, and
 * the number may be that of another file when it is sent.
 */
static int
make_table(struct dmap_domain *d, struct dmap_region_list *out)
{
	int ret = dmap_domain_table(d, is_offered_or_shown, out);
	unsigned int i;

	for (i = 0; ret == 0 && i < out->nb; i++) {
		int fd = out->r[i].fd;

		out->r[i].fd = -1;
		if (fd < 0 || out->nb > TABLE_MAX)
			continue;
		out->r[i].fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
		if (out->r[i].fd < 0)
			ret = -errno;
	}
	if (ret == 0)
		return 0;
	for (; i < out->nb; i++)
		out->r[i].fd = -1;
	free_table(out);
	DMAP_LOG(ERR, "%s: no table for the device: %s%s", d->name, strerror(-ret),
			ret == -EMFILE ? ": raise the limit of open files (ulimit -n)" : "");
	return ret;
}

static void
set_live(struct dmap_domain *d, bool is_live)
{
	rte_spinlock_lock(&d->table_lock);
	d->is_live = is_live;
	d->epoch++;
	rte_spinlock_unlock(&d->table_lock);
	d->is_stale = false;
}

/*
 * Mark what the next table has; change_lock is held. Returns how many owners that is beside those
 * that are shown.
 */
static unsigned int
choose(struct dmap_domain *d, enum offer what)
{
	struct dmap_owner *o;
	unsigned int nb = 0;

	TAILQ_FOREACH(o, &d->owners, next) {
		o->is_offered = what != OFFER_NONE && !o->is_shown && !o->is_refused &&
				(what == OFFER_ALL || nb == 0);
		nb += o->is_offered;
	}
	return nb;
}

/*
 * One exchange with a remote device: tell it what is shown and what is offered. change_lock is
 * held, but not during the exchange. -ECANCELED: the device was given up meanwhile, so its answer
 * is of no interest.
 */
static int
tell(struct dmap_domain *d)
{
	struct dmap_region_list table;
	uint32_t epoch = d->epoch;
	int ret;

	d->is_stale = false;
	ret = make_table(d, &table);
	if (ret != 0)
		return ret;
	pthread_mutex_unlock(&d->change_lock);
	ret = d->backend->show(d->backend_ctx, table.r, table.nb);
	free_table(&table);
	pthread_mutex_lock(&d->change_lock);
	return epoch == d->epoch ? ret : -ECANCELED;
}

/* The device accepted what was offered; true if that was all there is. */
static bool
note_shown(struct dmap_domain *d)
{
	struct dmap_owner *o;
	bool is_all = true;

	TAILQ_FOREACH(o, &d->owners, next) {
		o->is_shown |= o->is_offered;
		o->is_offered = false;
		is_all &= o->is_shown;
	}
	return is_all;
}

/* It did not: what came with packets goes, others wait for more room. */
static void
note_refused(struct dmap_domain *d)
{
	struct dmap_owner *o, *next;

	for (o = TAILQ_FIRST(&d->owners); o != NULL; o = next) {
		next = TAILQ_NEXT(o, next);
		if (!o->is_offered)
			continue;
		o->is_offered = false;
		o->is_refused = true;
		if (!o->is_lazy) {
			DMAP_LOG(ERR, "%s: the device cannot reach some new memory: %s", d->name,
					strerror(-d->refusal));
			continue;
		}
		rte_spinlock_lock(&d->table_lock);
		TAILQ_REMOVE(&d->owners, o, next);
		rte_spinlock_unlock(&d->table_lock);
		dmap_owner_free(o);
	}
}

/*
 * One step; change_lock is held. 0: there was nothing to do, or nothing that can be done; 1: go on.
 */
static int
offer(struct dmap_domain *d, enum offer *what)
{
	bool was_stale = d->is_stale;
	unsigned int nb = d->is_live ? choose(d, *what) : 0;
	int ret;

	if (!d->is_live || (nb == 0 && !was_stale))
		return 0;
	ret = tell(d);
	if (ret == -ECANCELED)
		return 0;
	if (ret == 0) {
		note_shown(d);
		ret = dmap_domain_rebuild(d, false);
	}
	if (ret == 0)
		return 1;
	if (!is_refusal(ret))
		return ret;
	if (nb == 0 && ret == -EREMOTEIO)
		return ret; /* it does not let go */
	if (nb == 0) {
		/* In fewer pieces than without it. */
		DMAP_LOG(WARNING, "%s: the device goes on seeing memory that left its table: %s",
				d->name, strerror(-ret));
		return 0;
	}
	/* Whatever it knows now, it is told the whole of it again. */
	d->is_stale |= was_stale || ret == -EREMOTEIO;
	if (nb == 1) {
		d->refusal = ret;
		note_refused(d);
	} else {
		*what = OFFER_ONE; /* which of them is it? */
	}
	return 1;
}

/* Tell a remote device of all changes; those that come meanwhile are of the same round. */
static int
tell_changes(struct dmap_domain *d)
{
	enum offer what = OFFER_ALL;
	int ret;

	pthread_mutex_lock(&d->change_lock);
	do {
		ret = offer(d, &what);
	} while (ret == 1);
	pthread_mutex_unlock(&d->change_lock);
	return ret;
}

RTE_EXPORT_INTERNAL_SYMBOL(dmap_serve)
int
dmap_serve(struct dmap_domain *d)
{
	uint32_t serials[DMAP_REQUESTS];
	bool has_seen[DMAP_REQUESTS] = { false };
	int rets[DMAP_REQUESTS], ret = 0;
	unsigned int i;
	bool is_live;

	pthread_mutex_lock(&d->serve_lock);
	pthread_mutex_lock(&d->change_lock);
	is_live = d->is_live;
	pthread_mutex_unlock(&d->change_lock);
	d->refusal = 0;
	for (i = 0; i < DMAP_REQUESTS && is_live; i++)
		has_seen[i] = dmap_request_show(d, i, &serials[i], &rets[i]);
	if (d->backend->is_remote && is_live)
		ret = tell_changes(d);
	for (i = 0; i < DMAP_REQUESTS && ret == 0; i++)
		if (has_seen[i])
			dmap_request_settle(d, i, serials[i], rets[i] != 0 ? rets[i] : d->refusal);
	pthread_mutex_unlock(&d->serve_lock);
	return ret;
}

/* Take what came with packets out of the domain; change_lock is held. True if there was any. */
static bool
drop_lazy(struct dmap_domain *d)
{
	struct dmap_owner *o;
	bool has_dropped = false;

	TAILQ_FOREACH(o, &d->owners, next) {
		o->is_offered = o->is_lazy;
		has_dropped |= o->is_lazy;
	}
	note_refused(d);
	if (has_dropped) {
		DMAP_LOG(WARNING,
				"%s: the device cannot reach all that packets came from: it is shown "
				"again when packets come",
				d->name);
		dmap_domain_rebuild(d, true);
	}
	return has_dropped;
}

/* change_lock is held, with a remote back end not during the exchange. */
static int
show_all(struct dmap_domain *d)
{
	struct dmap_owner *o;

	if (!d->backend->is_remote)
		return d->backend->show(d->backend_ctx, d->regions.r, d->regions.nb);
	TAILQ_FOREACH(o, &d->owners, next) {
		o->is_shown = false;
		o->is_refused = false;
	}
	choose(d, OFFER_ALL);
	return tell(d);
}

/* A remote device has accepted. What came or left during the exchange it hears of later. */
static int
begin_live(struct dmap_domain *d)
{
	bool is_stale = d->is_stale, is_all = note_shown(d);
	int ret;

	set_live(d, true);
	d->is_stale = is_stale;
	/* What is not shown could be used until here. */
	ret = dmap_domain_rebuild(d, !is_all);
	if (is_stale || !is_all)
		dmap_domain_wake(d);
	return ret;
}

RTE_EXPORT_INTERNAL_SYMBOL(dmap_show)
int
dmap_show(struct dmap_domain *d)
{
	bool is_remote = d->backend->is_remote;
	int ret;

	dmap_request_forget(d, NULL);
	pthread_mutex_lock(&d->serve_lock);
	pthread_mutex_lock(&d->change_lock);
	if (is_remote)
		set_live(d, false);
	ret = show_all(d);
	if ((is_refusal(ret) || (ret != 0 && !is_remote)) && drop_lazy(d))
		ret = show_all(d);
	if (ret == 0 && is_remote)
		ret = begin_live(d);
	else if (ret == 0)
		set_live(d, true);
	pthread_mutex_unlock(&d->change_lock);
	pthread_mutex_unlock(&d->serve_lock);
	return ret;
}

RTE_EXPORT_INTERNAL_SYMBOL(dmap_revoke)
void
dmap_revoke(struct dmap_domain *d)
{
	pthread_mutex_lock(&d->change_lock);
	set_live(d, false);
	if (d->backend->is_remote)
		dmap_domain_rebuild(d, false);
	else if (d->backend->show(d->backend_ctx, NULL, 0) != 0)
		DMAP_LOG(ERR, "%s: the device may still reach some memory", d->name);
	pthread_mutex_unlock(&d->change_lock);
}
