/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

#include <errno.h>
#include <unistd.h>

#include <rte_ether.h>
#include <rte_pause.h>

#include "sluice_clock.h"
#include "sluice_path.h"
#include "sluice_ptype.h"
#include "sluice_rx_stage.h"
#include "sluice_spread.h"

static __rte_always_inline uint16_t
receive(struct sluice_rxq *rxq, struct rte_mbuf **pkts, uint16_t nb_pkts,
		const struct sluice_rx_stage stage, const struct sluice_rx_own *own)
{
	/* The control thread may change it meanwhile: the old path receives nothing then. */
	const struct sluice_rx_path *path = rte_atomic_load_explicit(
			&rxq->path, rte_memory_order_relaxed);

	/* A queue that the device knows nothing of. */
	if (stage.is_spread && path == NULL)
		return 0;
	if (own != NULL)
		path = own->path;
	return path->burst(rxq, pkts, nb_pkts);
}

/* As rte_vlan_strip(), which calls memmove(). */
static __rte_always_inline void
strip_tag(struct rte_mbuf *m)
{
	uint8_t *frame = rte_pktmbuf_mtod(m, uint8_t *), macs[2 * RTE_ETHER_ADDR_LEN];
	struct rte_vlan_hdr tag; /* type, then identifier, as they stand behind the addresses */

	memcpy(&tag, frame + sizeof(macs), sizeof(tag));
	if (tag.vlan_tci != rte_cpu_to_be_16(RTE_ETHER_TYPE_VLAN))
		return;
	memcpy(macs, frame, sizeof(macs));
	memcpy(frame + sizeof(tag), macs, sizeof(macs));
	m->ol_flags |= RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED;
	m->vlan_tci = rte_be_to_cpu_16(tag.eth_proto);
	m->data_off += sizeof(tag);
	m->data_len -= sizeof(tag);
	m->pkt_len -= sizeof(tag);
}

/* The outermost tag, if it is a VLAN's; one of QinQ stays, with what is behind it. */
static __rte_always_inline void
strip_tags(struct rte_mbuf **pkts, uint16_t nb)
{
	const uint32_t least = sizeof(struct rte_ether_hdr) + sizeof(struct rte_vlan_hdr);
	uint16_t i;

	for (i = 0; i < nb; i++)
		if (likely(pkts[i]->data_len >= least))
			strip_tag(pkts[i]);
}

static __rte_always_inline void
look_at_headers(struct rte_mbuf **pkts, uint16_t nb, const struct sluice_rx_stage stage)
{
	if (stage.has_vlan)
		strip_tags(pkts, nb);
	if (stage.ptypes != 0)
		sluice_ptype_burst(pkts, nb, stage.ptypes);
}

/*
 * Pairs with sluice_queue_fence() and sluice_rx_stage_pass(); that of a visitor, whom the fence
 * does not reach, with the latter's exchange.
 */
static __rte_always_inline void
enter(struct sluice_rxq *rxq, bool is_visitor)
{
	if (SLUICE_HAS_TSAN || is_visitor) {
		rte_atomic_fetch_add_explicit(&rxq->stage_turn, 1, rte_memory_order_seq_cst);
	} else {
		rte_atomic_store_explicit(
				&rxq->stage_turn, rxq->stage_turn + 1, rte_memory_order_relaxed);
		rte_compiler_barrier();
	}
}

static __rte_always_inline void
leave(struct sluice_rxq *rxq)
{
	rte_atomic_store_explicit(&rxq->stage_turn, rxq->stage_turn + 1, rte_memory_order_release);
}

/*
 * The first room is for packets from other queues, which came earlier. Some is left for the
 * device's: they would wait for ever behind those, and others wait for them.
 */
static __rte_always_inline uint16_t
room_of_others(struct sluice_hand *hand, uint16_t nb_pkts)
{
	uint16_t left = RTE_MAX(nb_pkts / 4, (int)(hand->turn++ % 2));

	return hand->is_receiving ? nb_pkts - left : nb_pkts;
}

/*
 * In a primary process what this function is about is a literal, which the compiler folds, and so
 * is own: NULL.
 */
static __rte_always_inline uint16_t
receive_and_do(struct sluice_rxq *rxq, struct rte_mbuf **pkts, uint16_t nb_pkts,
		const struct sluice_rx_stage stage, const struct sluice_rx_own *own)
{
	const struct sluice_rss *rss = NULL;
	struct sluice_hand *hand = NULL;
	uint16_t nb = 0, nb_new;

	if (!stage.has_hash) {
		nb = receive(rxq, pkts, nb_pkts, stage, own);
		look_at_headers(pkts, nb, stage);
		return nb;
	}
	enter(rxq, own != NULL);
	rss = rte_atomic_load_explicit(&rxq->rss, rte_memory_order_acquire);
	if (stage.is_spread)
		hand = rte_atomic_load_explicit(&rxq->hand, rte_memory_order_acquire);
	/* A queue that is held back gets nothing, from nobody. */
	if (stage.is_spread && hand != NULL && likely(!rxq->q.is_held))
		nb = sluice_spread_take(rxq, hand, pkts, room_of_others(hand, nb_pkts));
	nb_new = receive(rxq, pkts + nb, nb_pkts - nb, stage, own);
	look_at_headers(pkts + nb, nb_new, stage);
	if (likely(rss != NULL && nb_new != 0)) {
		(own != NULL ? own->kit : rss->kit)->burst(rss, pkts + nb, nb_new);
		if (stage.is_spread && hand != NULL)
			nb_new = stage.has_flows && rss->flows != NULL ?
					sluice_spread_give_by_rules(
							rxq, hand, rss, pkts + nb, nb_new) :
					sluice_spread_give(rxq, hand, rss, pkts + nb, nb_new);
	}
	leave(rxq);
	return nb + nb_new;
}

#define STAGES(X) \
	X(hash, .has_hash = true) \
	X(spread, .has_hash = true, .is_spread = true) \
	X(vlan, .has_vlan = true) \
	X(vlan_hash, .has_vlan = true, .has_hash = true) \
	X(vlan_spread, .has_vlan = true, .has_hash = true, .is_spread = true)

#define DEFINE_BURST(name, ...) \
	static uint16_t burst_##name(void *rxq, struct rte_mbuf **pkts, uint16_t nb_pkts) \
	{ \
		return receive_and_do(rxq, pkts, nb_pkts, (struct sluice_rx_stage){ __VA_ARGS__ }, \
				NULL); \
	}
STAGES(DEFINE_BURST)

#define DEFINE_ROW(name, ...) { { __VA_ARGS__ }, burst_##name },
static const struct {
	struct sluice_rx_stage stage;
	sluice_rx_stage_fn burst;
} rows[] = { STAGES(DEFINE_ROW) };

void
sluice_rx_stage_show(struct sluice_rx_stage *shown, const struct sluice_rx_stage *stage)
{
	rte_atomic_store_explicit(&shown->has_vlan, stage->has_vlan, rte_memory_order_relaxed);
	rte_atomic_store_explicit(&shown->has_hash, stage->has_hash, rte_memory_order_relaxed);
	rte_atomic_store_explicit(&shown->is_spread, stage->is_spread, rte_memory_order_relaxed);
	rte_atomic_store_explicit(&shown->has_flows, stage->has_flows, rte_memory_order_relaxed);
	rte_atomic_store_explicit(&shown->ptypes, stage->ptypes, rte_memory_order_relaxed);
}

/* What the queue says now, but for rules. */
static __rte_always_inline struct sluice_rx_stage
stage_now(const struct sluice_rxq *rxq)
{
	const struct sluice_rx_stage *now = rxq->stage;
	struct sluice_rx_stage stage = { 0 };

	stage.has_vlan = rte_atomic_load_explicit(&now->has_vlan, rte_memory_order_relaxed);
	stage.has_hash = rte_atomic_load_explicit(&now->has_hash, rte_memory_order_relaxed);
	stage.is_spread = rte_atomic_load_explicit(&now->is_spread, rte_memory_order_relaxed);
	stage.ptypes = rte_atomic_load_explicit(&now->ptypes, rte_memory_order_relaxed);
	return stage;
}

static uint16_t
burst_ptypes(void *queue, struct rte_mbuf **pkts, uint16_t nb_pkts)
{
	return receive_and_do(queue, pkts, nb_pkts, stage_now(queue), NULL);
}

static uint16_t
burst_flows(void *queue, struct rte_mbuf **pkts, uint16_t nb_pkts)
{
	struct sluice_rx_stage stage = stage_now(queue);

	stage.has_flows = true;
	return receive_and_do(queue, pkts, nb_pkts, stage, NULL);
}

sluice_rx_stage_fn
sluice_rx_stage_burst(const struct sluice_rx_stage *stage)
{
	unsigned int i;

	if (stage->has_flows)
		return burst_flows;
	if (stage->ptypes != 0)
		return burst_ptypes;
	for (i = 0; i < RTE_DIM(rows); i++)
		if (rows[i].stage.has_vlan == stage->has_vlan &&
				rows[i].stage.has_hash == stage->has_hash &&
				rows[i].stage.is_spread == stage->is_spread)
			return rows[i].burst;
	return NULL;
}

bool
sluice_rx_stage_is_burst(sluice_rx_stage_fn burst)
{
	unsigned int i;

	for (i = 0; i < RTE_DIM(rows); i++)
		if (rows[i].burst == burst)
			return true;
	return burst == burst_ptypes || burst == burst_flows;
}

uint16_t
sluice_rx_stage_visit(struct sluice_rxq *rxq, struct rte_mbuf **pkts, uint16_t nb_pkts,
		const struct sluice_rx_own *own)
{
	const struct sluice_rx_stage *now = rxq->stage;
	struct sluice_rx_stage stage = own->stage;

	/* The primary process may switch these at any time. */
	stage.has_vlan = rte_atomic_load_explicit(&now->has_vlan, rte_memory_order_relaxed);
	stage.has_flows = rte_atomic_load_explicit(&now->has_flows, rte_memory_order_relaxed);
	stage.ptypes = rte_atomic_load_explicit(&now->ptypes, rte_memory_order_relaxed);
	return receive_and_do(rxq, pkts, nb_pkts, stage, own);
}

uint32_t
sluice_rx_stage_nb_waiting(struct sluice_rxq *rxq)
{
	const struct sluice_hand *hand;
	uint32_t nb = 0;

	enter(rxq, true);
	hand = rte_atomic_load_explicit(&rxq->hand, rte_memory_order_acquire);
	if (hand != NULL)
		nb = sluice_spread_count(hand);
	leave(rxq);
	return nb;
}

bool
sluice_rx_stage_bury(struct sluice_rxq *rxq)
{
	if (rte_atomic_load_explicit(&rxq->stage_turn, rte_memory_order_acquire) % 2 == 0)
		return false;
	leave(rxq);
	return true;
}

int
sluice_rx_stage_pass(struct sluice_rxq *rxq, int64_t deadline)
{
	/* Pairs with enter(); an exchange with itself. */
	uint32_t turn = rte_atomic_fetch_add_explicit(
			&rxq->stage_turn, 0, rte_memory_order_seq_cst);
	bool is_first = true;

	if (turn % 2 == 0)
		return 0;
	for (; rte_atomic_load_explicit(&rxq->stage_turn, rte_memory_order_acquire) == turn;
			is_first = false) {
		if (sluice_clock_ms() > deadline)
			return -ETIMEDOUT;
		if (is_first)
			rte_pause();
		else
			usleep(100); /* the core may need this CPU to leave */
	}
	return 0;
}
