/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * A port: its device, its queues, and what all parts of the driver know of it. What happens to it
 * is decided in sluice_life.c, by the application's control calls and by the port's control thread
 * (sluice_conn.c).
 *
 * Threads: everything here runs with port->lock held, except where said otherwise. Who asks for a
 * port's features, counters or link takes no lock that is held while a device is waited for.
 */

#ifndef SLUICE_PORT_H
#define SLUICE_PORT_H

#include <pthread.h>

#include <rte_ethdev.h>
#include <rte_spinlock.h>

#include "dmap.h"
#include "sluice_args.h"
#include "sluice_ctrl.h"
#include "sluice_filter.h"
#include "sluice_limit.h"
#include "sluice_park.h"
#include "sluice_path.h"
#include "sluice_queue_ctl.h"
#include "sluice_share.h"
#include "sluice_shared.h"
#include "sluice_transport.h"
#include "sluice_steer.h"
#include "sluice_watch.h"

struct rte_eth_dev;
struct rte_intr_handle;

/*
 * Receive interrupts (sluice_intr.c, sluice_intr_wake.c): an eventfd per receive queue that the
 * device, or the interrupt thread, writes. They live from dev_configure to the next one or
 * dev_close, whatever happens to the device meanwhile.
 */
struct sluice_intr {
	uint16_t nb_fds; /* 0: the application asked for none */
	int fds[SLUICE_PAIRS_MAX];
	struct rte_intr_handle *own; /* what ethdev and EAL know of them, where the bus has none */
};

/* Largest frame, and the part of it that is no MTU: Ethernet header and checksum. */
#define SLUICE_MAX_FRAME 65535
#define SLUICE_FRAME_OVERHEAD (RTE_ETHER_HDR_LEN + RTE_ETHER_CRC_LEN)

/* What the application asks for to have checksums of received packets told. */
#define SLUICE_RX_CSUM_OFFLOADS (RTE_ETH_RX_OFFLOAD_UDP_CKSUM | RTE_ETH_RX_OFFLOAD_TCP_CKSUM)

/* What takes headers of received packets that say something. */
#define SLUICE_RX_HEADER_OFFLOADS (SLUICE_RX_CSUM_OFFLOADS | RTE_ETH_RX_OFFLOAD_TCP_LRO)

/* The first of both, of packets that it sends. */
#define SLUICE_TX_CSUM_OFFLOADS (RTE_ETH_TX_OFFLOAD_UDP_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_CKSUM)

/* Segments of TCP, or of UDP where RTE_ETH_TX_OFFLOAD_UDP_TSO is on, in UDP tunnels. */
#define SLUICE_TX_TUNNEL_OFFLOADS \
	(RTE_ETH_TX_OFFLOAD_VXLAN_TNL_TSO | RTE_ETH_TX_OFFLOAD_GENEVE_TNL_TSO | \
			RTE_ETH_TX_OFFLOAD_UDP_TNL_TSO)

/* What takes burst functions that look at the flags of each packet to be sent. */
#define SLUICE_TX_OFFLOADS \
	(SLUICE_TX_CSUM_OFFLOADS | RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | \
			RTE_ETH_TX_OFFLOAD_VLAN_INSERT | RTE_ETH_TX_OFFLOAD_TCP_TSO | \
			RTE_ETH_TX_OFFLOAD_UDP_TSO | SLUICE_TX_TUNNEL_OFFLOADS | \
			RTE_ETH_TX_OFFLOAD_OUTER_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_OUTER_UDP_CKSUM)

/* Where a port is in its life; sluice_life.c has the table of what leads where. */
enum sluice_life {
	SLUICE_ABSENT,  /* stopped, no device */
	SLUICE_READY,   /* stopped, a device is connected */
	SLUICE_WAITING, /* started, no device: a cable that is pulled */
	SLUICE_LIVE,    /* started and connected: the device runs the rings */
	SLUICE_FAILED,  /* started, and its device was cut off since it broke the rules */
	SLUICE_CLOSED,
	SLUICE_NB_LIVES
};

/* Why a device was not taken. */
enum sluice_refusal {
	SLUICE_TAKEN,
	SLUICE_REFUSED_SIZE,    /* split rings, and a queue_size that is no power of two */
	SLUICE_REFUSED_OFFLOAD, /* an enabled offload needs what it has not */
	SLUICE_REFUSED_PAIRS,   /* fewer queue pairs than the port runs with */
	SLUICE_REFUSED_FRAMES,  /* frames of the port's MTU are too large for it */
};

struct sluice_port;

/* What a port tells whoever shows it to the application. */
struct sluice_port_events {
	/* Control thread, no lock held: the application is told. */
	void (*link_changed)(struct sluice_port *port);
	void (*failed)(struct sluice_port *port);
	/* port->lock is held: the burst functions are those of rx_path and tx_path from now on. */
	void (*paths_chosen)(struct sluice_port *port);
};

/* The half of a port that belongs to the process which has the device: the primary one. */
struct sluice_port {
	/* constant after probe */
	struct sluice_shared *shared; /* the other half */
	const struct sluice_port_events *events;
	struct rte_eth_dev *dev;
	uint16_t port_id;
	pid_t pid; /* of the process that has the control thread and the device */
	int socket;
	struct sluice_args args;
	char label[128]; /* names the device in messages: path=... or its PCI address */
	struct sluice_transport *transport;
	struct dmap_remote remote;
	struct dmap_domain *domain;
	const struct rte_memzone *claim; /* PCI: says to other processes whose the device is */
	/* protected by lock */
	pthread_mutex_t lock;
	enum sluice_life life;      /* atomic: read by anybody */
	bool was_shown;             /* of the device that is connected: it was told of rings */
	struct dmap_coherent rings; /* of this connection; a slice for each virtqueue */
	size_t slices[2 * SLUICE_PAIRS_MAX];     /* where they start */
	uint16_t nb_slots[2 * SLUICE_PAIRS_MAX]; /* that they are laid out for */
	/*
	 * By virtqueue: those of ethdev's tables, which go while the control thread looks, and
	 * those that the application released while the port is started, as it does before it sets
	 * them up anew. They stay what they were until then, or until a stop. Atomic: read by
	 * anybody.
	 */
	struct sluice_queue *queues[2 * SLUICE_PAIRS_MAX];
	uint16_t slices_mtu; /* that their bounce buffers are made for */
	int idle_kick_fd;    /* of virtqueues without a queue, as kick_fd of those that have one */
	rte_spinlock_t info_lock;       /* of info and has_info; for copies only */
	struct sluice_device_info info; /* of the device that is, or was last, connected */
	bool has_info;
	sluice_features features; /* that the port runs with, or would with a device that has all */
	sluice_features told_missing;     /* features whose lack was said since the start */
	enum sluice_refusal told_refusal; /* why the last device was not taken */
	const struct sluice_rx_path *rx_path;
	const struct sluice_tx_path *tx_path;
	bool copies_rx;       /* what is received is copied: one burst function is for all queues */
	uint32_t ptypes;      /* families of packet types that are told to the application */
	bool are_ptypes_said; /* which, it has said */
	bool is_link_up;      /* when the control thread looked last */
	uint32_t is_held_down; /* atomic: the application wants the link down */
	struct sluice_ctrl ctrl;
	bool is_stats_mute; /* the device did not tell what it has counted; until the next start */
	struct sluice_filter filter;
	struct sluice_watch watch[2 * SLUICE_PAIRS_MAX]; /* by virtqueue */
	enum sluice_fail failure; /* why it failed last; kept until the next start */
	struct sluice_park park;
	/*
	 * Queues whose core did not leave: they keep their buffers until it does, and the port
	 * waits.
	 */
	bool is_stuck;
	bool is_core_in[2 * SLUICE_PAIRS_MAX]; /* which those are, by virtqueue */
	struct sluice_share share;
	int stuck_eof_fd;
	struct sluice_intr intr;
	struct sluice_steer steer;
	/*
	 * The last of the receive queues, of which the device knows nothing: all that they have
	 * comes from the others. Set by dev_configure.
	 */
	uint16_t nb_soft_rx;
	/*
	 * When the control thread tries to connect again (sluice_clock_ms()), and how long it
	 * waited for that.
	 */
	int64_t retry_at;
	unsigned int retry_ms;
	int64_t connected_at; /* by the control thread, last */
	int64_t tick_at;
	/* sluice_idle.c: the next look, what each transmit queue had been given at the last */
	int64_t idle_at;
	uint32_t idle_seen[SLUICE_PAIRS_MAX];
	bool was_idle_told;
	int64_t announce_at;       /* not before */
	struct sluice_limit limit; /* of what is said of a device that comes and goes */
	/* control thread */
	rte_thread_t thread;
	bool has_thread;
	int wake_fd;
	uint32_t is_closing; /* atomic */
};

/* Features that the device arguments and the configuration ask for (sluice_negotiate.c). */
sluice_features sluice_dev_wanted_features(const struct sluice_port *port);
/*
 * Offloads (RTE_ETH_RX_OFFLOAD_*, RTE_ETH_TX_OFFLOAD_*) that the arguments allow and the device
 * has; of one that is still to come the best is expected. Any thread, never waits for a device.
 */
uint64_t sluice_dev_rx_capa(struct sluice_port *port);
uint64_t sluice_dev_tx_capa(struct sluice_port *port);
/* Those of SLUICE_TX_OFFLOADS that the application switched on. */
uint64_t sluice_tx_offloads_of(const struct rte_eth_dev *dev);
/* Are the IPv4 headers of packets that it receives checked? In software. */
bool sluice_rx_checks_ipv4(const struct rte_eth_dev *dev);
/*
 * A device is connected: may the port use it? Logs why not, or what is less than the arguments ask
 * for. From here on port->info is its.
 */
int sluice_dev_accept(struct sluice_port *port, const struct sluice_device_info *info);
/*
 * Features and burst functions of the next run: what is wanted and offered; of a device that is
 * still to come the best is expected. -ENOTSUP: an offload that is enabled needs what the device
 * has not; logged.
 */
int sluice_dev_choose(struct sluice_port *port);
/*
 * Limits (sluice_limits.c). Any thread, and none waits for a device; what depends on one may change
 * when the next comes.
 *
 * What a start negotiates: what is wanted and the device offers. Of one that is still to come the
 * best is expected.
 */
sluice_features sluice_negotiable(struct sluice_port *port);
/* Does the device say which MTU it has? */
bool sluice_has_mtu(struct sluice_port *port);
/* The largest MTU: what the device has, as far as its frames can be received. */
uint16_t sluice_max_mtu(struct sluice_port *port);
/* Queue pairs that the port can have: what the device has, as far as the arguments go. */
uint16_t sluice_max_pairs(struct sluice_port *port);
/* The most descriptors that a virtqueue can have. */
uint16_t sluice_desc_max(struct sluice_port *port, uint16_t vq);
/* Are packets of several buffers asked for, and does the device make them? */
bool sluice_may_scatter(struct sluice_port *port);
/* Does a frame of this MTU fit what the receive queue takes? Logs why not, and what to do. */
int sluice_check_frame(struct sluice_port *port, const struct sluice_rxq *rxq, uint16_t mtu);
/* Would all frames of the port's MTU fit with this device? The queues are set up. */
bool sluice_frames_fit(const struct sluice_port *port, const struct sluice_device_info *info);
/* Tell ethdev and the queues whether chains and LRO may come; the features are chosen. */
void sluice_set_scatter(struct sluice_port *port);
/* Can LRO packets be no longer than the application has configured? Logs why not. */
int sluice_check_lro_size(const struct sluice_port *port, const struct rte_eth_rxmode *mode);
/* Before a start: are all queues set up, and do frames fit? Logs why not. */
int sluice_check_queues(struct sluice_port *port);

/* What the device has counted, if somebody wants to know (sluice_device_stats.c). */
void sluice_device_stats_look(struct sluice_port *port);

/* How long the device may put off interrupts (sluice_coal.c). Logs what it does not do. */
void sluice_coal_tell(struct sluice_port *port);

/* What is read of the domain without it, now. Any thread. */
void sluice_port_tell_sizes(struct sluice_port *port);

/* The device has another MTU than it said when it connected. */
void sluice_dev_mtu_changed(struct sluice_port *port, uint16_t mtu);
/*
 * A copy of what is known of the device; false: nothing yet. Any thread, never waits for a device.
 */
bool sluice_dev_info(struct sluice_port *port, struct sluice_device_info *info);

/*
 * What the device says now. Any thread, no lock needed. Where the transport has no registers: that
 * all is well. A device that is in trouble is reported to the control thread.
 */
void sluice_dev_state(struct sluice_port *port, struct sluice_device_state *state);
/* The same, and nothing is reported: the control thread asks. */
void sluice_dev_look(const struct sluice_port *port, struct sluice_device_state *state);
/*
 * Is the device gone for good? A back end may come again, and so may an interface or a vDPA device
 * that was deleted; one that does not answer on its bus does not. Any thread, no lock needed.
 */
bool sluice_dev_is_removed(struct sluice_port *port);

/*
 * Is what the device only reads of the rings out of its reach for writing? A device that translates
 * addresses by itself keeps the rights that it was told, or does not; and a vhost back end, which
 * does so, may need all of them.
 */
static inline bool
sluice_dev_has_ro_rings(const struct sluice_port *port)
{
	bool is_wanted = port->args.has_ro_rings ? port->args.is_ro_rings : !port->info.has_ats;

	/* Where the device is told what it may see, rights are not among it. */
	return is_wanted && sluice_transport_can(port->transport, SLUICE_TRANSPORT_HAS_READ_ONLY);
}

/* Are packets copied, so that the device reaches bounce buffers and no pool? */
static inline bool
sluice_copies(const struct sluice_port *port)
{
	return port->args.isolation == SLUICE_ISOLATION_COPY;
}

/* The same for packets of pools that a sealed port does not show (bounce=1). */
static inline bool
sluice_bounces(const struct sluice_port *port)
{
	return port->args.isolation == SLUICE_ISOLATION_SEALED && port->args.bounces;
}

/* Calls what follows for each queue that is set up, receive queues first; i counts. */
#define SLUICE_FOREACH_QUEUE(port, q, i) \
	for (i = 0; i < sluice_dev_nb_queues(port); i++) \
		if (sluice_dev_has_queue(port, i, &(q)))

/* Has the application started the port? Whether there is a device is another question. */
static inline bool
sluice_port_is_started(const struct sluice_port *port)
{
	return port->life == SLUICE_WAITING || port->life == SLUICE_LIVE ||
			port->life == SLUICE_FAILED;
}

/* That the port has at this virtqueue number, released or not; NULL: it is not set up. */
struct sluice_queue *sluice_queue_at(const struct sluice_port *port, uint16_t vq);

static inline struct sluice_rxq *
sluice_rxq_at(const struct sluice_port *port, uint16_t id)
{
	return (struct sluice_rxq *)sluice_queue_at(port, SLUICE_VQ_RX(id));
}

static inline struct sluice_txq *
sluice_txq_at(const struct sluice_port *port, uint16_t id)
{
	return (struct sluice_txq *)sluice_queue_at(port, SLUICE_VQ_TX(id));
}

/* Receive queues that the device knows. */
uint16_t sluice_dev_nb_rx(const struct sluice_port *port);
unsigned int sluice_dev_nb_queues(const struct sluice_port *port);
/*
 * Virtqueues come in pairs (5.1.2), queues need not: there are as many pairs as the larger number
 * asks for. A virtqueue without a queue has a ring in which nothing is ever available.
 */
uint16_t sluice_dev_nb_vqs(const struct sluice_port *port);
/* In the same order, with those of which the device knows nothing. NULL: it is not set up. */
struct sluice_queue *sluice_port_queue(const struct sluice_port *port, unsigned int i);
/* NULL: it is not set up, or the device knows nothing of it. */
struct sluice_queue *sluice_dev_queue(const struct sluice_port *port, unsigned int i);

static inline bool
sluice_dev_has_queue(const struct sluice_port *port, unsigned int i, struct sluice_queue **q)
{
	*q = sluice_dev_queue(port, i);
	return *q != NULL;
}

/*
 * Rings (sluice_rings.c). make: memory and kick descriptors of this connection, if it has none yet,
 * and fresh rings in it. drop: the next connection gets others. end: there is no next one, and the
 * port's domain ends; what a core that stays in a burst may still use, stays. make logs what went
 * wrong.
 */
int sluice_rings_make(struct sluice_port *port);
void sluice_rings_drop(struct sluice_port *port);
void sluice_rings_end(struct sluice_port *port);
/*
 * The descriptor by which the device is notified of a virtqueue in this connection, unless there is
 * one or the device has a register for that. Logs what went wrong.
 */
int sluice_rings_open_kick(const struct sluice_port *port, uint16_t vq, int *fd);
/* What the device only reads of the rings it may not write either. */
int sluice_rings_restrict(struct sluice_port *port);
/* Tell the device of all rings. */
int sluice_rings_start(struct sluice_port *port);
/* Of one, which lies in mem: what vq says of places is set here, the rest by the caller. */
int sluice_rings_start_one(struct sluice_port *port, const struct dmap_coherent *mem,
		const struct sluice_ring *r, struct sluice_vq_setup *vq);

/*
 * Of a queue that the device has forgotten: forget makes a fresh and empty ring, of which again
 * tells the device, receive buffers in it.
 */
void sluice_rings_forget(struct sluice_port *port, struct sluice_queue *q);
int sluice_rings_start_again(struct sluice_port *port, struct sluice_queue *q);

/*
 * Slots of a virtqueue's ring for nb_desc asked descriptors, with these features and this device.
 */
uint16_t sluice_dev_ring_size(const struct sluice_port *port, uint16_t vq, uint16_t nb_desc);

/* How to kick a virtqueue that was started: the transport's register, or else the eventfd. */
struct sluice_doorbell sluice_dev_doorbell(
		const struct sluice_port *port, uint16_t vq, bool is_packed, int kick_fd);

/*
 * Wake each thread that sleeps on a receive queue: what it waits for may never come, or has to be
 * asked for again. Any thread.
 */
void sluice_intr_wake(const struct sluice_port *port);
/* One of them. */
void sluice_intr_signal(int fd);
/* A thread that hangs in sluice_intr_wake() goes on. Any other thread, no lock needed. */
void sluice_intr_unblock(const struct sluice_port *port);

/* Control thread (sluice_conn.c); no lock held. */
int sluice_conn_start(struct sluice_port *port);
/* Waits for its end, unless it is the caller: then it ends without another look at the port. */
void sluice_conn_stop(struct sluice_port *port);
/* Have the control thread look at the port now. Any thread, polling cores included. */
void sluice_conn_wake(struct sluice_port *port);

#endif /* SLUICE_PORT_H */
