/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/* The primary process: see sluice_share.h. */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include <ethdev_driver.h>
#include <rte_eal.h>
#include <rte_errno.h>

#include "sluice_build.h"
#include "sluice_clock.h"
#include "sluice_log.h"
#include "sluice_port.h"

/* A port that ends waits this long for secondary processes to let go. */
#define CLOSE_MS 200

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
/* Protected by lock: who is found, by number of the port. */
static struct sluice_port *ports[RTE_MAX_ETHPORTS];

static void
forget(struct sluice_peer *peer)
{
	if (peer->alive_fd >= 0)
		close(peer->alive_fd);
	if (peer->news_fd >= 0)
		close(peer->news_fd);
	*peer = (struct sluice_peer){ .alive_fd = -1, .news_fd = -1 };
}

static int
attach(struct sluice_port *port, const struct sluice_share_ask *ask, const int *fds, int nb_fds,
		struct sluice_share_answer *a, int *fd)
{
	struct sluice_peer *peer = NULL;
	unsigned int i;

	if (nb_fds != 2)
		return -EINVAL;
	for (i = 0; i < SLUICE_PEERS_MAX && peer == NULL; i++)
		if (port->share.peers[i].alive_fd < 0)
			peer = &port->share.peers[i];
	if (peer == NULL)
		return -EUSERS;
	if (port->share.alive_fds[0] < 0 && pipe2(port->share.alive_fds, O_CLOEXEC) < 0)
		return -errno;
	*peer = (struct sluice_peer){ .pid = ask->pid,
		.alive_fd = fcntl(fds[0], F_DUPFD_CLOEXEC, 0),
		.news_fd = fcntl(fds[1], F_DUPFD_CLOEXEC, 0) };
	if (peer->alive_fd < 0 || peer->news_fd < 0) {
		forget(peer);
		return -EMFILE;
	}
	a->who = peer - port->share.peers + 1;
	*fd = port->share.alive_fds[0];
	sluice_conn_wake(port);
	return 1;
}

static struct sluice_peer *
peer_of(struct sluice_port *port, uint16_t who)
{
	if (who == 0 || who > SLUICE_PEERS_MAX || port->share.peers[who - 1].alive_fd < 0)
		return NULL;
	return &port->share.peers[who - 1];
}

/* Returns how many descriptors go along, in fds. */
static int
rings(const struct sluice_port *port, uint16_t first, struct sluice_share_answer *a, int *fds)
{
	const struct sluice_offer *o = &port->share.offer;
	int nb = 0;

	if (o->error != 0)
		return o->error;
	if (first >= o->nb_fds)
		return -EAGAIN;
	a->epoch = o->epoch;
	a->has_memory = o->has_memory;
	a->va = o->va;
	a->len = o->len;
	a->offset = o->offset;
	a->nb_all = o->nb_fds;
	while (nb < SLUICE_SHARE_FDS && first + nb < o->nb_fds) {
		fds[nb] = o->fds[first + nb];
		a->fds[nb] = fds[nb];
		nb++;
	}
	return nb;
}

/* The lock is held. Returns how many descriptors go along, in fds, which are borrowed. */
static int
answer(const struct sluice_share_ask *ask, const int *fds_in, int nb_in,
		struct sluice_share_answer *a, int *fds)
{
	struct sluice_port *port = ask->port_id < RTE_MAX_ETHPORTS ? ports[ask->port_id] : NULL;
	struct sluice_peer *peer;

	if (port == NULL)
		return -ENODEV;
	if (ask->what == SLUICE_SHARE_ATTACH)
		return attach(port, ask, fds_in, nb_in, a, fds);
	peer = peer_of(port, ask->who);
	if (peer == NULL || peer->pid != ask->pid)
		return -ESTALE;
	switch (ask->what) {
	case SLUICE_SHARE_RINGS:
		return rings(port, ask->first, a, fds);
	case SLUICE_SHARE_MEMORY:
		return dmap_request_post(port->domain, ask->memory, &ask->buf);
	default:
		return -EINVAL;
	}
}

/*
 * EAL's thread for messages. The answer is sent without the lock: who does not read its messages
 * may make that wait. So the descriptors are copies, which nobody closes meanwhile.
 */
static int
on_message(const struct rte_mp_msg *msg, const void *peer)
{
	struct rte_mp_msg reply = { .len_param = sizeof(struct sluice_share_answer) };
	struct sluice_share_answer a = { 0 };
	struct sluice_share_ask ask; /* EAL keeps messages where eight bytes are not aligned */
	int fds[SLUICE_SHARE_FDS], ret = -EINVAL, i;

	pthread_mutex_lock(&lock);
	if (msg->len_param == sizeof(ask)) {
		memcpy(&ask, msg->param, sizeof(ask));
		ret = answer(&ask, msg->fds, msg->num_fds, &a, fds);
	}
	for (i = 0; i < ret; i++) {
		reply.fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 0);
		if (reply.fds[i] < 0) {
			ret = -errno;
			break;
		}
		reply.num_fds = i + 1;
	}
	pthread_mutex_unlock(&lock);
	a.ret = ret < 0 ? ret : 0;
	memcpy(reply.param, &a, sizeof(a));
	for (i = 0; i < msg->num_fds; i++)
		close(msg->fds[i]);
	strlcpy(reply.name, SLUICE_SHARE_NAME, sizeof(reply.name));
	ret = rte_mp_reply(&reply, peer);
	for (i = 0; i < reply.num_fds; i++)
		close(reply.fds[i]);
	return ret;
}

void
sluice_share_init(struct sluice_port *port)
{
	unsigned int i;

	static_assert(sizeof(struct sluice_share_ask) <= RTE_MP_MAX_PARAM_LEN &&
					sizeof(struct sluice_share_answer) <=
							RTE_MP_MAX_PARAM_LEN &&
					SLUICE_SHARE_FDS <= RTE_MP_MAX_FD_NUM,
			"it fits a message");
	port->shared->port_id = port->port_id;
	port->shared->epoch = 1;
	sluice_build_get(&port->shared->build);
	for (i = 0; i < SLUICE_PEERS_MAX; i++)
		port->share.peers[i] = (struct sluice_peer){ .alive_fd = -1, .news_fd = -1 };
	port->share.alive_fds[0] = -1;
	port->share.alive_fds[1] = -1;
	port->share.offer = (struct sluice_offer){ 0 };
}

void
sluice_share_open(struct sluice_port *port)
{
	pthread_mutex_lock(&lock);
	ports[port->port_id] = port;
	pthread_mutex_unlock(&lock);
	/* Once per process; the message loop belongs to EAL, and so does the end of it. */
	if (rte_mp_action_register(SLUICE_SHARE_NAME, on_message) < 0 && rte_errno != EEXIST &&
			rte_errno != ENOTSUP)
		SLUICE_LOG(WARNING, "port %u: secondary processes cannot use it: %s", port->port_id,
				rte_strerror(rte_errno));
}

void
sluice_share_close(struct sluice_port *port)
{
	int64_t end = sluice_clock_ms() + CLOSE_MS;
	struct pollfd pfds[SLUICE_PEERS_MAX];
	unsigned int i, nb;

	pthread_mutex_lock(&lock);
	if (ports[port->port_id] == port)
		ports[port->port_id] = NULL;
	/* They hang up, too, when they have seen it. */
	for (i = 0; i < 2; i++) {
		if (port->share.alive_fds[i] >= 0)
			close(port->share.alive_fds[i]);
		port->share.alive_fds[i] = -1;
	}
	pthread_mutex_unlock(&lock);
	do {
		nb = sluice_share_poll_fds(port, pfds);
		if (nb != 0 && poll(pfds, nb, 1) > 0)
			sluice_share_serve(port);
	} while (nb != 0 && sluice_clock_ms() < end);
	pthread_mutex_lock(&lock);
	for (i = 0; i < SLUICE_PEERS_MAX; i++) {
		if (port->share.peers[i].alive_fd >= 0)
			SLUICE_LOG(WARNING,
					"port %u: secondary process %d does not let go of it: until it "
					"does, or ends, it keeps what it has mapped, and a PCI device "
					"stays open",
					port->port_id, port->share.peers[i].pid);
		forget(&port->share.peers[i]);
	}
	pthread_mutex_unlock(&lock);
}

/* The lock is held. */
static void
wake_peers(struct sluice_port *port)
{
	uint64_t one = 1;
	unsigned int i;
	ssize_t ret;

	for (i = 0; i < SLUICE_PEERS_MAX; i++) {
		if (port->share.peers[i].news_fd < 0)
			continue;
		/* EAGAIN: it is awake */
		ret = write(port->share.peers[i].news_fd, &one, sizeof(one));
		RTE_SET_USED(ret);
	}
}

/* What is to be mapped: see struct sluice_offer. */
static int
offer_memory(const struct sluice_port *port, struct sluice_offer *o)
{
	const struct sluice_transport *t = port->transport;
	struct sluice_notify_pages pages = {
		.va = port->rings.va, .len = port->rings.len, .fd = port->rings.fd
	};
	int ret = 0;

	if (sluice_transport_can(t, SLUICE_TRANSPORT_HAS_REGISTERS))
		ret = t->ops->notify_pages(t, sluice_dev_nb_vqs(port), &pages);
	o->has_memory = ret == 0 && pages.fd >= 0;
	o->va = (uintptr_t)pages.va;
	o->len = pages.len;
	o->offset = pages.offset;
	if (o->has_memory)
		o->fds[o->nb_fds++] = pages.fd;
	return ret;
}

void
sluice_share_offer(struct sluice_port *port)
{
	struct sluice_offer *o = &port->share.offer;
	struct sluice_queue *q;
	unsigned int i;

	pthread_mutex_lock(&lock);
	port->shared->features = port->features;
	o->epoch = rte_atomic_load_explicit(&port->shared->epoch, rte_memory_order_relaxed);
	o->nb_fds = 0;
	o->error = offer_memory(port, o);
	if (port->wake_fd >= 0)
		o->fds[o->nb_fds++] = port->wake_fd;
	SLUICE_FOREACH_QUEUE(port, q, i)
		if (q->kick_fd >= 0)
			o->fds[o->nb_fds++] = q->kick_fd;
	wake_peers(port);
	pthread_mutex_unlock(&lock);
}

void
sluice_share_withdraw(struct sluice_port *port)
{
	uint32_t epoch = rte_atomic_load_explicit(&port->shared->epoch, rte_memory_order_relaxed) +
			1;

	pthread_mutex_lock(&lock);
	port->share.offer.nb_fds = 0;
	port->share.offer.error = 0;
	/* Pairs with sluice_visit_begin(). 0 is none. */
	rte_atomic_store_explicit(
			&port->shared->epoch, epoch == 0 ? 1 : epoch, rte_memory_order_seq_cst);
	wake_peers(port);
	pthread_mutex_unlock(&lock);
}

static bool
is_visited(const struct sluice_queue *q, uint16_t who)
{
	return rte_atomic_load_explicit(&q->visitor, rte_memory_order_acquire) == who;
}

/* The process with this number is no more: nobody else is going to leave for it. */
static void
bury(struct sluice_port *port, uint16_t who, int pid)
{
	const struct rte_eth_dev_data *data = port->dev->data;
	struct sluice_queue *q;
	unsigned int i;

	SLUICE_FOREACH_QUEUE(port, q, i) {
		bool was_inside = rte_atomic_load_explicit(
						  &q->in_burst, rte_memory_order_acquire) != 0;

		if (!is_visited(q, who))
			continue;
		if (!sluice_queue_is_tx(q) && sluice_rx_stage_bury((struct sluice_rxq *)q))
			was_inside = true;
		if (was_inside) {
			rte_atomic_store_explicit(
					&q->state, SLUICE_QUEUE_STOPPED, rte_memory_order_release);
			q->is_stranded = true;
			SLUICE_LOG(ERR,
					"port %u: secondary process %d ended inside of a burst of %s "
					"queue %u: it is parked with about %u buffers; stop and start "
					"the port to use it again",
					port->port_id, pid,
					sluice_queue_is_tx(q) ? "transmit" : "receive", q->id,
					sluice_ring_nb_in_flight(&q->ring));
			rte_atomic_store_explicit(&q->ring.in_kick, 0, rte_memory_order_release);
			rte_atomic_store_explicit(&q->in_burst, 0, rte_memory_order_release);
		}
		rte_atomic_store_explicit(&q->visitor, 0, rte_memory_order_release);
	}
	/* Those that the device knows nothing of: they only take, and what is taken is lost. */
	for (i = sluice_dev_nb_rx(port); i < data->nb_rx_queues; i++) {
		q = sluice_queue_at(port, SLUICE_VQ_RX(i));
		if (q == NULL || !is_visited(q, who))
			continue;
		sluice_rx_stage_bury((struct sluice_rxq *)q);
		rte_atomic_store_explicit(&q->in_burst, 0, rte_memory_order_release);
		rte_atomic_store_explicit(&q->visitor, 0, rte_memory_order_release);
	}
}

void
sluice_share_serve(struct sluice_port *port)
{
	struct pollfd pfd;
	unsigned int i;

	pthread_mutex_lock(&lock);
	for (i = 0; i < SLUICE_PEERS_MAX; i++) {
		pfd = (struct pollfd){ .fd = port->share.peers[i].alive_fd };
		if (pfd.fd < 0 || poll(&pfd, 1, 0) <= 0)
			continue;
		bury(port, i + 1, port->share.peers[i].pid);
		forget(&port->share.peers[i]);
	}
	pthread_mutex_unlock(&lock);
}

unsigned int
sluice_share_poll_fds(struct sluice_port *port, struct pollfd *pfds)
{
	unsigned int nb = 0, i;

	pthread_mutex_lock(&lock);
	for (i = 0; i < SLUICE_PEERS_MAX; i++)
		if (port->share.peers[i].alive_fd >= 0)
			pfds[nb++] = (struct pollfd){ .fd = port->share.peers[i].alive_fd };
	pthread_mutex_unlock(&lock);
	return nb;
}
