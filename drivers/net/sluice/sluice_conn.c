/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * The control thread of a port: accepts or reaches the device, notices when it goes away or breaks the
 * rules. It is a thread of its own because a handshake with a slow device takes seconds, and neither EAL's
 * start nor EAL's interrupt thread may wait for that.
 */

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <ethdev_driver.h>
#include <rte_lcore.h>

#include "sluice_dev.h"
#include "sluice_log.h"

/* How often a client tries to reach a back end that went away. */
#define RETRY_MS 1000

/* The port ended in a callback of the control thread, this one, which must not look at it again. */
static __thread bool was_closed;

static bool
is_connected(const struct sluice_port *port)
{
	return port->transport->ops->is_connected(port->transport);
}

/* The first reason that a queue of the port has latched. */
static enum sluice_fail
find_failure(const struct sluice_port *port, uint16_t *queue, const char **direction)
{
	const struct rte_eth_dev_data *data = port->dev->data;
	const struct sluice_queue *q;
	uint16_t i;

	for (i = 0; i < data->nb_rx_queues + data->nb_tx_queues; i++) {
		bool is_rx = i < data->nb_rx_queues;

		q = is_rx ? data->rx_queues[i] : data->tx_queues[i - data->nb_rx_queues];
		if (q == NULL || __atomic_load_n(&q->fail, __ATOMIC_RELAXED) == SLUICE_FAIL_NONE)
			continue;
		*queue = q->id;
		*direction = is_rx ? "receive" : "transmit";
		return q->fail;
	}
	return SLUICE_FAIL_NONE;
}

static void
disconnect(struct sluice_port *port)
{
	if (port->is_live)
		sluice_dev_go_down(port, false);
	port->transport->ops->disconnect(port->transport);
}

/*
 * A burst function met a violation, or the device says that it is in trouble. It is not trusted any more: it
 * is cut off whether it answers or not.
 */
static bool
handle_failure(struct sluice_port *port, const struct sluice_device_state *state)
{
	const char *direction = "";
	enum sluice_fail why;
	uint16_t queue = 0;
	char where[32] = "";

	if (!port->is_live || port->failure != SLUICE_FAIL_NONE)
		return false;
	why = find_failure(port, &queue, &direction);
	if (why != SLUICE_FAIL_NONE)
		snprintf(where, sizeof(where), "%s queue %u: ", direction, queue);
	else if (state->is_gone)
		why = SLUICE_FAIL_GONE;
	else if (state->needs_reset)
		why = SLUICE_FAIL_NEEDS_RESET;
	else
		return false;
	port->failure = why;
	port->nb_failures++;
	SLUICE_LOG(ERR,
			"port %u: failed: %s%s; the device is cut off, stop and start the port to "
			"try again",
			port->port_id, where, sluice_fail_name(why));
	disconnect(port);
	return true;
}

static void
try_connect(struct sluice_port *port)
{
	struct sluice_device_info info;

	if (port->transport->ops->connect(port->transport, &info, true) != 0)
		return;
	if (sluice_dev_accept(port, &info) != 0 ||
			(port->is_started && sluice_dev_go_live(port) != 0)) {
		port->transport->ops->disconnect(port->transport);
		return;
	}
	port->nb_connects++;
	SLUICE_LOG(NOTICE, "%s: connected", port->label);
}

/* One event. Tells whether the link changed, and whether the port failed. */
static void
handle(struct sluice_port *port, enum sluice_wait event, bool *has_changed, bool *has_failed)
{
	struct sluice_device_state state = { 0 };
	bool was_up;

	pthread_mutex_lock(&port->lock);
	was_up = port->is_link_up;
	if (port->is_live)
		sluice_dev_state(port, &state);
	*has_failed = handle_failure(port, &state);
	if (!*has_failed && event == SLUICE_WAIT_GONE) {
		SLUICE_LOG(NOTICE, "%s: the %s went away", port->label, port->transport->ops->peer);
		disconnect(port);
	} else if (!*has_failed && !is_connected(port) && port->failure == SLUICE_FAIL_NONE) {
		try_connect(port);
		if (port->is_live)
			sluice_dev_state(port, &state);
	}
	port->is_link_up = port->is_live && state.is_link_up;
	if (port->is_live)
		sluice_watch(port);
	*has_changed = was_up != port->is_link_up;
	pthread_mutex_unlock(&port->lock);
}

/*
 * Wait for something to do. A failed port has nothing to do with any device until the application starts it
 * again; one that knocks meanwhile has to wait.
 */
static enum sluice_wait
wait_for_event(struct sluice_port *port)
{
	struct pollfd pfd = { .fd = port->wake_fd, .events = POLLIN };
	/* A device with registers does not hang up when it goes away: it is looked at. */
	bool must_look = is_connected(port) ? port->transport->ops->state != NULL :
					      !port->args.is_server;
	enum sluice_fail failure;

	pthread_mutex_lock(&port->lock);
	failure = port->failure;
	pthread_mutex_unlock(&port->lock);
	if (failure == SLUICE_FAIL_NONE)
		return port->transport->ops->wait(
				port->transport, port->wake_fd, must_look ? RETRY_MS : -1);
	poll(&pfd, 1, -1);
	return SLUICE_WAIT_WOKEN;
}

static void *
conn_thread(void *arg)
{
	struct sluice_port *port = arg;
	bool has_changed, has_failed;
	enum sluice_wait event;
	uint64_t count;

	while (!was_closed && !__atomic_load_n(&port->is_closing, __ATOMIC_ACQUIRE)) {
		event = wait_for_event(port);
		if (event == SLUICE_WAIT_WOKEN && read(port->wake_fd, &count, sizeof(count)) < 0)
			continue; /* somebody read it before: nothing is lost */
		if (__atomic_load_n(&port->is_closing, __ATOMIC_ACQUIRE))
			break;
		handle(port, event, &has_changed, &has_failed);
		if (has_changed)
			sluice_ethdev_link_changed(port);
		if (has_failed && !was_closed)
			sluice_ethdev_failed(port);
	}
	return NULL;
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
	if (port->wake_fd < 0)
		return -errno;
	snprintf(name, sizeof(name), "sluice-%u", port->port_id);
	ret = rte_ctrl_thread_create(&port->thread, name, NULL, conn_thread, port);
	if (ret != 0) {
		close(port->wake_fd);
		port->wake_fd = -1;
		return ret < 0 ? ret : -ret;
	}
	port->has_thread = true;
	return 0;
}

void
sluice_conn_stop(struct sluice_port *port)
{
	if (port->has_thread && pthread_equal(port->thread, pthread_self())) {
		/* The application closes the port in a callback of the port. */
		was_closed = true;
		pthread_detach(port->thread);
		port->has_thread = false;
	}
	if (port->has_thread) {
		__atomic_store_n(&port->is_closing, 1, __ATOMIC_RELEASE);
		sluice_conn_wake(port);
		pthread_join(port->thread, NULL);
		port->has_thread = false;
	}
	if (port->wake_fd >= 0)
		close(port->wake_fd);
	port->wake_fd = -1;
}
