/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * A receive ring that a device keeps, which does not use it meanwhile, gets the buffers of another
 * mempool: each in the place of the one that was there.
 */

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "sluice_mbuf_list.h"
#include "sluice_queue_ctl.h"
#include "sluice_rx.h"

#define LEND_TRIES 1000
#define LEND_PAUSE_US 100

/* The mbuf of the next used entry; NULL: there is none, or it cannot be, and the queue failed. */
static struct rte_mbuf *
take_one(struct sluice_rxq *rxq)
{
	const struct sluice_path_cfg cfg = { .ring_type = rxq->q.ring_type };
	struct sluice_ring *r = &rxq->q.ring;
	uint32_t id, len;

	if (cfg.ring_type == SLUICE_SPLIT && sluice_split_nb_used(r, 1) == 0)
		return NULL;
	return sluice_rx_take(rxq, &id, &len, cfg) ? sluice_rx_claim(rxq, id) : NULL;
}

uint32_t
sluice_rxq_drop_waiting(struct sluice_rxq *rxq)
{
	struct rte_mbuf *m;
	uint32_t nb = 0;

	while (sluice_rxq_nb_waiting(rxq) != 0 && (m = take_one(rxq)) != NULL) {
		sluice_pool_put_more(rxq->pool, (void **)&m, 1);
		nb++;
	}
	dmap_take_back(&rxq->q.stream, nb);
	sluice_mbuf_free(rxq->seg_first);
	rxq->seg_first = NULL;
	rxq->seg_last = NULL;
	rxq->nb_segs_left = 0;
	return nb;
}

/*
 * Where the device reaches the buffer of an mbuf; false: it does not. Another thread may have the
 * table for a moment: bursts do not wait for it, this may.
 */
static bool
find_place(struct sluice_rxq *rxq, const struct rte_mbuf *m, struct dmap_addr *da)
{
	const char *va = (const char *)m->buf_addr + rxq->hdr_off;
	unsigned int nb_tries = 0;

	while (!dmap_lend(&rxq->q.stream, m, va, rxq->post_len, da)) {
		if (!dmap_may_come(&rxq->q.stream) || ++nb_tries == LEND_TRIES)
			return false;
		usleep(LEND_PAUSE_US);
	}
	return true;
}

/* In a descriptor that is available, and stays so. */
static void
write_place(const struct sluice_rxq *rxq, uint32_t slot, struct dmap_addr da)
{
	const struct sluice_ring *r = &rxq->q.ring;

	if (rxq->q.ring_type == SLUICE_SPLIT) {
		r->split.dv_desc[slot].addr = da.v;
		r->split.dv_desc[slot].len = rxq->post_len;
	} else {
		r->packed.dv_desc[slot].addr = da.v;
		r->packed.dv_desc[slot].len = rxq->post_len;
	}
}

struct fresh {
	struct rte_mbuf **m;
	struct dmap_addr *da; /* not with cells: those stay where they are */
};

static void
swap(struct sluice_rxq *rxq, struct rte_mempool *old, struct fresh fresh)
{
	const struct sluice_ring *r = &rxq->q.ring;
	const bool has_cells = sluice_cells_are_used(&rxq->cells);
	struct rte_mbuf **sw;
	uint32_t n, slot;

	for (n = 0; n < r->size; n++) {
		slot = sluice_ring_next(r, r->tail, n);
		sw = &rxq->q.sw_ring[slot];
		if (n < sluice_ring_nb_in_flight(r) && *sw != NULL) {
			write_place(rxq, slot,
					has_cells ? sluice_cell_da(&rxq->cells, slot) :
						    *fresh.da++);
			sluice_pool_put_more(old, (void **)sw, 1);
			*sw = *fresh.m++;
		} else if (has_cells && rxq->q.ring_type == SLUICE_SPLIT) {
			/* It is not written again when the slot is given. */
			write_place(rxq, slot, sluice_cell_da(&rxq->cells, slot));
		}
	}
	/* Before the device is told that it may use the ring again. */
	rte_atomic_thread_fence(rte_memory_order_seq_cst);
}

int
sluice_rxq_change_pool(struct sluice_rxq *rxq, struct rte_mempool *old)
{
	struct sluice_ring *r = &rxq->q.ring;
	uint32_t nb = sluice_ring_nb_in_flight(r) - r->nb_holes, i;
	struct fresh fresh = { .m = calloc(nb + 1, sizeof(*fresh.m)),
		.da = calloc(nb + 1, sizeof(*fresh.da)) };
	int ret = 0;

	/* A mempool that is asked for none says that it has not enough. */
	if (fresh.m == NULL || fresh.da == NULL ||
			(nb != 0 && sluice_pool_get(rxq->pool, (void **)fresh.m, nb) != 0)) {
		free(fresh.m);
		free(fresh.da);
		return -ENOMEM;
	}
	dmap_stream_refresh(&rxq->q.stream);
	for (i = 0; i < nb && ret == 0 && !sluice_cells_are_used(&rxq->cells); i++)
		ret = find_place(rxq, fresh.m[i], &fresh.da[i]) ? 0 : -ENOSPC;
	if (ret == 0)
		swap(rxq, old, fresh);
	else
		sluice_pool_put_more(rxq->pool, (void **)fresh.m, nb);
	/* The polling core has a look at it of its own. */
	dmap_stream_ask(&rxq->q.stream);
	free(fresh.m);
	free(fresh.da);
	return ret;
}
