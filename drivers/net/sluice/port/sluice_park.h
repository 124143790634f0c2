/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Buffers of a device that was cut off and did not say that it is done with them. A back end keeps
 * the memory that it has mapped, and one that is inside a burst finishes it before it looks at its
 * socket. Its rings were emptied in place, so it takes no new buffer; those that it may have taken
 * are kept here until its end of file and a little longer, or until a deadline.
 *
 * Threads: all functions may be called from any thread; none waits but sluice_park_close().
 */

#ifndef SLUICE_PARK_H
#define SLUICE_PARK_H

#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "sluice_mbuf_list.h"

struct rte_mempool;

/* After its end of file a back end gets this long to leave a burst. */
#define SLUICE_PARK_GRACE_MS 100
/*
 * A back end that does not close its end: then the buffers go back all the same, and are counted.
 */
#define SLUICE_PARK_DEADLINE_MS 10000
/*
 * Connections whose buffers may be parked at a time; with more the port waits before it connects
 * anew.
 */
#define SLUICE_PARK_MAX 16

/* The buffers of one connection. */
struct sluice_parked {
	TAILQ_ENTRY(sluice_parked) next;
	int eof_fd; /* -1: its end of file was seen */
	int64_t until;
	struct sluice_mbuf_list *batches;
};

TAILQ_HEAD(sluice_parked_head, sluice_parked);

struct sluice_park {
	pthread_mutex_t lock;
	struct sluice_parked_head list;
	unsigned int nb;
	uint64_t *nb_unacked; /* counts buffers that went back although the device had not let go */
};

void sluice_park_init(struct sluice_park *park, uint64_t *nb_unacked);

/*
 * Room for the buffers of a connection. eof_fd, which belongs to the park from here on and never
 * blocks, has its end of file when the other side let go; -1: it is done with them already, and all
 * that is waited for is the right thread. NULL: no memory; eof_fd is closed.
 */
struct sluice_parked *sluice_park_open(struct sluice_park *park, int eof_fd);
/*
 * Take the buffers of a queue, which is STOPPED and has no burst inside. Returns how many packets
 * or buffers, as sluice_queue_drain(); -ENOMEM: they are still there.
 */
int sluice_park_queue(struct sluice_park *park, struct sluice_parked *p, struct sluice_queue *q);

/* Look at the other sides, and give back what is due. */
void sluice_park_serve(struct sluice_park *park);
/*
 * When sluice_park_serve() is due again, if no descriptor says so before; INT64_MAX: nothing is
 * parked.
 */
int64_t sluice_park_next(struct sluice_park *park);
/* Descriptors that say when it is due; returns how many. */
unsigned int sluice_park_poll_fds(struct sluice_park *park, struct pollfd *pfds, unsigned int max);
bool sluice_park_is_full(struct sluice_park *park);

/*
 * A virtqueue has another queue from here on, or none (NULL): then buffers that only its core may
 * give back stay until there is one.
 */
void sluice_park_set_queue(struct sluice_park *park, uint16_t vq, struct sluice_queue *q);

/*
 * A pool is about to be freed: its buffers are none any more; also those that wait for a queue's
 * own core.
 */
void sluice_park_forget(struct sluice_park *park, const struct rte_mempool *mp);
void sluice_park_forget_returns(struct sluice_queue *q, const struct rte_mempool *mp);
/*
 * The queues end: wait up to ms milliseconds for the other sides, then all goes back. The calling
 * thread may put into any pool.
 */
void sluice_park_close(struct sluice_park *park, unsigned int ms);
void sluice_park_fini(struct sluice_park *park);

#endif /* SLUICE_PARK_H */
