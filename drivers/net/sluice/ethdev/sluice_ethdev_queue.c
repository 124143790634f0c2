/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * ethdev operations on queues: setup, release, and how they are set up. Questions about their rings
 * are in sluice_ethdev_look.c.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <rte_malloc.h>

#include "sluice_check.h"
#include "sluice_ethdev.h"
#include "sluice_life.h"
#include "sluice_log.h"

#define DEFAULT_THRESH 32 /* as SLUICE_RX_REFILL */
/*
 * Three bursts: the oldest is done then, and its used entry is there before it is looked at. With
 * fewer the driver is at the device's heels and waits for each, with more the mbufs leave the
 * nearest cache.
 */
#define DEFAULT_RECLAIM 96
#define MIN_DESC 4

static void
free_queue(struct sluice_queue *q)
{
	sluice_check_end(q);
	sluice_queue_take_returns(q);
	if (q->kick_fd >= 0)
		close(q->kick_fd);
	rte_free(q->sw_ring);
}

static void
free_rxq(struct sluice_rxq *rxq)
{
	rte_free(rxq->avail_shadow);
	free_queue(&rxq->q);
	rte_free(rxq);
}

static void
free_txq(struct sluice_txq *txq)
{
	rte_free(txq->extra_user);
	rte_free(txq->slot_kind);
	rte_free(txq->avail_shadow);
	free_queue(&txq->q);
	rte_free(txq);
}

static int
no_memory(const struct sluice_port *port, const char *direction, uint16_t id)
{
	SLUICE_LOG(ERR,
			"port %u: EAL has no memory left for %s queue %u: give it more (-m, --socket-mem), or a "
			"smaller queue_size",
			port->port_id, direction, id);
	return -ENOMEM;
}

static int
init_queue(struct sluice_port *port, struct sluice_queue *q, uint16_t id, uint16_t vq,
		size_t nb_slots, unsigned int socket)
{
	q->port = port;
	q->port_id = port->port_id;
	q->id = id;
	q->vq = vq;
	q->nb_slots = nb_slots;
	q->run = SLUICE_QUEUE_RUNNING; /* of no path yet, and not its state */
	q->kick_fd = -1;               /* each connection brings its own */
	q->wake_fd = port->wake_fd;
	rte_spinlock_init(&q->look_lock);
	q->sw_ring = rte_zmalloc_socket("sluice sw_ring", nb_slots * sizeof(q->sw_ring[0]),
			RTE_CACHE_LINE_SIZE, socket);
	return q->sw_ring == NULL ?
			no_memory(port, SLUICE_VQ_IS_TX(vq) ? "transmit" : "receive", id) :
			0;
}

/*
 * Rings as large as this queue needs, unless queue_size says how large they are. What is too large
 * for all queues was refused by ethdev; a device may have queues of different sizes.
 */
static void
make_room(struct sluice_port *port, const char *direction, uint16_t id, uint16_t vq,
		uint16_t nb_desc)
{
	uint16_t max = sluice_desc_max(port, vq);

	if (nb_desc > max)
		SLUICE_LOG(NOTICE,
				"port %u %s queue %u: %u descriptors asked for, the %s has %u: cut",
				port->port_id, direction, id, nb_desc, port->transport->ops->peer,
				max);
	nb_desc = RTE_MIN(nb_desc, max);
	/* Whatever type of ring the device will have. */
	if (nb_desc > port->args.queue_size && !port->args.has_queue_size)
		port->args.queue_size = rte_align32pow2(nb_desc);
}

/* What both directions refuse. */
static int
check_setup(struct sluice_port *port, const char *direction, uint16_t id, uint16_t vq,
		uint16_t nb_desc)
{
	if (nb_desc < MIN_DESC) {
		SLUICE_LOG(ERR, "port %u %s queue %u: %u descriptors are too few, at least %u",
				port->port_id, direction, id, nb_desc, MIN_DESC);
		return -EINVAL;
	}
	sluice_life_lock(port, SLUICE_LOCK_MS);
	make_room(port, direction, id, vq, nb_desc);
	pthread_mutex_unlock(&port->lock);
	return 0;
}

/* Clears the offset that opaque points to if the buffer of a direct mbuf lies elsewhere. */
static void
check_buf_off(struct rte_mempool *mp, void *opaque, void *obj, unsigned int idx)
{
	const struct rte_mbuf *m = obj;
	uint32_t *buf_off = opaque;

	RTE_SET_USED(mp);
	RTE_SET_USED(idx);
	if (RTE_MBUF_DIRECT(m) && (char *)m->buf_addr != (char *)obj + *buf_off)
		*buf_off = 0;
}

/*
 * How far behind an mbuf its buffer lies, in the whole pool (rte_mbuf_buf_addr()); 0: nothing of
 * the kind.
 */
static uint32_t
find_buf_off(struct rte_mempool *mp)
{
	uint32_t buf_off = sizeof(struct rte_mbuf) + rte_pktmbuf_priv_size(mp);

	rte_mempool_obj_iter(mp, check_buf_off, &buf_off);
	return buf_off;
}

/* The eight bytes at rearm_data, and the flags, that every received mbuf starts with. */
static void
init_rx_template(struct sluice_rxq *rxq, uint16_t port_id)
{
	struct rte_mbuf m = {
		.data_off = RTE_PKTMBUF_HEADROOM,
		.nb_segs = 1,
		.port = port_id,
	};

	rte_mbuf_refcnt_set(&m, 1);
	rxq->rearm = *sluice_mbuf_rearm(&m);
	rxq->ol_flags = 0;
	rxq->buf_off = 0;
	if (rte_pktmbuf_priv_flags(rxq->pool) & RTE_PKTMBUF_POOL_F_PINNED_EXT_BUF)
		rxq->ol_flags = RTE_MBUF_F_EXTERNAL;
	else
		rxq->buf_off = find_buf_off(rxq->pool);
}

/* Why the device cannot have it. */
static void
log_pool(const struct sluice_port *port, const struct rte_mempool *mp, int ret)
{
	const char *more = "";

	if (ret == -ENOTSUP)
		more = " (its memory has no file behind it; isolation=copy needs none)";
	else if (ret == -EPERM)
		more = ": " SLUICE_SEALED_REMEDY;
	SLUICE_LOG(ERR, "port %u: cannot show mempool %s to the device: %s%s", port->port_id,
			mp->name, strerror(-ret), more);
}

/* A pool that a sealed port does not show. Whether packets are copied is said when it starts. */
static int
take_foreign(const struct sluice_port *port, uint16_t id, const struct rte_mempool *mp)
{
	if (!sluice_port_is_started(port) || port->copies_rx)
		return 0;
	SLUICE_LOG(ERR,
			"port %u receive queue %u: with bounce=1 mempool %s needs bounce buffers, which are "
			"made when the port starts: stop it to have that pool",
			port->port_id, id, mp->name);
	return -EBUSY;
}

int
sluice_show_rx_pool(struct sluice_port *port, uint16_t id, struct rte_mempool *mp, bool *is_foreign)
{
	char who[48];
	int ret;

	*is_foreign = false;
	if (sluice_copies(port))
		return 0;
	ret = dmap_add_pool(port->domain, mp);
	*is_foreign = ret == -EPERM && sluice_bounces(port);
	if (*is_foreign)
		return take_foreign(port, id, mp);
	if (ret != 0)
		log_pool(port, mp, ret);
	snprintf(who, sizeof(who), "port %u receive queue %u", port->port_id, id);
	dmap_check_nodes(port->domain, who, port->socket);
	return ret;
}

int
sluice_rxq_init_pool(struct sluice_port *port, struct sluice_rxq *rxq, struct rte_mempool *mp)
{
	uint64_t rx_offloads = port->dev->data->dev_conf.rxmode.offloads;
	uint32_t room = rte_pktmbuf_data_room_size(mp);
	bool checks_ipv4 = sluice_rx_checks_ipv4(port->dev), has_hash, has_tunnel;

	rxq->pool = mp;
	if (room < RTE_PKTMBUF_HEADROOM + RTE_ETHER_MIN_LEN) {
		SLUICE_LOG(ERR, "port %u: mempool %s has buffers of %u bytes, at least %u are needed",
				port->port_id, mp->name, room,
				RTE_PKTMBUF_HEADROOM + RTE_ETHER_MIN_LEN);
		return -EINVAL;
	}
	rxq->room = room - RTE_PKTMBUF_HEADROOM;
	init_rx_template(rxq, port->port_id);
	/* If the device does not offer it, there will be a little more room. */
	has_hash = sluice_steer_is_hash_by_device(port);
	has_tunnel = (sluice_tx_offloads_of(port->dev) & SLUICE_TX_TUNNEL_OFFLOADS) != 0;
	sluice_rxq_place(rxq,
			has_hash || has_tunnel || checks_ipv4 ||
					(rx_offloads & SLUICE_RX_HEADER_OFFLOADS) != 0,
			has_hash, has_tunnel, checks_ipv4);
	return 0;
}

void
sluice_rxq_init_conf(struct sluice_rxq *rxq, const struct rte_eth_rxconf *conf)
{
	rxq->q.is_deferred = conf->rx_deferred_start;
	rxq->free_thresh_asked = conf->rx_free_thresh != 0 ? conf->rx_free_thresh : DEFAULT_THRESH;
}

void
sluice_txq_init_conf(struct sluice_txq *txq, const struct rte_eth_txconf *conf, uint16_t nb_desc)
{
	txq->q.is_deferred = conf->tx_deferred_start;
	/* tx_free_thresh counts free descriptors, reclaim_asked counts those that are not. */
	txq->reclaim_asked = conf->tx_free_thresh != 0 && conf->tx_free_thresh < nb_desc ?
			nb_desc - conf->tx_free_thresh :
			DEFAULT_RECLAIM;
}

int
sluice_rx_queue_setup(struct rte_eth_dev *dev, uint16_t id, uint16_t nb_desc, unsigned int socket,
		const struct rte_eth_rxconf *conf, struct rte_mempool *mp)
{
	struct sluice_port *port = sluice_port_of(dev);
	/* No ring for nb_desc has more; see sluice_dev_ring_size(). */
	size_t slots = rte_align32pow2(nb_desc);
	struct sluice_rxq *rxq;
	int ret;

	/* ethdev has released it, and the port has it: it is started. */
	if (port->queues[SLUICE_VQ_RX(id)] != NULL)
		return sluice_rx_queue_renew(dev, id, nb_desc, conf, mp);
	ret = check_setup(port, "receive", id, SLUICE_VQ_RX(id), nb_desc);
	if (ret != 0)
		return ret;
	rxq = rte_zmalloc_socket("sluice rxq", sizeof(*rxq), RTE_CACHE_LINE_SIZE, socket);
	if (rxq == NULL)
		return no_memory(port, "receive", id);
	rxq->nb_desc = nb_desc;
	rxq->stage = &port->shared->stage;
	sluice_rxq_init_conf(rxq, conf);
	ret = init_queue(port, &rxq->q, id, SLUICE_VQ_RX(id), slots, socket);
	if (ret == 0)
		ret = sluice_rxq_init_pool(port, rxq, mp);
	if (ret == 0)
		ret = sluice_show_rx_pool(port, id, mp, &rxq->is_foreign);
	if (ret == 0)
		ret = sluice_check_frame(port, rxq, dev->data->mtu);
	if (ret == 0) {
		rxq->avail_shadow = rte_zmalloc_socket("sluice avail", slots * sizeof(uint16_t),
				RTE_CACHE_LINE_SIZE, socket);
		ret = rxq->avail_shadow == NULL ? no_memory(port, "receive", id) : 0;
	}
	if (ret != 0) {
		free_rxq(rxq);
		return ret;
	}
	sluice_park_set_queue(&port->park, rxq->q.vq, &rxq->q);
	sluice_queue_publish(dev, &rxq->q);
	return 0;
}

int
sluice_tx_queue_setup(struct rte_eth_dev *dev, uint16_t id, uint16_t nb_desc, unsigned int socket,
		const struct rte_eth_txconf *conf)
{
	struct sluice_port *port = sluice_port_of(dev);
	/* No ring for nb_desc has more; see sluice_dev_ring_size(). */
	size_t slots = rte_align32pow2(nb_desc);
	struct sluice_txq *txq;
	int ret;

	if (port->queues[SLUICE_VQ_TX(id)] != NULL)
		return sluice_tx_queue_renew(dev, id, nb_desc, conf);
	ret = check_setup(port, "transmit", id, SLUICE_VQ_TX(id), nb_desc);
	if (ret != 0)
		return ret;
	txq = rte_zmalloc_socket("sluice txq", sizeof(*txq), RTE_CACHE_LINE_SIZE, socket);
	if (txq == NULL)
		return no_memory(port, "transmit", id);
	txq->nb_desc = nb_desc;
	sluice_txq_init_conf(txq, conf, nb_desc);
	ret = init_queue(port, &txq->q, id, SLUICE_VQ_TX(id), slots, socket);
	if (ret == 0) {
		txq->slot_kind = rte_zmalloc_socket("sluice slot_kind", slots * sizeof(uint16_t),
				RTE_CACHE_LINE_SIZE, socket);
		txq->avail_shadow = rte_zmalloc_socket("sluice avail", slots * sizeof(uint16_t),
				RTE_CACHE_LINE_SIZE, socket);
		txq->extra_user = rte_zmalloc_socket("sluice extras",
				sluice_ring_nb_extras(slots) * sizeof(uint32_t),
				RTE_CACHE_LINE_SIZE, socket);
		if (txq->slot_kind == NULL || txq->avail_shadow == NULL || txq->extra_user == NULL)
			ret = no_memory(port, "transmit", id);
	}
	if (ret != 0) {
		free_txq(txq);
		return ret;
	}
	sluice_park_set_queue(&port->park, txq->q.vq, &txq->q);
	sluice_queue_publish(dev, &txq->q);
	return 0;
}

/*
 * A core that hangs inside, of this process or another one, goes on some day, and writes there: the
 * memory is nobody else's then.
 */
static bool
is_left(struct sluice_queue *q)
{
	if (!sluice_queue_is_in_burst(q))
		return false;
	SLUICE_LOG(WARNING,
			"port %u: a core is still in a burst of virtqueue %u: the queue's memory is not "
			"given back",
			q->port_id, q->vq);
	q->wake_fd = -1; /* the number may be another file's */
	return true;
}

void
sluice_queue_free(struct sluice_queue *q)
{
	sluice_park_set_queue(&q->port->park, q->vq, NULL);
	if (is_left(q))
		return;
	if (sluice_queue_is_tx(q))
		free_txq((struct sluice_txq *)q);
	else
		free_rxq((struct sluice_rxq *)q);
}

static int
start_queue(struct rte_eth_dev *dev, struct sluice_queue *q, uint8_t *state)
{
	struct sluice_port *port = sluice_port_of(dev);
	int ret = sluice_check_process(port);

	if (ret != 0)
		return ret;
	sluice_life_start_queue(port, q);
	*state = RTE_ETH_QUEUE_STATE_STARTED;
	/* It has more to do where the device did not answer. */
	sluice_conn_wake(port);
	return 0;
}

static int
stop_queue(struct rte_eth_dev *dev, struct sluice_queue *q, uint8_t *state)
{
	struct sluice_port *port = sluice_port_of(dev);
	int ret = sluice_check_process(port);

	if (ret != 0)
		return ret;
	ret = sluice_life_hold_queue(port, q);
	if (ret == 0)
		*state = RTE_ETH_QUEUE_STATE_STOPPED;
	sluice_conn_wake(port);
	return ret;
}

int
sluice_rx_queue_start(struct rte_eth_dev *dev, uint16_t id)
{
	return start_queue(dev, dev->data->rx_queues[id], &dev->data->rx_queue_state[id]);
}

int
sluice_rx_queue_stop(struct rte_eth_dev *dev, uint16_t id)
{
	return stop_queue(dev, dev->data->rx_queues[id], &dev->data->rx_queue_state[id]);
}

int
sluice_tx_queue_start(struct rte_eth_dev *dev, uint16_t id)
{
	return start_queue(dev, dev->data->tx_queues[id], &dev->data->tx_queue_state[id]);
}

int
sluice_tx_queue_stop(struct rte_eth_dev *dev, uint16_t id)
{
	return stop_queue(dev, dev->data->tx_queues[id], &dev->data->tx_queue_state[id]);
}

void
sluice_rxq_info_get(struct rte_eth_dev *dev, uint16_t id, struct rte_eth_rxq_info *info)
{
	const struct sluice_rxq *rxq = dev->data->rx_queues[id];

	info->mp = rxq->pool;
	info->scattered_rx = dev->data->scattered_rx;
	info->nb_desc = rxq->q.ring.size != 0 ? rxq->q.ring.size : rxq->nb_desc;
	info->rx_buf_size = rxq->post_len - rxq->hdr_len;
	info->conf.rx_deferred_start = rxq->q.is_deferred;
	info->conf.rx_free_thresh = rxq->free_thresh_asked;
	info->conf.offloads = dev->data->dev_conf.rxmode.offloads;
}

void
sluice_txq_info_get(struct rte_eth_dev *dev, uint16_t id, struct rte_eth_txq_info *info)
{
	const struct sluice_txq *txq = dev->data->tx_queues[id];
	bool is_set_up = txq->q.ring.size != 0;

	info->nb_desc = is_set_up ? txq->q.ring.size : txq->nb_desc;
	info->conf.tx_deferred_start = txq->q.is_deferred;
	if (is_set_up)
		info->conf.tx_free_thresh = txq->few_free;
	else if (txq->nb_desc > txq->reclaim_asked)
		info->conf.tx_free_thresh = txq->nb_desc - txq->reclaim_asked;
	info->conf.offloads = dev->data->dev_conf.txmode.offloads;
}

int
sluice_tx_done_cleanup(void *queue, uint32_t nb_max)
{
	struct sluice_txq *txq = queue;
	uint32_t nb = 0;

	if (txq == NULL)
		return -EINVAL; /* ethdev does not look whether the queue is set up */
	if (!sluice_queue_enter(&txq->q, txq->q.run))
		return 0;
	nb = txq->q.port->tx_path->cleanup(txq, nb_max);
	sluice_queue_leave(&txq->q);
	return nb;
}
