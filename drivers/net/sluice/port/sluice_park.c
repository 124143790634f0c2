/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include <rte_mbuf.h>

#include "sluice_clock.h"
#include "sluice_park.h"
#include "sluice_queue_ctl.h"

#define CLOSE_POLL_MS 5
/* Of what a back end says after it was cut off, at a look. */
#define READS_MAX 8

void
sluice_park_init(struct sluice_park *park, uint64_t *nb_unacked)
{
	park->nb_unacked = nb_unacked;
	pthread_mutex_init(&park->lock, NULL);
	TAILQ_INIT(&park->list);
	park->nb = 0;
}

void
sluice_park_fini(struct sluice_park *park)
{
	pthread_mutex_destroy(&park->lock);
}

struct sluice_parked *
sluice_park_open(struct sluice_park *park, int eof_fd)
{
	struct sluice_parked *p = calloc(1, sizeof(*p));

	if (p == NULL) {
		if (eof_fd >= 0)
			close(eof_fd);
		return NULL;
	}
	p->eof_fd = eof_fd;
	p->until = sluice_clock_ms() + (eof_fd < 0 ? 0 : SLUICE_PARK_DEADLINE_MS);
	pthread_mutex_lock(&park->lock);
	TAILQ_INSERT_TAIL(&park->list, p, next);
	park->nb++;
	pthread_mutex_unlock(&park->lock);
	return p;
}

int
sluice_park_queue(struct sluice_park *park, struct sluice_parked *p, struct sluice_queue *q)
{
	/* One for each slot, and a packet whose end never came. */
	uint32_t nb = sluice_ring_nb_in_flight(&q->ring) + 1;
	struct sluice_mbuf_list *b = malloc(sizeof(*b) + nb * sizeof(b->m[0]));
	int ret;

	if (b == NULL)
		return -ENOMEM;
	b->q = q;
	b->vq = q->vq;
	b->nb = 0;
	ret = sluice_queue_drain(q, b);
	pthread_mutex_lock(&park->lock);
	b->next = p->batches;
	p->batches = b;
	pthread_mutex_unlock(&park->lock);
	return ret;
}

/* See sluice_mbuf_needs_own_core(). */
static bool
needs_own_core(const struct sluice_mbuf_list *b)
{
	uint32_t i;

	for (i = 0; i < b->nb; i++)
		if (sluice_mbuf_needs_own_core(b->m[i]))
			return true;
	return false;
}

static void
push_returns(struct sluice_queue *q, struct sluice_mbuf_list *b)
{
	b->next = rte_atomic_load_explicit(&q->returns, rte_memory_order_relaxed);
	while (!rte_atomic_compare_exchange_strong_explicit(&q->returns, &b->next, b,
			rte_memory_order_release, rte_memory_order_relaxed))
		;
	/* The next burst has a look. */
	dmap_stream_ask(&q->stream);
}

/* Is there a queue whose core gives back what no other thread may? */
static bool
has_own_core(const struct sluice_parked *p)
{
	const struct sluice_mbuf_list *b;

	for (b = p->batches; b != NULL; b = b->next)
		if (b->q == NULL && needs_own_core(b))
			return false;
	return true;
}

/* is_own: the caller may put into any pool. */
static void
release(struct sluice_park *park, struct sluice_parked *p, bool is_own)
{
	struct sluice_mbuf_list *b, *next;

	for (b = p->batches; b != NULL; b = next) {
		next = b->next;
		b->next = NULL;
		if (p->eof_fd >= 0)
			*park->nb_unacked += b->nb;
		if (!is_own && needs_own_core(b))
			push_returns(b->q, b);
		else
			sluice_mbuf_list_free_all(b);
	}
	if (p->eof_fd >= 0)
		close(p->eof_fd);
	TAILQ_REMOVE(&park->list, p, next);
	park->nb--;
	free(p);
}

/*
 * What the other side still says is of no interest, only its end. One that goes on and on is not
 * listened to for ever: the rest is there at the next look.
 */
static bool
is_at_end(int fd)
{
	unsigned int i;
	char buf[4096];
	ssize_t n;

	for (i = 0; i < READS_MAX; i++) {
		n = read(fd, buf, sizeof(buf));
		if (n == 0 || (n < 0 && errno != EINTR))
			return n == 0 || errno != EAGAIN;
	}
	return false;
}

static void
look_for_ends(struct sluice_park *park, int64_t now)
{
	struct sluice_parked *p;

	TAILQ_FOREACH(p, &park->list, next) {
		if (p->eof_fd < 0 || !is_at_end(p->eof_fd))
			continue;
		close(p->eof_fd);
		p->eof_fd = -1;
		p->until = now + SLUICE_PARK_GRACE_MS;
	}
}

void
sluice_park_serve(struct sluice_park *park)
{
	int64_t now = sluice_clock_ms();
	struct sluice_parked *p, *next;

	pthread_mutex_lock(&park->lock);
	look_for_ends(park, now);
	for (p = TAILQ_FIRST(&park->list); p != NULL; p = next) {
		next = TAILQ_NEXT(p, next);
		if (now < p->until)
			continue;
		if (has_own_core(p))
			release(park, p, false);
		else
			p->until = now + SLUICE_PARK_GRACE_MS;
	}
	pthread_mutex_unlock(&park->lock);
}

int64_t
sluice_park_next(struct sluice_park *park)
{
	int64_t at = INT64_MAX;
	struct sluice_parked *p;

	pthread_mutex_lock(&park->lock);
	TAILQ_FOREACH(p, &park->list, next)
		at = RTE_MIN(at, p->until);
	pthread_mutex_unlock(&park->lock);
	return at;
}

unsigned int
sluice_park_poll_fds(struct sluice_park *park, struct pollfd *pfds, unsigned int max)
{
	struct sluice_parked *p;
	unsigned int nb = 0;

	pthread_mutex_lock(&park->lock);
	TAILQ_FOREACH(p, &park->list, next)
		if (p->eof_fd >= 0 && nb < max)
			pfds[nb++] = (struct pollfd){ .fd = p->eof_fd, .events = POLLIN };
	pthread_mutex_unlock(&park->lock);
	return nb;
}

bool
sluice_park_is_full(struct sluice_park *park)
{
	bool is_full;

	pthread_mutex_lock(&park->lock);
	is_full = park->nb >= SLUICE_PARK_MAX;
	pthread_mutex_unlock(&park->lock);
	return is_full;
}

/* Would freeing this segment touch the pool? */
static bool
leads_to(struct rte_mbuf *seg, const struct rte_mempool *mp)
{
	return seg->pool == mp || (RTE_MBUF_CLONED(seg) && rte_mbuf_from_indirect(seg)->pool == mp);
}

/* The segments of a packet that stay; NULL: none. */
static struct rte_mbuf *
forget_segments(struct rte_mbuf *m, const struct rte_mempool *mp)
{
	struct rte_mbuf *first = NULL, **last = &first, *seg;

	for (seg = m; seg != NULL; seg = seg->next)
		if (leads_to(seg, mp))
			break;
	if (seg == NULL)
		return m; /* which others may look at: it is left as it is */
	for (seg = m; seg != NULL; seg = seg->next)
		if (!leads_to(seg, mp)) {
			*last = seg;
			last = &seg->next;
		}
	*last = NULL;
	return first;
}

static void
forget_batch(struct sluice_mbuf_list *b, const struct rte_mempool *mp)
{
	uint32_t i, nb = 0;

	for (i = 0; i < b->nb; i++) {
		b->m[nb] = forget_segments(b->m[i], mp);
		if (b->m[nb] != NULL)
			nb++;
	}
	b->nb = nb;
}

void
sluice_park_forget(struct sluice_park *park, const struct rte_mempool *mp)
{
	struct sluice_parked *p;
	struct sluice_mbuf_list *b;

	pthread_mutex_lock(&park->lock);
	TAILQ_FOREACH(p, &park->list, next)
		for (b = p->batches; b != NULL; b = b->next)
			forget_batch(b, mp);
	pthread_mutex_unlock(&park->lock);
}

void
sluice_park_set_queue(struct sluice_park *park, uint16_t vq, struct sluice_queue *q)
{
	struct sluice_parked *p;
	struct sluice_mbuf_list *b;

	pthread_mutex_lock(&park->lock);
	TAILQ_FOREACH(p, &park->list, next)
		for (b = p->batches; b != NULL; b = b->next)
			if (b->vq == vq)
				b->q = q;
	pthread_mutex_unlock(&park->lock);
}

void
sluice_park_forget_returns(struct sluice_queue *q, const struct rte_mempool *mp)
{
	struct sluice_mbuf_list *b, *next;

	b = rte_atomic_exchange_explicit(&q->returns, NULL, rte_memory_order_acquire);
	for (; b != NULL; b = next) {
		next = b->next;
		forget_batch(b, mp);
		push_returns(q, b);
	}
}

void
sluice_park_close(struct sluice_park *park, unsigned int ms)
{
	int64_t end = sluice_clock_ms() + ms;
	struct sluice_parked *p;

	while (sluice_park_next(park) != INT64_MAX && sluice_clock_ms() < end) {
		sluice_park_serve(park);
		poll(NULL, 0, CLOSE_POLL_MS);
	}
	pthread_mutex_lock(&park->lock);
	while ((p = TAILQ_FIRST(&park->list)) != NULL)
		release(park, p, true);
	pthread_mutex_unlock(&park->lock);
}
