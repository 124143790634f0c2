/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * RSS by a device that has it (5.1.6.5.7), and hashes by one that writes them (5.1.6.5.6.4): the
 * settings as it is told of them on its control queue.
 */

#include <errno.h>
#include <inttypes.h>

#include <ethdev_driver.h>

#include "sluice_life.h"
#include "sluice_log.h"
#include "sluice_steer.h"

/* Hash types of both (5.1.6.4.3.1). */
static const struct {
	uint64_t type;
	uint32_t bit;
} types[] = {
	{ RTE_ETH_RSS_IPV4, SLUICE_HASH_IPV4 },
	{ RTE_ETH_RSS_NONFRAG_IPV4_TCP, SLUICE_HASH_TCPV4 },
	{ RTE_ETH_RSS_NONFRAG_IPV4_UDP, SLUICE_HASH_UDPV4 },
	{ RTE_ETH_RSS_IPV6, SLUICE_HASH_IPV6 },
	{ RTE_ETH_RSS_NONFRAG_IPV6_TCP, SLUICE_HASH_TCPV6 },
	{ RTE_ETH_RSS_NONFRAG_IPV6_UDP, SLUICE_HASH_UDPV6 },
	{ RTE_ETH_RSS_IPV6_EX, SLUICE_HASH_IPV6_EX },
	{ RTE_ETH_RSS_IPV6_TCP_EX, SLUICE_HASH_TCPV6_EX },
	{ RTE_ETH_RSS_IPV6_UDP_EX, SLUICE_HASH_UDPV6_EX },
};

/*
 * The command behind class and command. A redirection table of ours is never longer than that of a
 * device, which has at least 128 entries (5.1.4.1).
 */
struct rss_config {
	uint32_t hash_types;
	uint16_t table_mask;
	uint16_t unclassified_queue;
	uint16_t table[SLUICE_RSS_RETA_SIZE];
	uint16_t nb_tx; /* transmit queues that may be used */
	uint8_t key_len;
	uint8_t key[SLUICE_RSS_KEY_LEN];
};

/* The same for a device that hashes, and steers as it likes. */
struct hash_config {
	uint32_t hash_types;
	uint16_t reserved[4];
	uint8_t key_len;
	uint8_t key[SLUICE_RSS_KEY_LEN];
};

/* Without what the compiler may put behind it. */
#define RSS_CONFIG_LEN (offsetof(struct rss_config, key) + SLUICE_RSS_KEY_LEN)
static_assert(RSS_CONFIG_LEN == 8 + 2 * SLUICE_RSS_RETA_SIZE + 3 + SLUICE_RSS_KEY_LEN,
		"5.1.6.5.7.1");
#define HASH_CONFIG_LEN (offsetof(struct hash_config, key) + SLUICE_RSS_KEY_LEN)
static_assert(HASH_CONFIG_LEN == 12 + 1 + SLUICE_RSS_KEY_LEN, "5.1.6.5.6.4");
static_assert(SLUICE_RSS_RETA_SIZE <= SLUICE_NET_RSS_TABLE_MIN, "5.1.4.1");
static_assert(SLUICE_RSS_KEY_LEN <= SLUICE_NET_RSS_KEY_MIN, "5.1.4.1");

uint64_t
sluice_steer_beyond(uint64_t asked, uint32_t known, uint32_t *hash_types)
{
	/* With the addresses of all packets, those of fragments and others are hashed. */
	const uint64_t part4 = RTE_ETH_RSS_FRAG_IPV4 | RTE_ETH_RSS_NONFRAG_IPV4_OTHER;
	const uint64_t part6 = RTE_ETH_RSS_FRAG_IPV6 | RTE_ETH_RSS_NONFRAG_IPV6_OTHER;
	unsigned int i;

	*hash_types = 0;
	for (i = 0; i < RTE_DIM(types); i++)
		if ((asked & types[i].type) != 0 && (known & types[i].bit) != 0)
			*hash_types |= types[i].bit;
	if (*hash_types & SLUICE_HASH_IPV4)
		asked &= ~part4;
	if (*hash_types & SLUICE_HASH_IPV6)
		asked &= ~part6;
	for (i = 0; i < RTE_DIM(types); i++)
		if (*hash_types & types[i].bit)
			asked &= ~types[i].type;
	return asked;
}

static bool
can_spread(struct sluice_port *port, const struct sluice_device_info *info)
{
	return port->dev->data->nb_rx_queues > 1 &&
			port->dev->data->nb_rx_queues <= sluice_max_pairs(port) &&
			(info->features & SLUICE_BIT(SLUICE_NET_F_RSS)) != 0;
}

/*
 * All headers are read then, and those of packets that are sent get longer, too: that costs about
 * as much as software that has a kit for hashes (doc/perf.md).
 */
static bool
wants_device_hash(const struct sluice_port *port)
{
	if (port->args.has_hash)
		return port->args.is_device_hash;
	return port->dev->data->nb_tx_queues == 0 || sluice_steer_kit(port, 1) == NULL;
}

/* Who spreads in software hashes there, too. Bounce buffers have no room for longer headers. */
static bool
can_hash(const struct sluice_port *port, const struct sluice_device_info *info)
{
	return wants_device_hash(port) && !sluice_steer_spreads(port) && !sluice_copies(port) &&
			!sluice_bounces(port) &&
			(info->features & SLUICE_BIT(SLUICE_NET_F_HASH_REPORT)) != 0;
}

void
sluice_steer_choose_device(struct sluice_port *port, uint64_t asked, bool asks_for_hash)
{
	struct sluice_steer *steer = &port->steer;
	struct sluice_device_info info;
	uint32_t hash_types;
	uint64_t beyond;

	steer->is_by_device = false;
	steer->is_hash_by_device = false;
	steer->device_types = 0;
	if (asked == 0 || port->args.rss != SLUICE_RSS_ARG_AUTO ||
			!sluice_transport_can(port->transport, SLUICE_TRANSPORT_HAS_CTRL_VQ) ||
			!sluice_dev_info(port, &info))
		return;
	steer->is_by_device = can_spread(port, &info);
	steer->is_hash_by_device = asks_for_hash && can_hash(port, &info);
	if (!steer->is_by_device && !steer->is_hash_by_device)
		return;
	beyond = sluice_steer_beyond(asked, info.rss_types, &hash_types);
	if (beyond != 0) {
		steer->is_by_device = false;
		steer->is_hash_by_device = false;
		SLUICE_LOG(INFO,
				"port %u: the device has no RSS types 0x%" PRIx64
				": software does it",
				port->port_id, beyond);
		return;
	}
	SLUICE_LOG(INFO, "port %u: %s by the device", port->port_id,
			!steer->is_by_device                     ? "hashes" :
					steer->is_hash_by_device ? "RSS and hashes" :
								   "RSS");
	steer->device_types = info.rss_types;
}

static int
tell_rss(struct sluice_port *port, const struct sluice_rss_settings *rss, uint32_t hash_types)
{
	struct rss_config config = {
		.hash_types = hash_types,
		.table_mask = SLUICE_RSS_RETA_SIZE - 1,
		.nb_tx = sluice_dev_nb_vqs(port) / 2,
		.key_len = SLUICE_RSS_KEY_LEN,
	};

	memcpy(config.table, rss->reta, sizeof(config.table));
	memcpy(config.key, rss->key, sizeof(config.key));
	return sluice_ctrl_command(
			port, SLUICE_CTRL_MQ, SLUICE_CTRL_MQ_RSS_CONFIG, &config, RSS_CONFIG_LEN);
}

static int
tell_hash(struct sluice_port *port, const struct sluice_rss_settings *rss, uint32_t hash_types)
{
	struct hash_config config = { .hash_types = hash_types, .key_len = SLUICE_RSS_KEY_LEN };

	memcpy(config.key, rss->key, sizeof(config.key));
	return sluice_ctrl_command(
			port, SLUICE_CTRL_MQ, SLUICE_CTRL_MQ_HASH_CONFIG, &config, HASH_CONFIG_LEN);
}

int
sluice_steer_tell(struct sluice_port *port, const struct sluice_rss_settings *rss)
{
	uint32_t hash_types;
	int ret;

	sluice_steer_beyond(rss->types, port->info.rss_types, &hash_types);
	/* With both features this tells of both (5.1.6.5.7.1). */
	if (port->features & SLUICE_BIT(SLUICE_NET_F_RSS))
		ret = tell_rss(port, rss, hash_types);
	else
		ret = tell_hash(port, rss, hash_types);
	if (ret != 0)
		SLUICE_LOG(ERR,
				"%s: the device did not take the settings of RSS: %s; rss=sw leaves RSS to "
				"software",
				port->label, sluice_ctrl_error(ret));
	return ret;
}

int
sluice_steer_change_device(struct sluice_port *port, const struct sluice_rss_settings *rss)
{
	uint32_t hash_types;
	uint64_t beyond = sluice_steer_beyond(rss->types, port->steer.device_types, &hash_types);
	int ret = 0;

	if (beyond != 0) {
		SLUICE_LOG(ERR,
				"port %u: the device has no RSS types 0x%" PRIx64
				": configure the port with "
				"them, or with rss=sw",
				port->port_id, beyond);
		return -ENOTSUP;
	}
	sluice_life_lock(port, SLUICE_LOCK_MS);
	if (port->life == SLUICE_LIVE) {
		sluice_transport_begin(port->transport, SLUICE_CTRL_MS);
		ret = sluice_steer_tell(port, rss);
	}
	/* Under the lock: a device that comes meanwhile is told of these. */
	if (ret == 0)
		port->shared->rss = *rss;
	pthread_mutex_unlock(&port->lock);
	return ret;
}
