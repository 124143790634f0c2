/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * The life of a port: see sluice_life.h. Two functions carry it: live() and end(). end() has the one order in which a
 * device may be let go: stop the datapath, stop the device, revoke what it reaches, give mbufs back.
 */

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include <ethdev_driver.h>

#include "sluice_life.h"
#include "sluice_log.h"

/* Between tries to reach a device: the first and the last pause. */
#define RETRY_FIRST_MS 1
#define RETRY_REFUSED_MS 10
#define RETRY_MAX_MS 1000
/* How often a device that runs is looked at. */
#define TICK_MS 1000
/* How often it is looked whether a core left its burst. */
#define STUCK_MS 10

/*
 * The table: X(from, event, to). What is not in it cannot happen. doc/design/states.md has the same table, and
 * devtools/check-states compares.
 */
#define TRANSITIONS(X) \
	X(ABSENT, CONNECT, READY) \
	X(ABSENT, START, WAITING) \
	X(ABSENT, STOP, ABSENT) \
	X(ABSENT, GONE, ABSENT) \
	X(ABSENT, CLOSE, CLOSED) \
	X(READY, START, WAITING) \
	X(READY, STOP, READY) \
	X(READY, GONE, ABSENT) \
	X(READY, CLOSE, CLOSED) \
	X(WAITING, CONNECT, WAITING) \
	X(WAITING, LIVE, LIVE) \
	X(WAITING, STOP, ABSENT) \
	X(WAITING, GONE, WAITING) \
	X(WAITING, CLOSE, CLOSED) \
	X(LIVE, STOP, READY) \
	X(LIVE, GONE, WAITING) \
	X(LIVE, BROKEN, FAILED) \
	X(LIVE, CLOSE, CLOSED) \
	X(FAILED, STOP, ABSENT) \
	X(FAILED, GONE, FAILED) \
	X(FAILED, CLOSE, CLOSED)

/* How a device is let go. */
enum how {
	TELL, /* it is asked to stop, and stays connected if it says that it did */
	CUT,  /* it is not asked, unless it must be */
};

const char *
sluice_life_name(enum sluice_life life)
{
	static const char *const names[SLUICE_NB_LIVES] = { "ABSENT", "READY", "WAITING", "LIVE",
		"FAILED", "CLOSED" };

	return life < SLUICE_NB_LIVES ? names[life] : "none";
}

const char *
sluice_life_event_name(enum sluice_life_event event)
{
	static const char *const names[SLUICE_NB_LIFE_EVENTS] = { "CONNECT", "START", "LIVE",
		"STOP", "GONE", "BROKEN", "CLOSE" };

	return event < SLUICE_NB_LIFE_EVENTS ? names[event] : "none";
}

enum sluice_life
sluice_life_after(enum sluice_life life, enum sluice_life_event event)
{
	static const struct {
		enum sluice_life from;
		enum sluice_life_event event;
		enum sluice_life to;
	} table[] = {
#define ROW(from, event, to) { SLUICE_##from, SLUICE_ON_##event, SLUICE_##to },
		TRANSITIONS(ROW)
	};
	unsigned int i;

	for (i = 0; i < RTE_DIM(table); i++)
		if (table[i].from == life && table[i].event == event)
			return table[i].to;
	return SLUICE_NB_LIVES;
}

/* Without effect, and logged, where the table has no such event: a bug of ours that must not become worse. */
static void
step(struct sluice_port *port, enum sluice_life_event event)
{
	enum sluice_life to = sluice_life_after(port->life, event);

	if (to == SLUICE_NB_LIVES)
		SLUICE_LOG(ERR, "port %u: %s while %s", port->port_id,
				sluice_life_event_name(event), sluice_life_name(port->life));
	else
		__atomic_store_n(&port->life, to, __ATOMIC_RELEASE);
}

static bool
is_connected(const struct sluice_port *port)
{
	return port->transport->ops->is_connected(port->transport);
}

/*
 * The first notification is the polling core's: a back end can make a kick block, and the core that hangs in one is
 * helped out by this thread. A receive ring that was filled is announced by the first poll, or with the first wish
 * for an interrupt.
 */
static void
run_queue(struct sluice_port *port, struct sluice_queue *q)
{
	q->ring.doorbell = sluice_dev_doorbell(port, q->vq, q->layout == SLUICE_PACKED, q->kick_fd);
	/* Pairs with the acquire in sluice_queue_enter(). */
	__atomic_store_n(&q->state, q->run, __ATOMIC_RELEASE);
}

/* From a connected device to one that runs the rings (3.1.1). */
static int
start_device(struct sluice_port *port)
{
	const struct sluice_transport_ops *ops = port->transport->ops;
	const struct rte_eth_dev_data *data = port->dev->data;
	uint16_t nb_pairs = RTE_MAX(data->nb_rx_queues, data->nb_tx_queues);
	bool has_mtu = (port->features & SLUICE_BIT(SLUICE_NET_F_MTU)) != 0;
	bool has_ctrl = (port->features & SLUICE_BIT(SLUICE_NET_F_CTRL_VQ)) != 0;
	struct sluice_queue *q;
	unsigned int i;
	int ret;

	ret = ops->begin(port->transport, port->features, has_mtu ? data->mtu : 0);
	if (ret == 0)
		ret = sluice_rings_restrict(port);
	if (ret == 0 && has_ctrl)
		ret = sluice_ctrl_prepare(port);
	port->was_shown = ret == 0;
	if (ret == 0)
		ret = dmap_publish(port->domain);
	SLUICE_FOREACH_QUEUE(port, q, i)
	ret = ret == 0 ? sluice_rings_start(port, q) : ret;
	if (ret == 0 && has_ctrl)
		ret = sluice_ctrl_start(port);
	if (ret == 0)
		ret = ops->commit(port->transport, 2 * nb_pairs);
	if (ret == 0 && has_ctrl)
		ret = sluice_ctrl_set_pairs(port, nb_pairs);
	return ret;
}

/*
 * The device that is connected runs the rings; the port is WAITING for that. The conversation has begun. On error
 * the caller ends it.
 */
static int
live(struct sluice_port *port)
{
	struct sluice_queue *q;
	unsigned int i;
	int ret = port->is_stuck ? -EBUSY : sluice_dev_choose(port);

	port->was_shown = false;
	if (ret == 0)
		ret = sluice_rings_make(port);
	if (ret == 0)
		ret = start_device(port);
	if (ret != 0)
		return ret;
	sluice_set_scatter(port);
	sluice_ethdev_set_bursts(port);
	SLUICE_FOREACH_QUEUE(port, q, i)
	run_queue(port, q);
	step(port, SLUICE_ON_LIVE);
	port->tick_at = sluice_clock_ms() + TICK_MS;
	/* Who slept through the absence of a device has asked nobody for interrupts. */
	sluice_intr_wake(port);
	SLUICE_LOG(INFO, "%s: live, features 0x%" PRIx64 ", %u queues", port->label, port->features,
			sluice_dev_nb_queues(port));
	return 0;
}

/* No burst starts, and none is inside; or the port is stuck, and the queues' buffers stay where they are. */
static void
stop_datapath(struct sluice_port *port)
{
	int64_t deadline = sluice_clock_ms() + SLUICE_QUIESCE_MS;
	struct sluice_queue *q;
	unsigned int i;

	SLUICE_FOREACH_QUEUE(port, q, i)
	__atomic_store_n(&q->state, SLUICE_QUEUE_STOPPED, __ATOMIC_RELEASE);
	SLUICE_FOREACH_QUEUE(port, q, i)
	{
		if (sluice_queue_quiesce(q, deadline) != 0) {
			port->is_stuck = true;
			SLUICE_LOG(ERR,
					"port %u: a core stays in a burst of virtqueue %u: its buffers are "
					"parked until it leaves",
					port->port_id, q->vq);
		}
		/* Who looks at the ring outside of a burst is out, too. */
		rte_spinlock_lock(&q->look_lock);
		rte_spinlock_unlock(&q->look_lock);
		q->ring.doorbell.fd = -1;
		q->ring.doorbell.dv_reg = NULL;
	}
}

/* True: it says that it stopped, all of it. One that does not answer is not asked again. */
static bool
tell_device(struct sluice_port *port)
{
	const struct sluice_transport_ops *ops = port->transport->ops;
	struct sluice_queue *q;
	unsigned int i;
	int ret = 0;

	SLUICE_FOREACH_QUEUE(port, q, i)
	ret = ret == 0 ? ops->vq_stop(port->transport, q->vq) : ret;
	if (ret == 0 || sluice_transport_can(port->transport, SLUICE_TRANSPORT_HAS_REGISTERS))
		ret = ops->reset(port->transport);
	return ret == 0;
}

/* Of queues that no core is in. A device that may still reach them has p to wait in. */
static void
give_back(struct sluice_port *port, struct sluice_parked *p)
{
	struct sluice_queue *q;
	unsigned int i;
	int nb;

	SLUICE_FOREACH_QUEUE(port, q, i)
	{
		if (sluice_queue_is_in_burst(q))
			continue;
		nb = p == NULL ? -ENOMEM :
				 sluice_park_queue(&port->park, p, q, sluice_queue_is_tx(q));
		/* Without memory to park them there is only the time that a burst takes. */
		if (nb == -ENOMEM) {
			usleep(SLUICE_PARK_GRACE_MS * 1000);
			nb = sluice_queue_is_tx(q) ?
					(int)sluice_txq_drain((struct sluice_txq *)q, NULL) :
					(int)sluice_rxq_drain((struct sluice_rxq *)q, NULL);
		}
		if (sluice_queue_is_tx(q))
			port->nb_tx_lost += nb;
	}
}

/* What the device has delivered and no core has taken goes with the rings. */
static void
count_lost(struct sluice_port *port)
{
	const struct sluice_queue *q;
	unsigned int i;

	SLUICE_FOREACH_QUEUE(port, q, i)
	if (!sluice_queue_is_tx(q) && q->fail == SLUICE_FAIL_NONE)
		port->nb_rx_lost += sluice_rxq_nb_waiting((const struct sluice_rxq *)q);
}

/*
 * The device stops, and mbufs go back. It is connected no more, unless it was told, and said that it stopped.
 * Nothing here waits longer than the deadlines in sluice_life.h.
 */
static void
end(struct sluice_port *port, enum how how)
{
	bool can_revoke = sluice_transport_can(port->transport, SLUICE_TRANSPORT_CAN_REVOKE);
	bool has_rings = port->was_shown, is_stopped = !has_rings;
	struct sluice_queue *q;
	int eof_fd = -1;
	unsigned int i;

	stop_datapath(port);
	sluice_transport_begin(port->transport, SLUICE_END_MS);
	if (how == TELL && has_rings)
		is_stopped = tell_device(port);
	if (has_rings)
		count_lost(port);
	/* Also from a device that says that it stopped, and goes on. */
	SLUICE_FOREACH_QUEUE(port, q, i)
	if (has_rings && !can_revoke)
		sluice_queue_retract(q, sluice_queue_is_tx(q));
	if (!is_stopped || how == CUT)
		eof_fd = port->transport->ops->disconnect(port->transport);
	sluice_ctrl_stop(port);
	dmap_revoke(port->domain);
	if (eof_fd >= 0 && (is_stopped || can_revoke)) {
		close(eof_fd);
		eof_fd = -1;
	}
	if (port->is_stuck)
		port->stuck_eof_fd = eof_fd < 0 ? -1 : dup(eof_fd);
	give_back(port, sluice_park_open(&port->park, eof_fd));
	sluice_park_serve(&port->park);
	if (!is_connected(port) && !can_revoke && !port->is_stuck)
		sluice_rings_drop(port);
	port->was_shown = false;
	sluice_intr_wake(port);
}

/* The cores that did not leave a burst when their queues were stopped: did all leave now? */
static void
serve_stuck(struct sluice_port *port)
{
	bool can_revoke = sluice_transport_can(port->transport, SLUICE_TRANSPORT_CAN_REVOKE);
	struct sluice_queue *q;
	unsigned int i;

	SLUICE_FOREACH_QUEUE(port, q, i)
	{
		sluice_queue_unblock_kick(q);
		if (sluice_queue_is_in_burst(q))
			return;
	}
	SLUICE_FOREACH_QUEUE(port, q, i)
	if (!can_revoke && port->rings.va != NULL)
		sluice_queue_retract(q, sluice_queue_is_tx(q));
	port->is_stuck = false;
	give_back(port, sluice_park_open(&port->park, port->stuck_eof_fd));
	port->stuck_eof_fd = -1;
	if (!is_connected(port) && !can_revoke)
		sluice_rings_drop(port);
	SLUICE_LOG(NOTICE, "port %u: all cores left their bursts", port->port_id);
}

/* The next try to connect comes after a pause that grows from first_ms on. */
static void
retry_later(struct sluice_port *port, unsigned int first_ms)
{
	port->retry_ms = RTE_MIN(RTE_MAX(2 * port->retry_ms, first_ms), (unsigned int)RETRY_MAX_MS);
	port->retry_at = sluice_clock_ms() + port->retry_ms;
}

static void
retry_now(struct sluice_port *port)
{
	port->retry_ms = 0;
	port->retry_at = sluice_clock_ms();
}

static void
tell_sizes(const struct sluice_port *port, struct sluice_device_info *info)
{
	const struct sluice_transport *t = port->transport;

	if (!sluice_transport_can(t, SLUICE_TRANSPORT_HAS_REGISTERS))
		return;
	info->size_max[0] = t->ops->vq_size_max(t, SLUICE_VQ_RX(0));
	info->size_max[1] = t->ops->vq_size_max(t, SLUICE_VQ_TX(0));
}

/* A device is reached, judged, and taken. On error it is let go. */
static int
connect_device(struct sluice_port *port)
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
		step(port, SLUICE_ON_CONNECT);
	else if (is_connected(port))
		end(port, CUT);
	return ret;
}

void
sluice_life_init(struct sluice_port *port)
{
	port->wake_fd = -1;
	port->stuck_eof_fd = -1;
	port->life = SLUICE_ABSENT;
	rte_spinlock_init(&port->info_lock);
	pthread_mutex_init(&port->lock, NULL);
	sluice_park_init(&port->park);
}

void
sluice_life_fini(struct sluice_port *port)
{
	sluice_park_fini(&port->park);
	pthread_mutex_destroy(&port->lock);
}

void
sluice_life_lock(struct sluice_port *port, unsigned int ms)
{
	int64_t end = sluice_clock_ms() + ms;

	while (pthread_mutex_trylock(&port->lock) != 0) {
		if (sluice_clock_ms() >= end) {
			port->transport->ops->cut(port->transport);
			pthread_mutex_lock(&port->lock);
			return;
		}
		usleep(100);
	}
}

int
sluice_life_probe(struct sluice_port *port)
{
	int ret;

	pthread_mutex_lock(&port->lock);
	port->transport->is_retry = false;
	ret = connect_device(port);
	if (ret == 0)
		port->nb_connects++;
	if (ret == -EAGAIN) {
		SLUICE_LOG(NOTICE, "%s: waiting for a back end", port->label);
		ret = 0;
	}
	pthread_mutex_unlock(&port->lock);
	return ret;
}

static int
start_locked(struct sluice_port *port)
{
	struct sluice_device_state state;
	int ret = sluice_check_queues(port);

	if (ret != 0)
		return ret;
	port->told_missing = 0;
	ret = sluice_dev_choose(port);
	if (ret != 0)
		return ret;
	sluice_ethdev_set_bursts(port);
	port->failure = SLUICE_FAIL_NONE;
	step(port, SLUICE_ON_START);
	retry_now(port);
	if (!is_connected(port))
		return 0;
	port->transport->is_retry = false;
	ret = live(port);
	if (ret == 0) {
		/* The application asks for the link itself: no event for what it just did. */
		sluice_dev_state(port, &state);
		port->is_link_up = state.is_link_up;
		return 0;
	}
	end(port, CUT);
	step(port, SLUICE_ON_STOP);
	retry_later(port, RETRY_REFUSED_MS);
	SLUICE_LOG(ERR, "port %u: cannot start: %s", port->port_id, strerror(-ret));
	return ret;
}

int
sluice_life_start(struct sluice_port *port)
{
	int64_t begin = sluice_clock_ms();
	int ret;

	/* A handshake that is under way may well succeed; both together have the time of one. */
	sluice_life_lock(port, SLUICE_HANDSHAKE_MS / 2);
	sluice_transport_begin(port->transport, begin + SLUICE_HANDSHAKE_MS - sluice_clock_ms());
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
		end(port, TELL);
	else
		sluice_intr_wake(port);
	port->is_link_up = false;
	step(port, SLUICE_ON_STOP);
	if (port->life == SLUICE_READY && !is_connected(port))
		step(port, SLUICE_ON_GONE);
	SLUICE_FOREACH_QUEUE(port, q, i)
	sluice_queue_take_returns(q);
	retry_now(port);
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
	if (!is_connected(port))
		return;
	end(port, CUT);
	step(port, SLUICE_ON_GONE);
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
		serve_stuck(port);
	/* A core that is still inside has lost its buffers to nobody: they stay where they are. */
	if (port->stuck_eof_fd >= 0)
		close(port->stuck_eof_fd);
	port->stuck_eof_fd = -1;
	step(port, SLUICE_ON_CLOSE);
	pthread_mutex_unlock(&port->lock);
	sluice_park_close(&port->park, SLUICE_CLOSE_MS);
}

/* The first reason that a queue of the port has latched. */
static const struct sluice_queue *
find_failed(const struct sluice_port *port)
{
	const struct sluice_queue *q;
	unsigned int i;

	SLUICE_FOREACH_QUEUE(port, q, i)
	if (__atomic_load_n(&q->fail, __ATOMIC_RELAXED) != SLUICE_FAIL_NONE)
		return q;
	return NULL;
}

/* A burst function met a violation, or the device says that it is in trouble. It is not trusted any more. */
static bool
look_for_failure(struct sluice_port *port, const struct sluice_device_state *state)
{
	const struct sluice_queue *q = find_failed(port);
	char where[32] = "";

	if (q != NULL) {
		port->failure = __atomic_load_n(&q->fail, __ATOMIC_RELAXED);
		snprintf(where, sizeof(where),
				"%s queue %u: ", sluice_queue_is_tx(q) ? "transmit" : "receive",
				q->id);
	} else if (state->is_gone) {
		port->failure = SLUICE_FAIL_GONE;
	} else if (state->needs_reset) {
		port->failure = SLUICE_FAIL_NEEDS_RESET;
	} else {
		return false;
	}
	port->nb_failures++;
	SLUICE_LOG(ERR,
			"port %u: failed: %s%s; the device is cut off, stop and start the port, or reset it, "
			"to try again",
			port->port_id, where, sluice_fail_name(port->failure));
	end(port, CUT);
	step(port, SLUICE_ON_BROKEN);
	return true;
}

static void
let_go(struct sluice_port *port, int why)
{
	if (sluice_limit_passes(&port->limit))
		SLUICE_LOG(NOTICE, "%s: the %s %s", port->label, port->transport->ops->peer,
				why == -ECONNRESET ? "went away" :
						     "does not talk as it should; it is cut off");
	end(port, CUT);
	step(port, SLUICE_ON_GONE);
	retry_now(port);
	/* One that talks nonsense is as one that is refused. */
	if (why != -ECONNRESET)
		retry_later(port, RETRY_REFUSED_MS);
}

/* A device that is connected: is all well? */
static void
look(struct sluice_port *port, struct sluice_device_state *state, struct sluice_life_news *out)
{
	int ret;

	*state = (struct sluice_device_state){ .is_link_up = true, .speed = UINT32_MAX };
	if (sluice_transport_can(port->transport, SLUICE_TRANSPORT_HAS_STATUS))
		port->transport->ops->state(port->transport, state);
	if (port->life == SLUICE_LIVE && look_for_failure(port, state)) {
		out->has_failed = true;
		return;
	}
	sluice_transport_begin(port->transport, SLUICE_HANDSHAKE_MS);
	ret = port->transport->ops->check(port->transport);
	if (ret == 0 && state->is_gone)
		ret = -ECONNRESET;
	/* Memory that cores met, or that came or left; before it is shown nobody waits for it. */
	if (ret == 0 && port->life == SLUICE_LIVE)
		ret = dmap_serve(port->domain);
	if (ret != 0)
		let_go(port, ret);
}

static void
try_connect(struct sluice_port *port)
{
	int ret;

	port->transport->is_retry = true;
	ret = connect_device(port);
	if (ret == -EAGAIN) {
		/* A server is told when somebody comes; a client is told of the socket, which does not listen yet. */
		if (port->args.is_server)
			retry_now(port);
		else
			retry_later(port, RETRY_FIRST_MS);
		return;
	}
	if (ret == 0 && port->life == SLUICE_WAITING) {
		ret = live(port);
		if (ret != 0) {
			end(port, CUT);
			step(port, SLUICE_ON_GONE);
		}
	}
	if (ret != 0) {
		retry_later(port, RETRY_REFUSED_MS);
		return;
	}
	retry_now(port);
	port->nb_connects++;
	if (sluice_limit_passes(&port->limit))
		SLUICE_LOG(NOTICE, "%s: connected", port->label);
}

/* Could the port take a device, if there is one, now or later? */
static bool
may_connect(struct sluice_port *port)
{
	return (port->life == SLUICE_ABSENT || port->life == SLUICE_WAITING) &&
			!is_connected(port) && !port->is_stuck &&
			!sluice_park_is_full(&port->park) &&
			!__atomic_load_n(&port->is_closing, __ATOMIC_ACQUIRE);
}

static void
tick(struct sluice_port *port)
{
	struct sluice_queue *q;
	unsigned int i;

	port->tick_at = sluice_clock_ms() + TICK_MS;
	sluice_ethdev_set_bursts(port);
	SLUICE_FOREACH_QUEUE(port, q, i)
	sluice_queue_unblock_kick(q);
	sluice_watch(port);
}

void
sluice_life_turn(struct sluice_port *port, enum sluice_news news, struct sluice_life_news *out)
{
	struct sluice_device_state state = { .is_link_up = true };
	bool was_up;

	*out = (struct sluice_life_news){ 0 };
	pthread_mutex_lock(&port->lock);
	was_up = port->is_link_up;
	sluice_park_serve(&port->park);
	if (port->is_stuck)
		serve_stuck(port);
	if (is_connected(port))
		look(port, &state, out);
	if (news == SLUICE_NEWS_PEER && !port->args.is_server)
		retry_now(port);
	if (may_connect(port) && sluice_clock_ms() >= port->retry_at)
		try_connect(port);
	if (port->life == SLUICE_LIVE && sluice_clock_ms() >= port->tick_at)
		tick(port);
	if (port->life == SLUICE_LIVE)
		sluice_dev_state(port, &state);
	if (state.mtu != 0)
		sluice_dev_mtu_changed(port, state.mtu);
	port->is_link_up = port->life == SLUICE_LIVE && state.is_link_up;
	if (port->is_link_up && !was_up)
		sluice_watch_link_up(port);
	out->has_link_changed = was_up != port->is_link_up;
	pthread_mutex_unlock(&port->lock);
}

static int
timeout(struct sluice_port *port)
{
	int64_t now = sluice_clock_ms(), at = sluice_park_next(&port->park);

	if (may_connect(port) && (!port->args.is_server || now < port->retry_at))
		at = RTE_MIN(at, port->retry_at);
	if (port->life == SLUICE_LIVE)
		at = RTE_MIN(at, port->tick_at);
	else if (is_connected(port) &&
			sluice_transport_can(port->transport, SLUICE_TRANSPORT_HAS_STATUS))
		at = RTE_MIN(at, now + TICK_MS);
	if (port->is_stuck)
		at = RTE_MIN(at, now + STUCK_MS);
	if (at == INT64_MAX)
		return -1;
	return at <= now ? 0 : (int)RTE_MIN(at - now, (int64_t)TICK_MS);
}

unsigned int
sluice_life_poll_fds(struct sluice_port *port, struct pollfd *pfds, int *timeout_ms)
{
	bool wants_peer;
	unsigned int nb;

	pthread_mutex_lock(&port->lock);
	/* A client's folder may always say something; a server lets who was refused wait. */
	wants_peer = !port->args.is_server ||
			(may_connect(port) && sluice_clock_ms() >= port->retry_at);
	nb = port->transport->ops->poll_fds(port->transport, wants_peer, pfds);
	*timeout_ms = timeout(port);
	pthread_mutex_unlock(&port->lock);
	return nb;
}
