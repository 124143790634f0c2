/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * The control thread of a port: it waits for news of the device, and has the port's life
 * (sluice_life.c) take its turns. It is a thread of its own because a handshake with a slow device
 * takes seconds, and neither EAL's start nor EAL's interrupt thread may wait for that.
 */

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <ethdev_driver.h>
#include <rte_lcore.h>

#include "sluice_life.h"
#include "sluice_log.h"

/* The port ended in a callback of the control thread, this one, which must not look at it again. */
static __thread bool was_closed;

static enum sluice_news
wait_for_news(struct sluice_port *port)
{
	struct pollfd pfds[1 + SLUICE_TRANSPORT_FDS + SLUICE_PARK_MAX + SLUICE_PEERS_MAX];
	struct pollfd *own = &pfds[1];
	unsigned int nb, nb_more;
	uint64_t count;
	int timeout_ms;

	pfds[0] = (struct pollfd){ .fd = port->wake_fd, .events = POLLIN };
	nb = sluice_life_poll_fds(port, own, &timeout_ms);
	nb_more = sluice_park_poll_fds(&port->park, &own[nb], SLUICE_PARK_MAX);
	nb_more += sluice_share_poll_fds(port, &own[nb + nb_more]);
	if (poll(pfds, 1 + nb + nb_more, timeout_ms) <= 0)
		return SLUICE_NEWS_NONE;
	if (pfds[0].revents != 0 && read(port->wake_fd, &count, sizeof(count)) < 0)
		SLUICE_LOG(DEBUG, "port %u: woken twice at once", port->port_id);
	return port->transport->ops->polled(port->transport, own, nb);
}

static sluice_compat_thread_ret
conn_thread(void *arg)
{
	struct sluice_port *port = arg;
	struct sluice_life_news news;
	enum sluice_news what;

	while (!was_closed &&
			!rte_atomic_load_explicit(&port->is_closing, rte_memory_order_acquire)) {
		what = wait_for_news(port);
		if (rte_atomic_load_explicit(&port->is_closing, rte_memory_order_acquire))
			break;
		sluice_life_turn(port, what, &news);
		if (news.has_link_changed)
			port->events->link_changed(port);
		if (news.has_failed && !was_closed)
			port->events->failed(port);
	}
	return 0;
}

void
sluice_conn_wake(struct sluice_port *port)
{
	uint64_t one = 1;

	if (write(port->wake_fd, &one, sizeof(one)) < 0)
		return; /* full: it is awake */
}

int
sluice_conn_start(struct sluice_port *port)
{
	char name[RTE_MAX_THREAD_NAME_LEN];
	int ret;

	port->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (port->wake_fd < 0) {
		ret = -errno;
		SLUICE_LOG(ERR, "%s: no eventfd for the control thread: %s (ulimit -n)",
				port->label, strerror(-ret));
		return ret;
	}
	snprintf(name, sizeof(name), "sluice-%u", port->port_id);
	ret = rte_thread_create_internal_control(&port->thread, name, conn_thread, port);
	if (ret != 0) {
		ret = ret < 0 ? ret : -ret;
		SLUICE_LOG(ERR, "%s: no control thread: %s (ulimit -u, or -v)", port->label,
				strerror(-ret));
		close(port->wake_fd);
		port->wake_fd = -1;
		return ret;
	}
	port->has_thread = true;
	return 0;
}

void
sluice_conn_stop(struct sluice_port *port)
{
	rte_atomic_store_explicit(&port->is_closing, 1, rte_memory_order_release);
	if (port->has_thread && rte_thread_equal(port->thread, rte_thread_self())) {
		/* The application closes the port in a callback of the port. */
		was_closed = true;
		rte_thread_detach(port->thread);
		port->has_thread = false;
	}
	if (port->has_thread) {
		sluice_conn_wake(port);
		/* A handshake that is under way is not waited for. */
		sluice_life_lock(port, SLUICE_LOCK_MS);
		pthread_mutex_unlock(&port->lock);
		rte_thread_join(port->thread, NULL);
		port->has_thread = false;
	}
	if (port->wake_fd >= 0)
		close(port->wake_fd);
	port->wake_fd = -1;
}
