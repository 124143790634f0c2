/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Which receive queue a packet goes to, when the application asks for RSS: the settings, and what
 * the polling cores see of them. No device of ours does it, so software does, unless rss=off.
 *
 * Threads: functions are for the application's control calls; none needs port->lock.
 */

#ifndef SLUICE_STEER_H
#define SLUICE_STEER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "sluice_rss.h"

struct sluice_port;
struct sluice_spread;

struct sluice_steer {
	pthread_mutex_t lock;
	/*
	 * What the cores see of sluice_shared.rss, in turn: two, in memory of all processes, from
	 * the first start on. current is the one that was shown last.
	 */
	struct sluice_rss *tables;
	unsigned int current;
	bool is_on;   /* the cores see one: the port is started */
	bool is_used; /* a core did not leave its burst when the port was stopped */
	/* NULL: packets are not spread. */
	struct sluice_spread *spread;
};

void sluice_steer_init(struct sluice_port *port);
void sluice_steer_fini(struct sluice_port *port);

/* RTE_ETH_RSS_... of all that can be hashed. */
uint64_t sluice_steer_types(void);
/*
 * Does the port that is configured spread packets by itself, and does it hash them? More queues
 * than the device has are possible with the former only.
 */
bool sluice_steer_spreads(const struct sluice_port *port);
bool sluice_steer_hashes(const struct sluice_port *port);

/*
 * The port is configured, as dev_conf says: fresh settings. -EINVAL, -ENOTSUP: logged, and those of
 * before stay.
 */
int sluice_steer_configure(struct sluice_port *port);
/*
 * New types, key (NULL: the old one) or table (of SLUICE_RSS_RETA_SIZE queues). At once, while the
 * port runs: each packet is hashed by the settings of before or by the new ones. On error those of
 * before stay: -EINVAL what cannot be, -EBUSY for types where none were when the port was started,
 * -ETIMEDOUT if a core hangs in a burst. All are logged.
 */
int sluice_steer_set_hash(
		struct sluice_port *port, uint64_t types, const uint8_t *key, uint32_t key_len);
int sluice_steer_set_reta(struct sluice_port *port, const uint16_t *reta);

/*
 * Before the device runs: the cores hash and spread from now on, if that is asked for. -ENOMEM,
 * -EBUSY: logged.
 */
int sluice_steer_start(struct sluice_port *port);
/*
 * The device runs no more: what waits for a queue goes back to its pool. The calling thread may put
 * into any pool.
 */
void sluice_steer_stop(struct sluice_port *port);

#endif /* SLUICE_STEER_H */
