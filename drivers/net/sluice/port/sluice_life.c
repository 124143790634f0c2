/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * The life of a port: see sluice_life.h. Two functions carry it, live and end. end has the one
 * order in which a device may be let go: stop the datapath, stop the device, revoke what it
 * reaches, give mbufs back.
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include <ethdev_driver.h>

#include "sluice_life_impl.h"
#include "sluice_log.h"

/* The longest pause between tries to reach a device. */
#define RETRY_MAX_MS 1000

bool
sluice_life_is_connected(const struct sluice_port *port)
{
	return port->transport->ops->is_connected(port->transport);
}

/* From a connected device to one that runs the rings (3.1.1). */
static int
start_device(struct sluice_port *port)
{
	const struct sluice_transport_ops *ops = port->transport->ops;
	uint16_t nb_vqs = sluice_dev_nb_vqs(port);
	const sluice_features f = port->features;
	bool has_mtu = sluice_has(f, SLUICE_NET_F_MTU),
	     has_ctrl = sluice_has(f, SLUICE_NET_F_CTRL_VQ);
	int ret;

	ret = ops->begin(port->transport, f, has_mtu ? port->dev->data->mtu : 0);
	if (ret == 0)
		ret = sluice_rings_restrict(port);
	if (ret == 0 && has_ctrl)
		ret = sluice_ctrl_prepare(port);
	port->was_shown = ret == 0;
	if (ret == 0)
		ret = dmap_show(port->domain);
	if (ret == 0)
		ret = sluice_rings_start(port);
	if (ret == 0 && has_ctrl)
		ret = sluice_ctrl_start(port);
	if (ret == 0)
		ret = ops->commit(port->transport, nb_vqs);
	/* One pair is in use without being asked for. RSS says how many there are, too. */
	if (ret == 0 && has_ctrl && nb_vqs > 2 && !sluice_has(f, SLUICE_NET_F_RSS))
		ret = sluice_ctrl_set_pairs(port, nb_vqs / 2);
	if (ret == 0 && (f & SLUICE_NET_HASH_FEATURES))
		ret = sluice_steer_tell(port, &port->shared->rss);
	if (ret == 0)
		ret = sluice_life_tell_held(port);
	if (ret == 0) {
		sluice_filter_apply(port);
		sluice_coal_tell(port);
	}
	return ret;
}

int
sluice_life_live(struct sluice_port *port)
{
	struct sluice_queue *q;
	unsigned int i;
	int ret = port->is_stuck ? -EBUSY : sluice_dev_choose(port);

	port->was_shown = false;
	port->is_stats_mute = false;
	if (ret == 0)
		ret = sluice_rings_make(port);
	if (ret == 0)
		ret = start_device(port);
	if (ret != 0)
		return ret;
	sluice_set_scatter(port);
	port->events->paths_chosen(port);
	SLUICE_FOREACH_QUEUE(port, q, i)
		if (!q->is_held)
			sluice_life_run_queue(port, q);
	sluice_life_step(port, SLUICE_ON_LIVE);
	sluice_share_offer(port);
	sluice_port_tell_sizes(port);
	port->tick_at = sluice_clock_ms() + SLUICE_TICK_MS;
	/* Cores that went to sleep without a device have asked nobody for interrupts. */
	sluice_intr_wake(port);
	SLUICE_LOG(INFO, "%s: live, features %s, %u queues", port->label,
			sluice_features_text(port->features).text, sluice_dev_nb_queues(port));
	return 0;
}

/*
 * No burst starts, and none is inside; or the port is stuck, and the queues' buffers stay where
 * they are.
 */
static void
stop_datapath(struct sluice_port *port)
{
	int64_t deadline = sluice_clock_ms() + SLUICE_QUIESCE_MS;
	struct sluice_queue *q;
	unsigned int i;

	SLUICE_FOREACH_QUEUE(port, q, i)
		rte_atomic_store_explicit(
				&q->state, SLUICE_QUEUE_STOPPED, rte_memory_order_release);
	sluice_share_withdraw(port);
	/* Queues of secondary processes that have ended: nobody waits for these. */
	sluice_share_serve(port);
	SLUICE_FOREACH_QUEUE(port, q, i) {
		port->is_core_in[q->vq] = sluice_queue_quiesce(q, deadline) != 0;
		if (port->is_core_in[q->vq]) {
			port->is_stuck = true;
			SLUICE_LOG(ERR,
					"port %u: a core stays in a burst of virtqueue %u: its buffers are "
					"parked until it leaves",
					port->port_id, q->vq);
		}
		q->ring.doorbell.fd = -1;
		q->ring.doorbell.dv_reg = NULL;
	}
}

/* True: it says that it stopped, all of it. One that does not answer is not asked again. */
static bool
tell_device(struct sluice_port *port)
{
	const struct sluice_transport_ops *ops = port->transport->ops;
	uint16_t vq;
	int ret = 0;

	for (vq = 0; ret == 0 && vq < sluice_dev_nb_vqs(port); vq++)
		ret = ops->vq_stop(port->transport, vq);
	if (ret == 0 || sluice_transport_can(port->transport, SLUICE_TRANSPORT_HAS_REGISTERS))
		ret = ops->reset(port->transport);
	return ret == 0;
}

/*
 * Mbufs of queues that no core is in go back to their pools, or into p, to wait there, if the
 * device may still reach them.
 */
static void
give_back(struct sluice_port *port, struct sluice_parked *p)
{
	struct sluice_queue *q;
	unsigned int i;
	int nb;

	SLUICE_FOREACH_QUEUE(port, q, i) {
		/*
		 * Not in_burst: a core that polls a stopped queue sets it for a moment, and does
		 * nothing.
		 */
		if (port->is_core_in[q->vq])
			continue;
		if (q->is_stranded) {
			port->shared->nb_stranded += sluice_queue_abandon(q);
			q->is_stranded = false;
			continue;
		}
		nb = p == NULL ? -ENOMEM : sluice_park_queue(&port->park, p, q);
		/* Without memory to park them there is only the time that a burst takes. */
		if (nb == -ENOMEM) {
			usleep(SLUICE_PARK_GRACE_MS * 1000);
			nb = sluice_queue_drain(q, NULL);
		}
		if (sluice_queue_is_tx(q))
			port->shared->nb_tx_lost += nb;
	}
}

/*
 * What a device that stopped was done with is not lost; a burst would have given it back as well.
 * Who stops the port may put into any pool.
 */
static void
collect(struct sluice_port *port)
{
	struct sluice_queue *q;
	unsigned int i;

	SLUICE_FOREACH_QUEUE(port, q, i)
		if (sluice_queue_is_tx(q) && q->fail == SLUICE_FAIL_NONE && !q->is_stranded &&
				!port->is_core_in[q->vq])
			port->tx_path->cleanup((struct sluice_txq *)q, 0);
}

/* What the device has delivered and no core has taken goes with the rings. */
static void
count_lost(struct sluice_port *port)
{
	struct sluice_queue *q;
	unsigned int i;

	SLUICE_FOREACH_QUEUE(port, q, i)
		if (!sluice_queue_is_tx(q) && q->fail == SLUICE_FAIL_NONE)
			port->shared->nb_rx_lost += sluice_rxq_nb_waiting(
					(const struct sluice_rxq *)q);
}

void
sluice_life_end(struct sluice_port *port, enum sluice_end how)
{
	bool can_revoke = sluice_transport_can(port->transport, SLUICE_TRANSPORT_CAN_REVOKE);
	bool has_rings = port->was_shown, is_stopped = !has_rings, is_short;
	struct sluice_queue *q;
	int eof_fd = -1;
	unsigned int i;

	stop_datapath(port);
	sluice_transport_begin(port->transport, SLUICE_END_MS);
	if (how == SLUICE_END_TELL && has_rings) {
		is_stopped = tell_device(port);
		if (is_stopped)
			collect(port);
		sluice_life_tell_broken(port);
	}
	if (has_rings)
		count_lost(port);
	/* Also where the device says that it stopped: it might go on all the same. */
	SLUICE_FOREACH_QUEUE(port, q, i)
		if (has_rings && !can_revoke)
			sluice_queue_retract(q);
	if (!is_stopped || how == SLUICE_END_CUT)
		eof_fd = port->transport->ops->disconnect(port->transport);
	sluice_ctrl_stop(port);
	dmap_revoke(port->domain);
	if (eof_fd >= 0 && (is_stopped || can_revoke)) {
		close(eof_fd);
		eof_fd = -1;
	}
	if (port->is_stuck && eof_fd >= 0)
		port->stuck_eof_fd = fcntl(eof_fd, F_DUPFD_CLOEXEC, 0);
	/* Without a second descriptor the stuck queues get the only one: they wait for longer. */
	is_short = port->is_stuck && eof_fd >= 0 && port->stuck_eof_fd < 0;
	if (is_short)
		port->stuck_eof_fd = eof_fd;
	give_back(port, is_short ? NULL : sluice_park_open(&port->park, eof_fd));
	sluice_park_serve(&port->park);
	if (!sluice_life_is_connected(port) && !can_revoke && !port->is_stuck)
		sluice_rings_drop(port);
	port->was_shown = false;
	sluice_intr_wake(port);
}

void
sluice_life_serve_stuck(struct sluice_port *port)
{
	bool can_revoke = sluice_transport_can(port->transport, SLUICE_TRANSPORT_CAN_REVOKE);
	bool is_any_in = false;
	struct sluice_queue *q;
	unsigned int i;

	sluice_share_serve(port);
	SLUICE_FOREACH_QUEUE(port, q, i) {
		sluice_queue_unblock_kick(q);
		/* A core that has left once counts as out: the queue that it finds is STOPPED. */
		port->is_core_in[q->vq] = port->is_core_in[q->vq] && sluice_queue_is_in_burst(q);
		is_any_in |= port->is_core_in[q->vq];
	}
	if (is_any_in)
		return;
	SLUICE_FOREACH_QUEUE(port, q, i)
		if (!can_revoke && port->rings.va != NULL)
			sluice_queue_retract(q);
	port->is_stuck = false;
	give_back(port, sluice_park_open(&port->park, port->stuck_eof_fd));
	port->stuck_eof_fd = -1;
	if (!sluice_life_is_connected(port) && !can_revoke)
		sluice_rings_drop(port);
	SLUICE_LOG(NOTICE, "port %u: all cores left their bursts", port->port_id);
}

void
sluice_life_retry_later(struct sluice_port *port, unsigned int first_ms)
{
	port->retry_ms = RTE_MIN(RTE_MAX(2 * port->retry_ms, first_ms), (unsigned int)RETRY_MAX_MS);
	port->retry_at = sluice_clock_ms() + port->retry_ms;
}

void
sluice_life_retry_now(struct sluice_port *port)
{
	port->retry_ms = 0;
	port->retry_at = sluice_clock_ms();
}

static void
tell_sizes(const struct sluice_port *port, struct sluice_device_info *info)
{
	const struct sluice_transport *t = port->transport;

	if (t->ops->vq_size_max == NULL)
		return;
	info->size_max[0] = t->ops->vq_size_max(t, SLUICE_VQ_RX(0));
	info->size_max[1] = t->ops->vq_size_max(t, SLUICE_VQ_TX(0));
}

int
sluice_life_connect(struct sluice_port *port)
{
	struct sluice_device_info info;
	int ret;

	sluice_transport_begin(port->transport, SLUICE_HANDSHAKE_MS);
	ret = port->transport->ops->connect(port->transport, &info);
	if (ret == 0) {
		tell_sizes(port, &info);
		ret = sluice_dev_accept(port, &info);
	}
	if (ret == 0)
		sluice_life_step(port, SLUICE_ON_CONNECT);
	else if (sluice_life_is_connected(port))
		sluice_life_end(port, SLUICE_END_CUT);
	return ret;
}

void
sluice_life_init(struct sluice_port *port)
{
	port->idle_kick_fd = -1;
	port->ctrl.kick_fd = -1;
	port->wake_fd = -1;
	port->stuck_eof_fd = -1;
	port->life = SLUICE_ABSENT;
	rte_spinlock_init(&port->info_lock);
	pthread_mutex_init(&port->lock, NULL);
	sluice_share_init(port);
	sluice_park_init(&port->park, &port->shared->nb_unacked);
	sluice_steer_init(port);
}

void
sluice_life_fini(struct sluice_port *port)
{
	sluice_park_fini(&port->park);
	sluice_steer_fini(port);
	pthread_mutex_destroy(&port->lock);
}

int
sluice_life_probe(struct sluice_port *port)
{
	int ret;

	pthread_mutex_lock(&port->lock);
	port->transport->is_retry = false;
	ret = sluice_life_connect(port);
	if (ret == 0)
		port->shared->nb_connects++;
	if (ret == -EAGAIN) {
		SLUICE_LOG(NOTICE, "%s: waiting for a back end", port->label);
		ret = 0;
	}
	pthread_mutex_unlock(&port->lock);
	return ret;
}

/*
 * Pools that receive queues had before, and have no more, leave the device's reach. Nothing of them
 * is under way, since the port is stopped. One that packets are sent from comes back as any other
 * pool that is first seen on transmit.
 */
static void
leave_old_pools(struct sluice_port *port)
{
	const struct rte_mempool *pools[SLUICE_PAIRS_MAX];
	unsigned int nb = port->dev->data->nb_rx_queues, i;

	static_assert(SLUICE_SPREAD_QUEUES_MAX <= SLUICE_PAIRS_MAX, "receive queues, at most");

	for (i = 0; i < nb; i++)
		pools[i] = sluice_rxq_at(port, i)->pool;
	dmap_keep_pools(port->domain, pools, nb);
}

static int
start_locked(struct sluice_port *port)
{
	struct sluice_device_state state;
	int ret = sluice_check_queues(port);
	struct sluice_queue *q;
	unsigned int i;

	if (ret != 0)
		return ret;
	leave_old_pools(port);
	port->told_missing = 0;
	for (i = 0; i < sluice_dev_nb_queues(port); i++) {
		q = sluice_port_queue(port, i);
		q->is_held = q->is_deferred;
	}
	rte_atomic_store_explicit(&port->is_held_down, 0, rte_memory_order_release);
	ret = sluice_dev_choose(port);
	if (ret != 0)
		return ret;
	port->events->paths_chosen(port);
	port->failure = SLUICE_FAIL_NONE;
	sluice_life_step(port, SLUICE_ON_START);
	sluice_life_retry_now(port);
	if (!sluice_life_is_connected(port))
		return 0;
	port->transport->is_retry = false;
	ret = sluice_life_live(port);
	if (ret == 0) {
		/* The application asks for the link itself: no event for what it just did. */
		sluice_dev_state(port, &state);
		port->is_link_up = state.is_link_up;
		return 0;
	}
	sluice_life_end(port, SLUICE_END_CUT);
	sluice_life_step(port, SLUICE_ON_STOP);
	sluice_life_retry_later(port, SLUICE_RETRY_REFUSED_MS);
	SLUICE_LOG(ERR, "port %u: cannot start: %s", port->port_id, strerror(-ret));
	return ret;
}

int
sluice_life_start(struct sluice_port *port)
{
	int64_t end = sluice_clock_ms() + SLUICE_HANDSHAKE_MS;
	int ret;

	/* A handshake that is under way may well succeed; both together have the time of one. */
	sluice_life_lock(port, SLUICE_HANDSHAKE_MS / 2);
	port->transport->deadline = end;
	ret = start_locked(port);
	pthread_mutex_unlock(&port->lock);
	return ret;
}

/* The application stops the port; the calling thread may put into any pool. */
static void
stop_locked(struct sluice_port *port)
{
	struct sluice_queue *q;
	unsigned int i;

	port->transport->is_retry = false;
	if (port->life == SLUICE_LIVE)
		sluice_life_end(port, SLUICE_END_TELL);
	else
		sluice_intr_wake(port);
	port->is_link_up = false;
	sluice_life_step(port, SLUICE_ON_STOP);
	if (port->life == SLUICE_READY && !sluice_life_is_connected(port))
		sluice_life_step(port, SLUICE_ON_GONE);
	SLUICE_FOREACH_QUEUE(port, q, i)
		sluice_queue_take_returns(q);
	sluice_life_retry_now(port);
}

void
sluice_life_stop(struct sluice_port *port)
{
	sluice_life_lock(port, SLUICE_LOCK_MS);
	stop_locked(port);
	pthread_mutex_unlock(&port->lock);
}

/* Whatever a device says to a stop, it is let go. */
static void
leave_locked(struct sluice_port *port)
{
	stop_locked(port);
	if (!sluice_life_is_connected(port))
		return;
	sluice_life_end(port, SLUICE_END_CUT);
	sluice_life_step(port, SLUICE_ON_GONE);
}

void
sluice_life_reset(struct sluice_port *port)
{
	sluice_life_lock(port, SLUICE_LOCK_MS);
	leave_locked(port);
	port->failure = SLUICE_FAIL_NONE;
	pthread_mutex_unlock(&port->lock);
}

void
sluice_life_close(struct sluice_port *port)
{
	sluice_life_lock(port, SLUICE_LOCK_MS);
	leave_locked(port);
	if (port->is_stuck)
		sluice_life_serve_stuck(port);
	/* A core that is still inside keeps its queue's buffers: they stay where they are. */
	if (port->stuck_eof_fd >= 0)
		close(port->stuck_eof_fd);
	port->stuck_eof_fd = -1;
	sluice_life_step(port, SLUICE_ON_CLOSE);
	pthread_mutex_unlock(&port->lock);
	sluice_park_close(&port->park, SLUICE_CLOSE_MS);
}
