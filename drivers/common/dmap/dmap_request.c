/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Memory that a polling core met and the device does not see: the core notes it here and goes on,
 * the control thread looks after it. A slot is asked, then it is shown and free again, or refused.
 * Who asks for what was refused gets the answer at once, and the control thread tries again later
 * and later. What the control thread takes too long for counts as refused meanwhile: a device that
 * does not answer must not hold up packets for ever.
 */

#include <errno.h>
#include <string.h>
#include <time.h>

#include <rte_mempool.h>

#include "dmap_impl.h"

/* Milliseconds; no system call. */
static uint64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static struct dmap_request *
find(struct dmap_domain *d, const void *memory)
{
	unsigned int i;

	for (i = 0; i < DMAP_REQUESTS; i++)
		if (d->requests[i].memory == memory)
			return &d->requests[i];
	return NULL;
}

static bool
is_overdue(const struct dmap_request *r, uint64_t now)
{
	return now - r->since >= DMAP_WAIT_MS;
}

/* A free slot, or that of the refusal that is the oldest. NULL: all are asked for. */
static struct dmap_request *
find_room(struct dmap_domain *d)
{
	struct dmap_request *r = find(d, NULL);
	unsigned int i;

	for (i = 0; i < DMAP_REQUESTS && (r == NULL || r->memory != NULL); i++) {
		struct dmap_request *other = &d->requests[i];

		if (other->retry_s != 0 && (r == NULL || other->since < r->since))
			r = other;
	}
	return r;
}

/* request_lock is held. */
static int
ask(struct dmap_domain *d, const void *memory, const struct dmap_buffer *buf, bool *must_wake)
{
	struct dmap_request *r = find(d, memory);
	uint64_t now = now_ms();
	unsigned int i;

	if (r == NULL) {
		r = find_room(d);
		for (i = 0; r == NULL && i < DMAP_REQUESTS; i++)
			if (!is_overdue(&d->requests[i], now))
				return -EAGAIN;
		if (r == NULL)
			return -EACCES;
		*r = (struct dmap_request){ .memory = memory,
			.buf = *buf,
			.serial = ++d->serial,
			.since = now,
			.is_asked = true };
		*must_wake = true;
		return -EAGAIN;
	}
	if (r->retry_s == 0)
		return is_overdue(r, now) ? -EACCES : -EAGAIN;
	if (!r->is_asked && now >= r->retry_at) {
		r->buf = *buf;
		r->is_asked = true;
		*must_wake = true;
	}
	return -EACCES;
}

RTE_EXPORT_INTERNAL_SYMBOL(dmap_request_post)
int
dmap_request_post(struct dmap_domain *d, const void *memory, const struct dmap_buffer *buf)
{
	bool must_wake = false;
	int ret;

	if (!dmap_spin_briefly(&d->request_lock))
		return -EAGAIN;
	ret = ask(d, memory, buf, &must_wake);
	rte_spinlock_unlock(&d->request_lock);
	if (must_wake)
		dmap_domain_wake(d);
	return ret;
}

bool
dmap_request_show(struct dmap_domain *d, unsigned int i, uint32_t *serial, int *ret)
{
	struct dmap_owner *o = NULL;
	struct dmap_request r;
	struct dmap_window w;
	uint32_t nb_gone;

	/*
	 * A pool that ends takes its request away, or waits here until its pages are not looked at
	 * any more.
	 */
	dmap_event_hold_pools();
	rte_spinlock_lock(&d->request_lock);
	r = d->requests[i];
	rte_spinlock_unlock(&d->request_lock);
	*serial = r.serial;
	*ret = 0;
	nb_gone = dmap_domain_nb_gone(d);
	/*
	 * Others may have shown it meanwhile. A pool that lies in pages of another is to be there
	 * itself: the other one may end.
	 */
	if (r.is_asked && (r.buf.pool != NULL || dmap_lookup(d, r.buf.va, r.buf.va_len, &w) != 0))
		*ret = dmap_domain_look(d, &r.buf, &o);
	dmap_event_release_pools();
	if (o == NULL)
		return r.is_asked;
	o->is_lazy = true;
	*ret = dmap_domain_insert_if(d, o, nb_gone);
	if (*ret != 0)
		dmap_owner_free(o);
	return true;
}

void
dmap_request_settle(struct dmap_domain *d, unsigned int i, uint32_t serial, int err)
{
	struct dmap_request *r = &d->requests[i];
	bool is_first = false, is_shown;
	struct dmap_window w;
	const void *va;

	rte_spinlock_lock(&d->request_lock);
	if (!r->is_asked || r->serial != serial) {
		rte_spinlock_unlock(&d->request_lock);
		return;
	}
	va = r->buf.va;
	is_shown = dmap_lookup(d, va, r->buf.va_len, &w) == 0 &&
			(r->buf.pool == NULL || dmap_try_pool(d, r->buf.pool) == 0);
	if (is_shown) {
		r->memory = NULL;
		r->is_asked = false;
	} else if (err != -EAGAIN) { /* then its pages could not be looked up in peace: once more */
		is_first = r->retry_s == 0;
		r->retry_s = is_first ? 1 : RTE_MIN(2 * r->retry_s, (uint32_t)DMAP_RETRY_MAX);
		r->retry_at = now_ms() + 1000 * r->retry_s;
		r->is_asked = false;
	}
	rte_spinlock_unlock(&d->request_lock);
	if (is_first && (err != -EPERM || d->remedy != NULL))
		DMAP_LOG(WARNING,
				"%s: packets from memory at %p are dropped: the device cannot reach it: "
				"%s",
				d->name, va,
				err == -EPERM ? d->remedy : strerror(err != 0 ? -err : ENOENT));
	else if (!is_shown && err == -EAGAIN)
		dmap_domain_wake(d);
}

void
dmap_request_forget(struct dmap_domain *d, const struct rte_mempool *mp)
{
	unsigned int i;

	rte_spinlock_lock(&d->request_lock);
	for (i = 0; i < DMAP_REQUESTS; i++)
		if (mp == NULL || d->requests[i].buf.pool == mp)
			d->requests[i] = (struct dmap_request){ 0 };
	rte_spinlock_unlock(&d->request_lock);
}

void
dmap_request_retry(struct dmap_domain *d)
{
	unsigned int i;

	rte_spinlock_lock(&d->request_lock);
	for (i = 0; i < DMAP_REQUESTS; i++)
		d->requests[i].retry_at = 0;
	rte_spinlock_unlock(&d->request_lock);
}
