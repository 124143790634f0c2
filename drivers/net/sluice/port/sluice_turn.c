/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * What the control thread does when it wakes: it looks at the device that is connected, lets go of
 * one that is in trouble or went away, and tries to reach one if there is none. See sluice_life.h.
 */

#include <errno.h>
#include <stdio.h>

#include <ethdev_driver.h>

#include "dmap_debug.h"
#include "sluice_life_impl.h"
#include "sluice_log.h"

/* The first reason that a queue of the port has latched. */
static const struct sluice_queue *
find_failed(const struct sluice_port *port)
{
	struct sluice_queue *q;
	unsigned int i;

	SLUICE_FOREACH_QUEUE(port, q, i)
		if (rte_atomic_load_explicit(&q->fail, rte_memory_order_relaxed) !=
				SLUICE_FAIL_NONE)
			return q;
	return NULL;
}

struct place {
	char text[32];
};

/* For messages; q: NULL: no queue found it. */
static struct place
place_of(const struct sluice_queue *q)
{
	struct place p = { "" };

	if (q != NULL)
		snprintf(p.text, sizeof(p.text),
				"%s queue %u: ", sluice_queue_is_tx(q) ? "transmit" : "receive",
				q->id);
	return p;
}

void
sluice_life_tell_broken(struct sluice_port *port)
{
	const struct sluice_queue *q = find_failed(port);

	if (q == NULL)
		return;
	port->shared->nb_failures++;
	SLUICE_LOG(ERR, "port %u: failed: %s%s; found while it stopped, start the port to try again",
			port->port_id, place_of(q).text,
			sluice_fail_name(rte_atomic_load_explicit(
					&q->fail, rte_memory_order_relaxed)));
}

/*
 * A burst function met a violation, or the device says that it is in trouble. It is not trusted any
 * more.
 */
static bool
look_for_failure(struct sluice_port *port, const struct sluice_device_state *state)
{
	const struct sluice_queue *q = find_failed(port);

	if (q != NULL)
		port->failure = rte_atomic_load_explicit(&q->fail, rte_memory_order_relaxed);
	else if (state->is_gone)
		port->failure = SLUICE_FAIL_GONE;
	else if (state->needs_reset)
		port->failure = SLUICE_FAIL_NEEDS_RESET;
	else
		return false;
	port->shared->nb_failures++;
	SLUICE_LOG(ERR,
			"port %u: failed: %s%s; the device is cut off, stop and start the port, or reset it, "
			"to try again",
			port->port_id, place_of(q).text, sluice_fail_name(port->failure));
	sluice_life_end(port, SLUICE_END_CUT);
	sluice_life_step(port, SLUICE_ON_BROKEN);
	return true;
}

void
sluice_life_let_go(struct sluice_port *port, int why)
{
	const char *peer = port->transport->ops->peer;
	bool is_end = why == -ECONNRESET, was_steady;

	if (sluice_limit_passes(&port->limit)) {
		if (is_end)
			SLUICE_LOG(NOTICE, "%s: the %s went away", port->label, peer);
		else
			SLUICE_LOG(NOTICE, "%s: the %s does not talk as it should; it is cut off",
					port->label, peer);
	}
	sluice_life_end(port, SLUICE_END_CUT);
	sluice_life_step(port, SLUICE_ON_GONE);
	/*
	 * One that talks nonsense soon after it came is as one that is refused. One that ends soon
	 * may do so each time, or was restarted: the pause before it is tried again does not grow.
	 */
	was_steady = sluice_clock_ms() - port->connected_at >= SLUICE_STEADY_MS;
	if (is_end || was_steady)
		sluice_life_retry_now(port);
	if (!is_end || !was_steady)
		sluice_life_retry_later(port, SLUICE_RETRY_REFUSED_MS);
}

/* A device that is connected: is all well? */
static void
look(struct sluice_port *port, struct sluice_device_state *state, struct sluice_life_news *out)
{
	int ret;

	sluice_transport_begin(port->transport, SLUICE_HANDSHAKE_MS);
	/* Before the state: it is what some transports find out what to say by. */
	ret = port->transport->ops->check(port->transport);
	sluice_dev_look(port, state);
	if (port->life == SLUICE_LIVE && look_for_failure(port, state)) {
		out->has_failed = true;
		return;
	}
	if (ret == 0 && state->is_gone)
		ret = -ECONNRESET;
	/* Memory that cores met, or that came or left; before it is shown nobody waits for it. */
	if (ret == 0 && port->life == SLUICE_LIVE)
		ret = dmap_serve(port->domain);
	if (ret != 0)
		sluice_life_let_go(port, ret);
}

static void
try_connect(struct sluice_port *port)
{
	int ret;

	port->transport->is_retry = true;
	ret = sluice_life_connect(port);
	if (ret == -EAGAIN) {
		/*
		 * A server is told when somebody comes; a client is told of the socket, which does
		 * not listen yet.
		 */
		if (port->args.is_server)
			sluice_life_retry_now(port);
		else
			sluice_life_retry_later(port, SLUICE_RETRY_FIRST_MS);
		return;
	}
	if (ret == 0 && port->life == SLUICE_WAITING) {
		ret = sluice_life_live(port);
		if (ret != 0) {
			sluice_life_end(port, SLUICE_END_CUT);
			sluice_life_step(port, SLUICE_ON_GONE);
		}
	}
	if (ret != 0) {
		sluice_life_retry_later(port, SLUICE_RETRY_REFUSED_MS);
		return;
	}
	port->connected_at = sluice_clock_ms();
	port->shared->nb_connects++;
	if (sluice_limit_passes(&port->limit))
		SLUICE_LOG(NOTICE, "%s: connected", port->label);
}

/* Could the port take a device, if there is one, now or later? */
static bool
may_connect(struct sluice_port *port)
{
	return (port->life == SLUICE_ABSENT || port->life == SLUICE_WAITING) &&
			!sluice_life_is_connected(port) && !port->is_stuck &&
			!sluice_park_is_full(&port->park) &&
			!rte_atomic_load_explicit(&port->is_closing, rte_memory_order_acquire);
}

void
sluice_port_tell_sizes(struct sluice_port *port)
{
	struct sluice_shared *shared = port->shared;
	struct dmap_domain *d = port->domain;

	rte_atomic_store_explicit(&shared->dma_maps, dmap_nb_maps(d), rte_memory_order_relaxed);
	rte_atomic_store_explicit(&shared->dma_bytes, dmap_bytes(d), rte_memory_order_relaxed);
	rte_atomic_store_explicit(&shared->nb_dma_reports, dmap_debug_nb(d, DMAP_DEBUG_NB_CHECKS),
			rte_memory_order_relaxed);
}

static void
tick(struct sluice_port *port)
{
	struct sluice_queue *q;
	unsigned int i;

	port->tick_at = sluice_clock_ms() + SLUICE_TICK_MS;
	port->events->paths_chosen(port);
	SLUICE_FOREACH_QUEUE(port, q, i)
		sluice_queue_unblock_kick(q);
	sluice_watch(port);
	sluice_device_stats_look(port);
	sluice_port_tell_sizes(port);
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
	sluice_share_serve(port);
	if (port->is_stuck)
		sluice_life_serve_stuck(port);
	if (sluice_life_is_connected(port))
		look(port, &state, out);
	if (news == SLUICE_NEWS_PEER && !port->args.is_server)
		sluice_life_retry_now(port);
	if (may_connect(port) && sluice_clock_ms() >= port->retry_at)
		try_connect(port);
	if (port->life == SLUICE_LIVE && sluice_clock_ms() >= port->tick_at)
		tick(port);
	if (port->life == SLUICE_LIVE && port->args.is_idle_reclaim &&
			sluice_clock_ms() >= port->idle_at)
		sluice_life_reclaim_idle(port);
	if (port->life == SLUICE_LIVE)
		sluice_dev_state(port, &state);
	if (state.wants_announce && port->life == SLUICE_LIVE)
		sluice_announce(port);
	if (state.mtu != 0)
		sluice_dev_mtu_changed(port, state.mtu);
	port->is_link_up = port->life == SLUICE_LIVE && state.is_link_up && !port->is_held_down;
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
	if (port->life == SLUICE_LIVE && port->args.is_idle_reclaim)
		at = RTE_MIN(at, port->idle_at);
	if (port->life == SLUICE_LIVE)
		at = RTE_MIN(at, port->tick_at);
	else if (sluice_life_is_connected(port) &&
			sluice_transport_can(port->transport, SLUICE_TRANSPORT_HAS_STATUS))
		at = RTE_MIN(at, now + SLUICE_TICK_MS);
	if (port->is_stuck)
		at = RTE_MIN(at, now + SLUICE_STUCK_MS);
	if (at == INT64_MAX)
		return -1;
	return at <= now ? 0 : (int)RTE_MIN(at - now, (int64_t)SLUICE_TICK_MS);
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
