/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Which receive queue a packet goes to, when the application asks for RSS: the settings, and what
 * the polling cores see of them. Where a device has RSS it is told (sluice_steer_device.c), unless
 * it cannot do what is asked for, or rss=sw; else software does it, unless rss=off. The hash in the
 * mbuf is the device's where that writes it, and software does not spread; else software's.
 *
 * Threads: functions are for the application's control calls; none needs port->lock, but where it
 * says so. steer.lock is taken first.
 */

#ifndef SLUICE_STEER_H
#define SLUICE_STEER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "sluice_rss.h"
#include "sluice_rules.h"

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
	bool is_on; /* the cores see one: the port is started */
	/* Chosen when the port is configured: the device spreads, and it hashes for the mbuf. */
	bool is_by_device;
	bool is_hash_by_device;
	uint32_t device_types; /* what it can hash */
	bool is_used;          /* a core did not leave its burst when the port was stopped */
	/* NULL: packets are not spread. */
	struct sluice_spread *spread;
	struct sluice_rules rules;
};

void sluice_steer_init(struct sluice_port *port);
void sluice_steer_fini(struct sluice_port *port);

/* RTE_ETH_RSS_... of all that can be hashed. */
uint64_t sluice_steer_types(void);
/*
 * Does the port that is configured spread packets in software, and does it hash them? More queues
 * than the device has are possible with the former only.
 */
bool sluice_steer_spreads(const struct sluice_port *port);
bool sluice_steer_hashes(const struct sluice_port *port);
/* Does its device spread them, and does it hash them? Then the port asks for those features. */
bool sluice_steer_is_by_device(const struct sluice_port *port);
bool sluice_steer_is_hash_by_device(const struct sluice_port *port);
/* What software hashes with: the i-th best of the ways that there are, as sluice_rss_kit_at(). */
const struct sluice_rss_kit *sluice_steer_kit(const struct sluice_port *port, unsigned int i);

/*
 * The port is configured, as dev_conf says: fresh settings. -EINVAL, -ENOTSUP: logged, and those of
 * before stay.
 */
int sluice_steer_configure(struct sluice_port *port);
/*
 * New types, key (NULL: the old one) or table (of SLUICE_RSS_RETA_SIZE queues). At once, while the
 * port runs: each packet is hashed by the settings of before or by the new ones. On error those of
 * before stay: -EINVAL what cannot be, -EBUSY for types where none were when the port was started,
 * -ETIMEDOUT if a core hangs in a burst; where the device spreads or hashes: -ENOTSUP for types
 * that it has not, and what sluice_ctrl_command() says. All are logged.
 */
int sluice_steer_set_hash(
		struct sluice_port *port, uint64_t types, const uint8_t *key, uint32_t key_len);
int sluice_steer_set_reta(struct sluice_port *port, const uint16_t *reta);

/*
 * With steer.lock, for who changes what the tables say. pass: all cores use the current one from
 * now on; -ETIMEDOUT, logged: one stays in a burst. show: then the other one gets what is set, and
 * is the current one.
 */
int sluice_steer_pass(struct sluice_port *port);
void sluice_steer_show(struct sluice_port *port);

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

/*
 * A device with RSS or HASH_REPORT (sluice_steer_device.c).
 *
 * Types (RTE_ETH_RSS_...) of those asked for that it cannot hash, since it knows only these hash
 * types (5.1.6.4.3.1); 0: all. *hash_types: those that do it.
 */
uint64_t sluice_steer_beyond(uint64_t asked, uint32_t known, uint32_t *hash_types);
/*
 * What the device does of these types: spreading, and hashes for the mbuf if those are asked for.
 * It does so if it can do all of them.
 */
void sluice_steer_choose_device(struct sluice_port *port, uint64_t asked, bool asks_for_hash);
/* The settings to the device, with port->lock; as sluice_ctrl_command(). Logs what went wrong. */
int sluice_steer_tell(struct sluice_port *port, const struct sluice_rss_settings *rss);
/* Other settings for a port that may be live; see sluice_steer_set_hash(). With steer.lock. */
int sluice_steer_change_device(struct sluice_port *port, const struct sluice_rss_settings *rss);

#endif /* SLUICE_STEER_H */
