/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Where the rings of a port are, and what leads to them. A device that was cut off keeps what it
 * was shown, so each connection has memory and descriptors of its own; where the device's reach is
 * taken away they are made once.
 */

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <ethdev_driver.h>

#include "sluice_check.h"
#include "sluice_port.h"
#include "sluice_log.h"

/* Room of bounce buffers: what frames of the MTU need, with two VLAN tags, within these bounds. */
#define RX_CELL_MIN 2048
#define TX_CELL_MAX 16384

/* Slots of a ring that nobody uses. A smaller one would save no page. */
#define IDLE_SIZE 64

uint16_t
sluice_dev_nb_rx(const struct sluice_port *port)
{
	uint16_t nb = port->dev->data->nb_rx_queues;

	/* ethdev changes the number before, and takes all away where the port cannot have it. */
	return nb - RTE_MIN(nb, port->nb_soft_rx);
}

uint16_t
sluice_dev_nb_vqs(const struct sluice_port *port)
{
	const struct rte_eth_dev_data *data = port->dev->data;

	return 2 * RTE_MAX(sluice_dev_nb_rx(port), data->nb_tx_queues);
}

static bool
is_idle(const struct sluice_port *port, uint16_t vq)
{
	const struct rte_eth_dev_data *data = port->dev->data;

	return vq / 2 >= (SLUICE_VQ_IS_TX(vq) ? data->nb_tx_queues : sluice_dev_nb_rx(port));
}

unsigned int
sluice_dev_nb_queues(const struct sluice_port *port)
{
	return port->dev->data->nb_rx_queues + port->dev->data->nb_tx_queues;
}

struct sluice_queue *
sluice_queue_at(const struct sluice_port *port, uint16_t vq)
{
	/* Numbers of queues change, too: what was computed of two may be none. */
	if (vq >= RTE_DIM(port->queues))
		return NULL;
	return rte_atomic_load_explicit(&port->queues[vq], rte_memory_order_acquire);
}

struct sluice_queue *
sluice_port_queue(const struct sluice_port *port, unsigned int i)
{
	uint16_t nb_rx = port->dev->data->nb_rx_queues;

	return sluice_queue_at(port, i < nb_rx ? SLUICE_VQ_RX(i) : SLUICE_VQ_TX(i - nb_rx));
}

struct sluice_queue *
sluice_dev_queue(const struct sluice_port *port, unsigned int i)
{
	bool is_soft = i >= sluice_dev_nb_rx(port) && i < port->dev->data->nb_rx_queues;

	return is_soft ? NULL : sluice_port_queue(port, i);
}

uint16_t
sluice_dev_ring_size(const struct sluice_port *port, uint16_t vq, uint16_t nb_desc)
{
	const struct sluice_transport_ops *ops = port->transport->ops;
	uint16_t max = port->args.queue_size, size;

	if (ops->vq_size_max != NULL && ops->vq_size_max(port->transport, vq) != 0)
		max = RTE_MIN(max, ops->vq_size_max(port->transport, vq));
	size = RTE_MIN(nb_desc, max);
	if (sluice_ring_type_of(port->features) == SLUICE_PACKED)
		return size;
	size = rte_align32pow2(size);
	return size <= max ? size : size / 2;
}

static uint16_t
size_of(const struct sluice_port *port, const struct sluice_queue *q)
{
	uint16_t nb_desc = sluice_queue_is_tx(q) ? ((const struct sluice_txq *)q)->nb_desc :
						   ((const struct sluice_rxq *)q)->nb_desc;

	return sluice_dev_ring_size(port, q->vq, nb_desc);
}

/* Of a virtqueue's ring, with the features and the slots that were chosen. */
static struct sluice_ring_offsets
offsets_at(const struct sluice_port *port, uint16_t vq)
{
	/* One without a queue has not what transmit queues have beside their ring. */
	bool is_tx = SLUICE_VQ_IS_TX(vq) && !is_idle(port, vq);

	return sluice_ring_offsets(sluice_ring_type_of(port->features), port->nb_slots[vq], is_tx);
}

/*
 * Of the bounce buffers of a queue. Received packets fit one, as far as they fit a buffer of the
 * application's pool; longer ones that are sent take several.
 */
static uint32_t
cell_room(const struct sluice_port *port, const struct sluice_queue *q)
{
	uint32_t frame = port->slices_mtu + SLUICE_FRAME_OVERHEAD + 2 * sizeof(struct rte_vlan_hdr);
	uint32_t room;

	if (sluice_queue_is_tx(q))
		return RTE_MIN(RTE_MAX(frame, (uint32_t)SLUICE_TX_CELL_MIN), (uint32_t)TX_CELL_MAX);
	room = ((const struct sluice_rxq *)q)->room;
	/* What a device joins has any length. */
	if (sluice_has(port->features, SLUICE_NET_F_GUEST_TSO4))
		return room;
	return RTE_MIN(room, RTE_MAX(frame, (uint32_t)RX_CELL_MIN));
}

/* Bytes of them, in whole pages: those of one virtqueue are not those of another. */
static size_t
cells_len(const struct sluice_port *port, uint16_t vq)
{
	bool are_there = SLUICE_VQ_IS_TX(vq) ? sluice_copies(port) || sluice_bounces(port) :
					       port->copies_rx;

	if (!are_there || is_idle(port, vq))
		return 0;
	return RTE_ALIGN_CEIL(sluice_cells_len(port->nb_slots[vq],
					      cell_room(port, sluice_queue_at(port, vq))),
			SLUICE_RING_PAGE);
}

/* A slice for each virtqueue, in their order; returns the bytes of all. */
static size_t
place_slices(struct sluice_port *port)
{
	size_t at = 0;
	uint16_t vq;

	port->slices_mtu = port->dev->data->mtu;
	for (vq = 0; vq < sluice_dev_nb_vqs(port); vq++) {
		port->slices[vq] = at;
		port->nb_slots[vq] = is_idle(port, vq) ? sluice_dev_ring_size(port, vq, IDLE_SIZE) :
							 size_of(port, sluice_queue_at(port, vq));
		/* whole pages: those of one virtqueue are not those of another */
		at += offsets_at(port, vq).len + cells_len(port, vq);
	}
	return at;
}

int
sluice_rings_open_kick(const struct sluice_port *port, uint16_t vq, int *fd)
{
	int err;

	if (sluice_transport_can(port->transport, SLUICE_TRANSPORT_HAS_REGISTERS))
		return 0;
	if (*fd < 0)
		*fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (*fd >= 0)
		return 0;
	err = errno;
	SLUICE_LOG(ERR, "port %u: eventfd for virtqueue %u: %s", port->port_id, vq, strerror(err));
	return -err;
}

static int
open_kicks(struct sluice_port *port)
{
	struct sluice_queue *q;
	unsigned int i;
	uint16_t vq;
	int ret = 0;

	SLUICE_FOREACH_QUEUE(port, q, i)
		ret = ret == 0 ? sluice_rings_open_kick(port, q->vq, &q->kick_fd) : ret;
	/* Nobody writes to it, so one is enough for all. */
	for (vq = 0; vq < sluice_dev_nb_vqs(port); vq++)
		if (ret == 0 && is_idle(port, vq))
			ret = sluice_rings_open_kick(port, vq, &port->idle_kick_fd);
	return ret;
}

static int
alloc_rings(struct sluice_port *port)
{
	size_t len = place_slices(port);
	int ret;

	if (len > port->rings.len)
		dmap_free_coherent(port->domain, &port->rings);
	if (port->rings.va != NULL)
		return 0;
	ret = dmap_alloc_coherent(port->domain, port->label, len, port->socket, &port->rings);
	if (ret != 0)
		SLUICE_LOG(ERR,
				"port %u: no %zu bytes for rings: %s; fewer queues or a smaller queue_size "
				"need less",
				port->port_id, len, strerror(-ret));
	else if (sluice_copies(port) || sluice_bounces(port))
		dmap_coherent_note(port->domain, &port->rings, "rings and bounce buffers");
	return ret;
}

/* What packets may ask for. */
static uint64_t
tx_flags_of(const struct sluice_port *port)
{
	static const struct {
		uint64_t offload, flags;
	} table[] = {
		/* Virtio has one feature for both, so the flags of both are good. */
		{ SLUICE_TX_CSUM_OFFLOADS, RTE_MBUF_F_TX_L4_MASK },
		{ RTE_ETH_TX_OFFLOAD_IPV4_CKSUM, RTE_MBUF_F_TX_IP_CKSUM },
		{ RTE_ETH_TX_OFFLOAD_VLAN_INSERT, RTE_MBUF_F_TX_VLAN },
		/* Segments need their checksums. */
		{ RTE_ETH_TX_OFFLOAD_TCP_TSO,
				RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_L4_MASK |
						RTE_MBUF_F_TX_IP_CKSUM },
		{ RTE_ETH_TX_OFFLOAD_UDP_TSO,
				RTE_MBUF_F_TX_UDP_SEG | RTE_MBUF_F_TX_L4_MASK |
						RTE_MBUF_F_TX_IP_CKSUM },
		{ SLUICE_TX_TUNNEL_OFFLOADS,
				RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_L4_MASK |
						RTE_MBUF_F_TX_IP_CKSUM |
						RTE_MBUF_F_TX_OUTER_IP_CKSUM },
		{ RTE_ETH_TX_OFFLOAD_OUTER_IPV4_CKSUM, RTE_MBUF_F_TX_OUTER_IP_CKSUM },
		{ RTE_ETH_TX_OFFLOAD_OUTER_UDP_CKSUM, RTE_MBUF_F_TX_OUTER_UDP_CKSUM },
	};
	uint64_t flags = 0;
	unsigned int i;

	for (i = 0; i < RTE_DIM(table); i++)
		if (sluice_tx_offloads_of(port->dev) & table[i].offload)
			flags |= table[i].flags;
	return flags;
}

/* dma_debug=1. Without memory for it the queue runs all the same. */
static void
begin_check(struct sluice_port *port, struct sluice_queue *q, bool is_tx)
{
	int ret = sluice_check_begin(q, port->domain, is_tx ? NULL : port->rx_path,
			is_tx ? port->tx_path : NULL, port->dev->data->mtu + RTE_ETHER_HDR_LEN);

	if (ret != 0)
		SLUICE_LOG(WARNING, "port %u: virtqueue %u is not checked (dma_debug=1): %s",
				port->port_id, q->vq, strerror(-ret));
}

static void
reset_queue(struct sluice_port *port, struct sluice_queue *q)
{
	const sluice_features f = port->features;
	bool is_tx = sluice_queue_is_tx(q);
	struct sluice_queue_conf conf = {
		.ring_type = sluice_ring_type_of(f),
		.size = size_of(port, q),
		.nb_slots = port->nb_slots[q->vq],
		.run = sluice_path_run(is_tx ? port->tx_path->cfg : port->rx_path->cfg),
		.has_event_idx = sluice_has(f, SLUICE_F_EVENT_IDX),
		.is_in_order = sluice_has(f, SLUICE_F_IN_ORDER),
		.has_indirect = sluice_has(f, SLUICE_F_INDIRECT_DESC),
		.has_mrg = sluice_has(f, SLUICE_NET_F_MRG_RXBUF),
		.reads_headers = sluice_path_reads_headers(f, sluice_rx_checks_ipv4(port->dev)),
		.has_csum = sluice_has(f, SLUICE_NET_F_GUEST_CSUM),
		.has_hash = sluice_has(f, SLUICE_NET_F_HASH_REPORT),
		.has_tunnel = sluice_has(f, SLUICE_NET_F_HOST_UDP_TUNNEL_GSO),
		.completes_csum = port->args.completes_csum,
		.checks_ipv4 = sluice_rx_checks_ipv4(port->dev),
		.tx_flags = tx_flags_of(port),
		.has_ecn = sluice_has(f, is_tx ? SLUICE_NET_F_HOST_ECN : SLUICE_NET_F_GUEST_ECN),
		.has_lro = sluice_has(f, SLUICE_NET_F_GUEST_TSO4),
		.va = (char *)port->rings.va + port->slices[q->vq],
		.da.v = port->rings.da.v + port->slices[q->vq],
		.domain = port->domain,
		.bounces = sluice_bounces(port),
	};

	if (cells_len(port, q->vq) != 0) {
		size_t at = port->slices[q->vq] + offsets_at(port, q->vq).len;

		conf.cells = sluice_cells_at((char *)port->rings.va + at,
				(struct dmap_addr){ port->rings.da.v + at }, cell_room(port, q));
	}
	sluice_watch_reset(&port->watch[q->vq]);
	q->is_forgotten = false;
	if (is_tx)
		sluice_txq_reset((struct sluice_txq *)q, &conf);
	else
		sluice_rxq_reset((struct sluice_rxq *)q, &conf);
	if (port->args.has_dma_debug)
		begin_check(port, q, is_tx);
}

static void
fill(const struct sluice_port *port, struct sluice_queue *q)
{
	if (!sluice_queue_is_tx(q))
		port->rx_path->fill((struct sluice_rxq *)q);
}

int
sluice_rings_make(struct sluice_port *port)
{
	struct sluice_queue *q;
	unsigned int i;
	int ret = alloc_rings(port);

	if (ret == 0)
		ret = open_kicks(port);
	if (ret != 0)
		return ret;
	SLUICE_FOREACH_QUEUE(port, q, i) {
		reset_queue(port, q);
		/* One that is held back is filled by its first burst. */
		if (!q->is_held)
			fill(port, q);
	}
	return 0;
}

void
sluice_rings_drop(struct sluice_port *port)
{
	struct sluice_queue *q;
	unsigned int i;

	SLUICE_FOREACH_QUEUE(port, q, i) {
		if (q->kick_fd >= 0)
			close(q->kick_fd);
		q->kick_fd = -1;
	}
	if (port->idle_kick_fd >= 0)
		close(port->idle_kick_fd);
	port->idle_kick_fd = -1;
	sluice_ctrl_free(port);
	dmap_free_coherent(port->domain, &port->rings);
}

void
sluice_rings_end(struct sluice_port *port)
{
	if (port->is_stuck)
		dmap_coherent_abandon(port->domain, &port->rings);
	else
		dmap_free_coherent(port->domain, &port->rings);
	sluice_check_close(port->port_id, port->domain);
	if (port->is_stuck)
		dmap_domain_abandon(port->domain);
	else
		dmap_domain_destroy(port->domain);
	port->domain = NULL;
}

int
sluice_rings_restrict(struct sluice_port *port)
{
	struct dmap_span spans[3 * SLUICE_PAIRS_MAX]; /* what is sent has two */
	unsigned int nb = 0;
	uint16_t vq;

	/* In the order of addresses. */
	for (vq = 0; sluice_dev_has_ro_rings(port) && vq < sluice_dev_nb_vqs(port); vq++) {
		spans[nb] = offsets_at(port, vq).read_only;
		spans[nb++].offset += port->slices[vq];
		/* Bounce buffers of what is sent, too. */
		if (SLUICE_VQ_IS_TX(vq) && cells_len(port, vq) != 0)
			spans[nb++] = (struct dmap_span){
				port->slices[vq] + offsets_at(port, vq).len, cells_len(port, vq)
			};
	}
	return dmap_coherent_read_only(port->domain, &port->rings, spans, nb);
}

int
sluice_rings_start_one(struct sluice_port *port, const struct dmap_coherent *mem,
		const struct sluice_ring *r, struct sluice_vq_setup *vq)
{
	vq->is_packed = sluice_ring_type_of(port->features) == SLUICE_PACKED;
	if (vq->is_packed) {
		vq->dv_desc = r->packed.dv_desc;
		vq->dv_driver = r->packed.dv_driver_event;
		vq->dv_device = r->packed.dv_device_event;
	} else {
		vq->dv_desc = r->split.dv_desc;
		vq->dv_driver = r->split.dv_avail;
		vq->dv_device = r->split.dv_used;
	}
	vq->desc_da = dmap_coherent_da(mem, vq->dv_desc);
	vq->driver_da = dmap_coherent_da(mem, vq->dv_driver);
	vq->device_da = dmap_coherent_da(mem, vq->dv_device);
	return port->transport->ops->vq_start(port->transport, vq);
}

static int
start_idle(struct sluice_port *port, uint16_t vq)
{
	uint16_t size = port->nb_slots[vq], shadow[IDLE_SIZE];
	struct sluice_ring_offsets l = offsets_at(port, vq);
	struct sluice_vq_setup setup = {
		.vq = vq, .size = size, .call_fd = -1, .kick_fd = port->idle_kick_fd
	};
	char *va = (char *)port->rings.va + port->slices[vq];
	struct sluice_ring ring = { 0 };

	memset(va, 0, l.len);
	sluice_ring_init(&ring, sluice_ring_type_of(port->features), size, &l, va, shadow);
	return sluice_rings_start_one(port, &port->rings, &ring, &setup);
}

static int
start_queue(struct sluice_port *port, const struct sluice_queue *q)
{
	const struct sluice_intr *intr = &port->intr;
	struct sluice_vq_setup setup = {
		.vq = q->vq, .size = q->ring.size, .call_fd = -1, .kick_fd = q->kick_fd
	};

	if (!sluice_queue_is_tx(q) && q->id < intr->nb_fds)
		setup.call_fd = intr->fds[q->id];
	return sluice_rings_start_one(port, &port->rings, &q->ring, &setup);
}

void
sluice_rings_forget(struct sluice_port *port, struct sluice_queue *q)
{
	reset_queue(port, q);
	q->is_forgotten = true;
}

int
sluice_rings_start_again(struct sluice_port *port, struct sluice_queue *q)
{
	q->is_forgotten = false;
	fill(port, q);
	return start_queue(port, q);
}

int
sluice_rings_start(struct sluice_port *port)
{
	struct sluice_queue *q;
	unsigned int i;
	uint16_t vq;
	int ret = 0;

	SLUICE_FOREACH_QUEUE(port, q, i)
		if (ret == 0)
			ret = start_queue(port, q);
	for (vq = 0; ret == 0 && vq < sluice_dev_nb_vqs(port); vq++)
		if (is_idle(port, vq))
			ret = start_idle(port, vq);
	return ret;
}

struct sluice_doorbell
sluice_dev_doorbell(const struct sluice_port *port, uint16_t vq, bool is_packed, int kick_fd)
{
	struct sluice_doorbell bell = { .vq = vq, .is_packed = is_packed, .fd = kick_fd };
	struct sluice_notify notify;

	if (sluice_transport_can(port->transport, SLUICE_TRANSPORT_HAS_REGISTERS)) {
		notify = port->transport->ops->notify(port->transport, vq);
		bell.dv_reg = notify.addr;
		bell.has_data = notify.has_data;
		bell.fd = -1;
	}
	return bell;
}
