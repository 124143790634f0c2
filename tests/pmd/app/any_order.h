/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

#ifndef ANY_ORDER_H
#define ANY_ORDER_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_mempool.h>

#define NB_QUEUES 3
#define LIMIT_US 10000000 /* for whatever is waited for */

/* What the lcore polls: port, and the queues of it that are set up. Changed while it is away. */
extern uint16_t port;
extern bool is_rx_there[NB_QUEUES], is_tx_there[NB_QUEUES];
extern struct rte_mempool *pools[2];

/* Says why, and aborts. */
void __attribute__((noreturn, format(printf, 1, 2))) fail(const char *format, ...);

/* The lcore, until end_work(). */
int work(void *arg);
void end_work(void);
uint64_t nb_received(void);
/* No burst may be called of a port that ethdev starts or stops, nor of a queue it sets up. */
void stay_away(bool is_so);

/* The back end; vdev_args: of net_vhost. 0 or -errno. */
int add_back(const char *vdev_args);
int remove_back(void);
bool is_back_there(void);

/* The port, of such arguments. */
void plug(const char *args);
void unplug(void);
/* Many times, while what that takes is not there always. */
void try_plugs(const char *args);

/* With shim/shortage.c: calls of the driver may fail from here on, or do not. Do they? */
bool run_short(bool is_so);
/* How many did. */
unsigned int nb_short(void);

/* What a process has: descriptors, and of EAL's memory. */
struct held {
	unsigned int nb_fds, nb_blocks, nb_zones;
};
struct held count_held(void);
/* No more than before. */
void check_held(const struct held *before);

#endif /* ANY_ORDER_H */
