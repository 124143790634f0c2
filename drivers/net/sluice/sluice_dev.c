/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * The state machine of a port: negotiation, going live, going down. See sluice_dev.h.
 */

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include <ethdev_driver.h>

#include "sluice_dev.h"
#include "sluice_log.h"
#include "sluice_ring_packed.h"
#include "sluice_ring_split.h"

static const struct {
	unsigned int bit;
	const char *name;
} feature_names[] = {
	{ SLUICE_NET_F_GUEST_CSUM, "GUEST_CSUM" },
	{ SLUICE_NET_F_MTU, "MTU" },
	{ SLUICE_NET_F_MRG_RXBUF, "MRG_RXBUF" },
	{ SLUICE_NET_F_STATUS, "STATUS" },
	{ SLUICE_NET_F_MQ, "MQ" },
	{ SLUICE_F_INDIRECT_DESC, "INDIRECT_DESC" },
	{ SLUICE_F_EVENT_IDX, "EVENT_IDX" },
	{ SLUICE_F_VERSION_1, "VERSION_1" },
	{ SLUICE_F_RING_PACKED, "RING_PACKED" },
	{ SLUICE_F_IN_ORDER, "IN_ORDER" },
};

/* Features whose loss changes rings or burst functions. */
#define LAYOUT_FEATURES \
	(SLUICE_BIT(SLUICE_NET_F_GUEST_CSUM) | SLUICE_BIT(SLUICE_NET_F_MRG_RXBUF) | \
			SLUICE_BIT(SLUICE_F_INDIRECT_DESC) | SLUICE_BIT(SLUICE_F_EVENT_IDX) | \
			SLUICE_BIT(SLUICE_F_RING_PACKED) | SLUICE_BIT(SLUICE_F_IN_ORDER))

static bool
has(uint64_t features, unsigned int bit)
{
	return (features & SLUICE_BIT(bit)) != 0;
}

uint64_t
sluice_dev_wanted_features(const struct sluice_port *port)
{
	const struct sluice_args *args = &port->args;
	uint64_t f = SLUICE_BIT(SLUICE_F_VERSION_1) | SLUICE_BIT(SLUICE_F_INDIRECT_DESC) |
			SLUICE_BIT(SLUICE_F_EVENT_IDX) | SLUICE_BIT(SLUICE_NET_F_MTU) |
			SLUICE_BIT(SLUICE_NET_F_STATUS);

	if (args->has_mrg)
		f |= SLUICE_BIT(SLUICE_NET_F_MRG_RXBUF);
	if (args->is_packed)
		f |= SLUICE_BIT(SLUICE_F_RING_PACKED);
	if (args->is_in_order)
		f |= SLUICE_BIT(SLUICE_F_IN_ORDER);
	/* Only then: without it devices leave headers empty, and they need not be read (5.1.6.4.1). */
	if (port->dev->data->dev_conf.rxmode.offloads & SLUICE_RX_CSUM_OFFLOADS)
		f |= SLUICE_BIT(SLUICE_NET_F_GUEST_CSUM);
	f |= port->transport->ops->features;
	/* The front end of vhost-user is the device model: it needs no control queue to use many queues. */
	if (!port->transport->ops->has_ctrl_vq && args->nb_pairs > 1)
		f |= SLUICE_BIT(SLUICE_NET_F_MQ);
	if (port->transport->ops->has_ctrl_vq && port->dev->data->nb_rx_queues > 1)
		f |= SLUICE_BIT(SLUICE_NET_F_MQ) | SLUICE_BIT(SLUICE_NET_F_CTRL_VQ);
	return f;
}

static void
log_missing(const struct sluice_port *port, uint64_t missing, const char *consequence)
{
	char names[128] = "";
	unsigned int i;

	for (i = 0; i < RTE_DIM(feature_names); i++)
		if (has(missing, feature_names[i].bit)) {
			strlcat(names, " ", sizeof(names));
			strlcat(names, feature_names[i].name, sizeof(names));
		}
	SLUICE_LOG(WARNING, "%s: the %s does not offer%s: %s", port->label,
			port->transport->ops->peer, names, consequence);
}

int
sluice_dev_accept(struct sluice_port *port, const struct sluice_device_info *info)
{
	uint64_t lost = port->features & LAYOUT_FEATURES & ~info->features;

	if (!has(info->features, SLUICE_F_RING_PACKED) &&
			!rte_is_power_of_2(port->args.queue_size)) {
		SLUICE_LOG(ERR, "%s: the %s has split rings only, and queue_size=%u is not a power of two",
				port->label, port->transport->ops->peer, port->args.queue_size);
		return -EINVAL;
	}
	if (port->is_started && lost != 0) {
		log_missing(port, lost,
				"the port runs with it; stop and start the port to go on without");
		return -EINVAL;
	}
	if (port->is_started &&
			SLUICE_VQ_TX(port->dev->data->nb_rx_queues - 1) > 2 * info->nb_pairs_max) {
		SLUICE_LOG(ERR, "%s: the %s has %u queue pairs, the port runs with %u", port->label,
				port->transport->ops->peer, info->nb_pairs_max,
				port->dev->data->nb_rx_queues);
		return -EINVAL;
	}
	if (port->args.has_pairs && info->nb_pairs_max < port->args.nb_pairs)
		SLUICE_LOG(WARNING, "%s: queues=%u asked for, the %s has %u: reduced", port->label,
				port->args.nb_pairs, port->transport->ops->peer,
				info->nb_pairs_max);
	port->info = *info;
	port->has_info = true;
	if (info->has_ats && !port->args.has_ro_rings)
		SLUICE_LOG(NOTICE,
				"%s: the %s translates addresses by itself (ATS), as a vhost back end does: "
				"no part of the rings is read-only (ro_rings=1 changes that)",
				port->label, port->transport->ops->peer);
	return 0;
}

/* Features for the next run: what is wanted and offered; a device still to come is hoped to have all. */
static void
choose_features(struct sluice_port *port)
{
	uint64_t wanted = sluice_dev_wanted_features(port), missing;
	uint16_t simd_bits;

	port->features = port->has_info ? wanted & port->info.features : wanted;
	missing = wanted & ~port->features & (LAYOUT_FEATURES | SLUICE_BIT(SLUICE_NET_F_MQ));
	if (missing != 0)
		log_missing(port, missing, "going on without");
	simd_bits = port->args.is_vectorized ? sluice_path_simd_bits() : 0;
	port->rx_path = sluice_rx_path_select(port->features, simd_bits);
	port->tx_path = sluice_tx_path_select(port->features, simd_bits);
}

size_t
sluice_dev_slice_len(const struct sluice_args *args)
{
	struct sluice_ring_layout split = sluice_ring_layout(SLUICE_SPLIT, args->queue_size, true);
	struct sluice_ring_layout packed = sluice_ring_layout(
			SLUICE_PACKED, args->queue_size, true);

	return RTE_MAX(split.len, packed.len);
}

uint16_t
sluice_dev_ring_size(const struct sluice_port *port, uint16_t vq, uint16_t nb_desc)
{
	const struct sluice_transport_ops *ops = port->transport->ops;
	uint16_t max = port->args.queue_size, size;

	if (ops->vq_size_max != NULL && ops->vq_size_max(port->transport, vq) != 0)
		max = RTE_MIN(max, ops->vq_size_max(port->transport, vq));
	size = RTE_MIN(nb_desc, max);
	if (has(port->features, SLUICE_F_RING_PACKED))
		return size;
	size = rte_align32pow2(size);
	return size <= max ? size : size / 2;
}

static struct sluice_ring_layout
layout_of(const struct sluice_queue *q)
{
	return sluice_ring_layout(q->layout, q->ring.size, q->vq % 2 != 0);
}

/* Fresh rings in zeroed memory. */
static void
reset_queue(struct sluice_port *port, struct sluice_queue *q, uint16_t nb_desc,
		uint16_t *avail_shadow)
{
	struct sluice_ring_layout l;
	char *va = (char *)port->rings.va + q->vq * port->slice_len;
	bool is_packed = has(port->features, SLUICE_F_RING_PACKED);
	uint64_t nb_kicks = q->ring.nb_kicks, nb_suppressed = q->ring.nb_suppressed;
	uint16_t size = sluice_dev_ring_size(port, q->vq, nb_desc);

	memset(va, 0, port->slice_len);
	q->layout = is_packed ? SLUICE_PACKED : SLUICE_SPLIT;
	q->ring.size = size;
	l = layout_of(q);
	sluice_ring_init(&q->ring, q->layout, size, &l, va, avail_shadow);
	q->ring.has_event_idx = has(port->features, SLUICE_F_EVENT_IDX);
	q->ring.is_in_order = has(port->features, SLUICE_F_IN_ORDER);
	q->ring.nb_kicks = nb_kicks;
	q->ring.nb_suppressed = nb_suppressed;
	q->fail = SLUICE_FAIL_NONE;
	sluice_watch_reset(&port->watch[q->vq]);
	dmap_stream_init(&q->stream, port->domain);
	if (is_packed)
		sluice_packed_disable_interrupts(&q->ring);
	else
		sluice_split_disable_interrupts(&q->ring);
}

static void
reset_rxq(struct sluice_port *port, struct sluice_rxq *rxq)
{
	reset_queue(port, &rxq->q, rxq->nb_desc, rxq->avail_shadow);
	sluice_rxq_place(rxq, port->rx_path->cfg.has_csum);
	rxq->sample = 1;
	rxq->must_read_header = false;
	rxq->nb_unannounced = 0;
	rxq->free_thresh = RTE_MIN(rxq->free_thresh_asked, RTE_MAX(rxq->q.ring.size / 2, 1));
	port->rx_path->fill(rxq);
}

static void
reset_txq(struct sluice_port *port, struct sluice_txq *txq)
{
	struct sluice_ring_layout l;
	size_t at = txq->q.vq * port->slice_len;

	reset_queue(port, &txq->q, txq->nb_desc, txq->avail_shadow);
	l = layout_of(&txq->q);
	txq->dv_extra = (struct sluice_tx_extra *)((char *)port->rings.va + at + l.extra);
	txq->extra_da.v = port->rings.da.v + at + l.extra;
	txq->has_indirect = has(port->features, SLUICE_F_INDIRECT_DESC);
	txq->reclaim_at = RTE_MIN(txq->reclaim_asked, RTE_MAX(txq->q.ring.size / 2, 1));
	txq->pool = NULL;
}

static struct dmap_addr
ring_da(const struct sluice_port *port, const void *dv)
{
	size_t offset = (const char *)dv - (const char *)port->rings.va;

	return (struct dmap_addr){ port->rings.da.v + offset };
}

static int
start_vq(struct sluice_port *port, struct sluice_queue *q)
{
	const struct sluice_ring *r = &q->ring;
	const struct sluice_intr *intr = &port->intr;
	struct sluice_vq_setup vq = { .vq = q->vq, .size = r->size, .kick_fd = q->kick_fd };

	vq.call_fd = q->vq == SLUICE_VQ_RX(q->id) && q->id < intr->nb_fds ? intr->fds[q->id] : -1;
	vq.is_packed = q->layout == SLUICE_PACKED;
	if (vq.is_packed) {
		vq.dv_desc = r->packed.dv_desc;
		vq.dv_driver = r->packed.dv_driver_event;
		vq.dv_device = r->packed.dv_device_event;
	} else {
		vq.dv_desc = r->split.dv_desc;
		vq.dv_driver = r->split.dv_avail;
		vq.dv_device = r->split.dv_used;
	}
	vq.desc_da = ring_da(port, vq.dv_desc);
	vq.driver_da = ring_da(port, vq.dv_driver);
	vq.device_da = ring_da(port, vq.dv_device);
	return port->transport->ops->vq_start(port->transport, &vq);
}

/* Calls fn for each queue of the port that is set up, receive queues first. */
#define FOREACH_QUEUE(port, q, i) for (i = 0; (q = queue_at(port, i)) != NULL; i++)

static struct sluice_queue *
queue_at(const struct sluice_port *port, unsigned int i)
{
	const struct rte_eth_dev_data *data = port->dev->data;

	if (i < data->nb_rx_queues)
		return data->rx_queues[i];
	i -= data->nb_rx_queues;
	return i < data->nb_tx_queues ? data->tx_queues[i] : NULL;
}

struct sluice_doorbell
sluice_dev_doorbell(const struct sluice_port *port, uint16_t vq, bool is_packed, int kick_fd)
{
	struct sluice_doorbell bell = { .vq = vq, .is_packed = is_packed, .fd = kick_fd };
	struct sluice_notify notify;

	if (port->transport->ops->notify != NULL) {
		notify = port->transport->ops->notify(port->transport, vq);
		bell.dv_reg = notify.addr;
		bell.has_data = notify.has_data;
		bell.fd = -1;
	}
	return bell;
}

/* What the device only reads of a running port's rings it may not write either. */
static int
restrict_rings(struct sluice_port *port)
{
	struct dmap_span spans[2 * SLUICE_PAIRS_MAX];
	const struct rte_eth_dev_data *data = port->dev->data;
	unsigned int nb = 0, i;

	/* In the order of addresses. */
	for (i = 0; sluice_dev_has_ro_rings(port) && i < 2u * data->nb_rx_queues; i++) {
		const struct sluice_queue *q = i % 2 == 0 ? data->rx_queues[i / 2] :
							    data->tx_queues[i / 2];

		spans[nb] = layout_of(q).read_only;
		spans[nb++].offset += q->vq * port->slice_len;
	}
	return dmap_coherent_read_only(port->domain, &port->rings, spans, nb);
}

static void
run_queue(struct sluice_port *port, struct sluice_queue *q)
{
	q->ring.doorbell = sluice_dev_doorbell(port, q->vq, q->layout == SLUICE_PACKED, q->kick_fd);
	/* What was published before the device listened; and it starts the ring [Ring states]. */
	sluice_doorbell_ring(&q->ring);
	/* Pairs with the acquire in sluice_queue_enter(). */
	__atomic_store_n(&q->state, SLUICE_QUEUE_RUNNING, __ATOMIC_RELEASE);
}

int
sluice_dev_go_live(struct sluice_port *port)
{
	const struct sluice_transport_ops *ops = port->transport->ops;
	const struct rte_eth_dev_data *data = port->dev->data;
	uint16_t nb_pairs = RTE_MAX(data->nb_rx_queues, data->nb_tx_queues), i;
	uint16_t mtu = has(port->features, SLUICE_NET_F_MTU) ? data->mtu : 0;
	struct sluice_queue *q;
	int ret;

	for (i = 0; i < data->nb_rx_queues; i++)
		reset_rxq(port, data->rx_queues[i]);
	for (i = 0; i < data->nb_tx_queues; i++)
		reset_txq(port, data->tx_queues[i]);
	ret = ops->begin(port->transport, port->features & port->info.features, mtu);
	if (ret == 0)
		ret = restrict_rings(port);
	if (ret == 0 && has(port->features, SLUICE_NET_F_CTRL_VQ))
		ret = sluice_ctrl_prepare(port);
	if (ret == 0)
		ret = dmap_publish(port->domain);
	for (i = 0; ret == 0 && (q = queue_at(port, i)) != NULL; i++)
		ret = start_vq(port, q);
	if (ret == 0 && has(port->features, SLUICE_NET_F_CTRL_VQ))
		ret = sluice_ctrl_start(port);
	if (ret == 0)
		ret = ops->commit(port->transport, 2 * nb_pairs);
	if (ret == 0 && has(port->features, SLUICE_NET_F_CTRL_VQ))
		ret = sluice_ctrl_set_pairs(port, nb_pairs);
	if (ret != 0) {
		sluice_dev_go_down(port, false);
		return ret;
	}
	FOREACH_QUEUE(port, q, i)
	run_queue(port, q);
	port->is_live = true;
	/* Who slept through the absence of a device has asked nobody for interrupts. */
	sluice_intr_wake(port);
	SLUICE_LOG(INFO, "%s: live, features 0x%" PRIx64 ", %u queue pairs", port->label,
			port->features & port->info.features, nb_pairs);
	return 0;
}

void
sluice_dev_go_down(struct sluice_port *port, bool is_graceful)
{
	const struct sluice_transport_ops *ops = port->transport->ops;
	const struct rte_eth_dev_data *data = port->dev->data;
	/* Registers are asked in any case: if the device does not answer, it is stopped from outside. */
	bool is_told = is_graceful || ops->notify != NULL;
	struct sluice_queue *q;
	uint16_t i;

	port->is_live = false;
	FOREACH_QUEUE(port, q, i)
	{
		__atomic_store_n(&q->state, SLUICE_QUEUE_STOPPED, __ATOMIC_RELEASE);
		q->ring.doorbell.fd = -1;
		q->ring.doorbell.dv_reg = NULL;
	}
	FOREACH_QUEUE(port, q, i)
	if (sluice_queue_quiesce(q) != 0)
		SLUICE_LOG(ERR, "port %u: a core stays in a burst of queue %u", port->port_id,
				q->id);
	sluice_intr_settle(port);
	/* The device stops before mbufs go back. One that does not answer is not asked again. */
	FOREACH_QUEUE(port, q, i)
	is_told = is_told && ops->vq_stop(port->transport, q->vq) == 0;
	if (is_told)
		ops->reset(port->transport);
	sluice_ctrl_stop(port);
	/* From here on the mbufs are out of its reach, whatever it says, if the back end can do that. */
	dmap_revoke(port->domain);
	for (i = 0; i < data->nb_rx_queues; i++)
		sluice_rxq_drain(data->rx_queues[i]);
	for (i = 0; i < data->nb_tx_queues; i++)
		port->nb_tx_lost += sluice_txq_drain(data->tx_queues[i]);
	sluice_intr_wake(port);
}

static int
check_queues(const struct sluice_port *port)
{
	const struct rte_eth_dev_data *data = port->dev->data;

	if (data->nb_rx_queues == data->nb_tx_queues)
		return 0;
	/* Queues come in pairs (5.1.2); a ring that is not set up would keep the back end waiting. */
	SLUICE_LOG(ERR,
			"port %u: %u receive and %u transmit queues; virtio-net has pairs, configure as many "
			"of each",
			port->port_id, data->nb_rx_queues, data->nb_tx_queues);
	return -EINVAL;
}

int
sluice_dev_start(struct sluice_port *port)
{
	int ret = check_queues(port);

	if (ret != 0)
		return ret;
	choose_features(port);
	port->dev->rx_pkt_burst = port->rx_path->burst;
	port->dev->tx_pkt_burst = port->tx_path->burst;
	port->failure = SLUICE_FAIL_NONE;
	if (port->transport->ops->is_connected(port->transport)) {
		ret = sluice_dev_go_live(port);
		if (ret != 0) {
			SLUICE_LOG(ERR, "port %u: cannot start: %s", port->port_id, strerror(-ret));
			return ret;
		}
	}
	port->is_started = true;
	return 0;
}

void
sluice_dev_stop(struct sluice_port *port)
{
	if (port->is_live)
		sluice_dev_go_down(port, true);
	else
		sluice_intr_wake(port);
	port->is_started = false;
}

void
sluice_dev_state(struct sluice_port *port, struct sluice_device_state *state)
{
	*state = (struct sluice_device_state){ .is_link_up = true, .speed = UINT32_MAX };
	if (port->transport->ops->state == NULL)
		return;
	port->transport->ops->state(port->transport, state);
	if (state->is_gone || state->needs_reset)
		sluice_conn_wake(port);
}
