/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * What the primary process has for secondary ones, and what it knows of them. They ask by rte_mp,
 * which carries descriptors: of the rings' memory, of kicks, of the control thread's eventfd. When
 * rings come or go, their epoch says so (sluice_shared.h), and each secondary is woken.
 *
 * Each side holds one end of a pipe of which the other one has the other end: so it is told when
 * that process ends, however it does.
 *
 * Locks: one, for all ports of the process, behind port->lock; held for copies only.
 */

#ifndef SLUICE_SHARE_H
#define SLUICE_SHARE_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "dmap.h"
#include "sluice_limit.h"
#include "sluice_args.h"

struct sluice_port;

/* Secondary processes of a port at a time. */
#define SLUICE_PEERS_MAX 16

/* Of the messages; the answer has the same name. */
#define SLUICE_SHARE_NAME "sluice"

enum sluice_share_what {
	/*
	 * A process comes. fds: the end of a pipe that hangs up when it ends, and an eventfd that
	 * wakes it. Answer: its number with the port, and the same end of ours.
	 */
	SLUICE_SHARE_ATTACH,
	/* Descriptors of the rings that run, from the one numbered first on. */
	SLUICE_SHARE_RINGS,
	SLUICE_SHARE_MEMORY, /* dmap_request_post() */
};

struct sluice_share_ask {
	uint32_t what;
	uint16_t port_id;
	uint16_t who; /* its number with the port, but to attach */
	int32_t pid;
	uint16_t first;
	const void *memory;
	struct dmap_buffer buf;
};

/* Descriptors in a message. */
#define SLUICE_SHARE_FDS 8

struct sluice_share_answer {
	/* -EAGAIN: no rings run now, -ESTALE: the sender is not attached */
	int32_t ret;
	uint16_t who;
	/* rings */
	bool has_memory; /* to be mapped, of the first descriptor of all */
	uint32_t epoch;
	uint64_t va;
	uint64_t len;
	uint64_t offset;
	uint16_t nb_all;               /* descriptors of these rings */
	int32_t fds[SLUICE_SHARE_FDS]; /* those that come along, by their numbers here */
};

/* A secondary process. */
struct sluice_peer {
	int pid;      /* for messages only; it may live in another PID namespace */
	int alive_fd; /* hangs up when it ends; -1: no such peer */
	int news_fd;
};

/* Memory, the control thread's eventfd, and a kick for each queue. */
#define SLUICE_OFFER_FDS (2 + 2 * SLUICE_PAIRS_MAX)

/* Protected by the lock, as peers. */
struct sluice_offer {
	uint32_t epoch;
	int error; /* the rings run, and other processes cannot have them: -errno */
	/*
	 * What they map of the first descriptor, at the address va: the rings, or, where these are
	 * EAL's memory, the registers by which the device is notified.
	 */
	bool has_memory;
	uint64_t va;
	uint64_t len;
	uint64_t offset;
	uint16_t nb_fds; /* 0: no rings run */
	int fds[SLUICE_OFFER_FDS];
};

struct sluice_share {
	struct sluice_peer peers[SLUICE_PEERS_MAX]; /* number 1 is the first */
	struct sluice_offer offer;
	/* A pipe nobody ever writes to; secondary processes have copies of the first end. */
	int alive_fds[2];
};

void sluice_share_init(struct sluice_port *port);

/*
 * Probe, end: from and until when the port is found. Without IPC (--in-memory, --no-shconf) there
 * are no secondary processes, which is no error.
 */
void sluice_share_open(struct sluice_port *port);
void sluice_share_close(struct sluice_port *port);

/* The rings run: secondary processes may have them. port->lock is held. */
void sluice_share_offer(struct sluice_port *port);
/*
 * The rings end, from here on no core of a secondary process comes in; those that are inside are
 * found by sluice_queue_quiesce(). Before anything of them is taken away. port->lock is held.
 */
void sluice_share_withdraw(struct sluice_port *port);

/*
 * Secondary processes that ended: a queue that one of them was in the midst of is STOPPED, parked
 * and counted. port->lock is held.
 */
void sluice_share_serve(struct sluice_port *port);
/* Descriptors that say when that is due; at most SLUICE_PEERS_MAX. */
unsigned int sluice_share_poll_fds(struct sluice_port *port, struct pollfd *pfds);

#endif /* SLUICE_SHARE_H */
