/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * A receive ring that a device keeps, which does not use it meanwhile, gets the buffers of another
 * mempool: each in the place of the one that was there.
 */

#include <errno.h>
#include <stdlib.h>

#include "sluice_batch.h"
#include "sluice_queue_ctl.h"
#include "sluice_rx.h"

/* The mbuf of the next used entry; NULL: there is none, or it cannot be, and the queue failed. */
static struct rte_mbuf *
take_one(struct sluice_rxq *rxq)
{
	const struct sluice_path_cfg cfg = { .layout = rxq->q.layout };
	struct sluice_ring *r = &rxq->q.ring;
	uint32_t id, len;

	if (cfg.layout == SLUICE_SPLIT && sluice_split_nb_used(r, 1) == 0)
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

/* Where the device writes; false: it does not reach the mbuf's buffer. */
static bool
find_place(struct sluice_rxq *rxq, uint32_t slot, const struct rte_mbuf *m, struct dmap_addr *da)
{
	if (!sluice_cells_are_used(&rxq->cells))
		return dmap_lend(&rxq->q.stream, m, (const char *)m->buf_addr + rxq->hdr_off,
				rxq->post_len, da);
	*da = sluice_cell_da(&rxq->cells, slot);
	return true;
}

/* In a descriptor that is available, and stays so. */
static void
write_place(const struct sluice_rxq *rxq, uint32_t slot, struct dmap_addr da)
{
	const struct sluice_ring *r = &rxq->q.ring;

	if (rxq->q.layout == SLUICE_SPLIT) {
		r->split.dv_desc[slot].addr = da.v;
		r->split.dv_desc[slot].len = rxq->post_len;
	} else {
		r->packed.dv_desc[slot].addr = da.v;
		r->packed.dv_desc[slot].len = rxq->post_len;
	}
}

static void
swap(struct sluice_rxq *rxq, struct rte_mempool *old, struct rte_mbuf **fresh)
{
	const struct sluice_ring *r = &rxq->q.ring;
	struct rte_mbuf **sw;
	struct dmap_addr da;
	uint32_t n, slot;

	for (n = 0; n < r->size; n++) {
		slot = sluice_ring_next(r, r->tail, n);
		sw = &rxq->q.sw_ring[slot];
		if (n < sluice_ring_nb_busy(r) && *sw != NULL) {
			find_place(rxq, slot, *fresh, &da);
			write_place(rxq, slot, da);
			sluice_pool_put_more(old, (void **)sw, 1);
			*sw = *fresh++;
		} else if (sluice_cells_are_used(&rxq->cells) && rxq->q.layout == SLUICE_SPLIT) {
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
	uint32_t nb = sluice_ring_nb_busy(r) - r->nb_holes, i;
	struct rte_mbuf **fresh = calloc(nb + 1, sizeof(*fresh));
	struct dmap_addr da;
	int ret = 0;

	if (fresh == NULL || sluice_pool_get(rxq->pool, (void **)fresh, nb) != 0) {
		free(fresh);
		return -ENOMEM;
	}
	dmap_stream_refresh(&rxq->q.stream);
	for (i = 0; i < nb && ret == 0; i++)
		ret = find_place(rxq, 0, fresh[i], &da) ? 0 : -ENOSPC;
	if (ret == 0)
		swap(rxq, old, fresh);
	else
		sluice_pool_put_more(rxq->pool, (void **)fresh, nb);
	/* The polling core has a look at it of its own. */
	dmap_stream_ask(&rxq->q.stream);
	free(fresh);
	return ret;
}
