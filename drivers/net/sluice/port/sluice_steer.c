/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include <ethdev_driver.h>
#include <rte_malloc.h>

#include "sluice_clock.h"
#include "sluice_log.h"
#include "sluice_port.h"
#include "sluice_rx_stage.h"
#include "sluice_spread.h"
#include "sluice_steer.h"

/* A core that is in a burst for longer hangs there. */
#define PASS_MS 1000

/*
 * The key that drivers have used since there is RSS: its sums of flows are in every vendor's
 * verification suite.
 */
static const uint8_t default_key[SLUICE_RSS_KEY_LEN] = { 0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e,
	0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3, 0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb, 0xae, 0x7b,
	0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3, 0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe,
	0xac, 0x01, 0xfa };

#define V4_ADDRS 8
#define V6_ADDRS 32
#define PORTS 4

/*
 * What is hashed of which packet: with ports if that type is asked for, else the addresses if IP
 * is.
 */
static const struct {
	enum sluice_rss_proto proto;
	enum sluice_rss_class class;
	uint64_t ports; /* types with which the ports are hashed */
	uint64_t addrs; /* types with which the addresses are */
} classes[] = {
	{ SLUICE_RSS_IPV4, SLUICE_RSS_TCP, RTE_ETH_RSS_NONFRAG_IPV4_TCP, RTE_ETH_RSS_IPV4 },
	{ SLUICE_RSS_IPV4, SLUICE_RSS_UDP, RTE_ETH_RSS_NONFRAG_IPV4_UDP, RTE_ETH_RSS_IPV4 },
	{ SLUICE_RSS_IPV4, SLUICE_RSS_SCTP, RTE_ETH_RSS_NONFRAG_IPV4_SCTP, RTE_ETH_RSS_IPV4 },
	{ SLUICE_RSS_IPV4, SLUICE_RSS_FRAG, 0, RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_FRAG_IPV4 },
	{ SLUICE_RSS_IPV4, SLUICE_RSS_OTHER, 0, RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_NONFRAG_IPV4_OTHER },
	{ SLUICE_RSS_IPV6, SLUICE_RSS_TCP, RTE_ETH_RSS_NONFRAG_IPV6_TCP, RTE_ETH_RSS_IPV6 },
	{ SLUICE_RSS_IPV6, SLUICE_RSS_UDP, RTE_ETH_RSS_NONFRAG_IPV6_UDP, RTE_ETH_RSS_IPV6 },
	{ SLUICE_RSS_IPV6, SLUICE_RSS_SCTP, RTE_ETH_RSS_NONFRAG_IPV6_SCTP, RTE_ETH_RSS_IPV6 },
	{ SLUICE_RSS_IPV6, SLUICE_RSS_FRAG, 0, RTE_ETH_RSS_IPV6 | RTE_ETH_RSS_FRAG_IPV6 },
	{ SLUICE_RSS_IPV6, SLUICE_RSS_OTHER, 0, RTE_ETH_RSS_IPV6 | RTE_ETH_RSS_NONFRAG_IPV6_OTHER },
	{ SLUICE_RSS_IPV6_EX, SLUICE_RSS_TCP, RTE_ETH_RSS_IPV6_TCP_EX, RTE_ETH_RSS_IPV6_EX },
	{ SLUICE_RSS_IPV6_EX, SLUICE_RSS_UDP, RTE_ETH_RSS_IPV6_UDP_EX, RTE_ETH_RSS_IPV6_EX },
	{ SLUICE_RSS_IPV6_EX, SLUICE_RSS_SCTP, 0, RTE_ETH_RSS_IPV6_EX },
	{ SLUICE_RSS_IPV6_EX, SLUICE_RSS_FRAG, 0, RTE_ETH_RSS_IPV6_EX },
	{ SLUICE_RSS_IPV6_EX, SLUICE_RSS_OTHER, 0, RTE_ETH_RSS_IPV6_EX },
};

uint64_t
sluice_steer_types(void)
{
	uint64_t types = 0;
	unsigned int i;

	for (i = 0; i < RTE_DIM(classes); i++)
		types |= classes[i].ports | classes[i].addrs;
	return types;
}

static void
set_tuples(struct sluice_rss *rss, uint64_t types)
{
	unsigned int i;

	for (i = 0; i < RTE_DIM(classes); i++) {
		uint8_t addrs = classes[i].proto == SLUICE_RSS_IPV4 ? V4_ADDRS : V6_ADDRS;
		uint8_t *len = &rss->tuple_len[classes[i].proto][classes[i].class];

		*len = (types & classes[i].addrs) != 0 ? addrs : 0;
		if ((types & classes[i].ports) != 0)
			*len = addrs + PORTS;
	}
}

void
sluice_steer_init(struct sluice_port *port)
{
	pthread_mutex_init(&port->steer.lock, NULL);
	sluice_rules_init(port);
	memcpy(port->shared->rss.key, default_key, sizeof(default_key));
}

void
sluice_steer_fini(struct sluice_port *port)
{
	sluice_rules_fini(port, port->steer.is_used);
	/* A core that stays inside goes on some day. */
	if (!port->steer.is_used)
		rte_free(port->steer.tables);
	pthread_mutex_destroy(&port->steer.lock);
}

static bool
is_rss(const struct sluice_port *port)
{
	return (port->dev->data->dev_conf.rxmode.mq_mode & RTE_ETH_MQ_RX_RSS_FLAG) != 0;
}

static uint64_t
types_asked(const struct sluice_port *port)
{
	return is_rss(port) ? port->dev->data->dev_conf.rx_adv_conf.rss_conf.rss_hf : 0;
}

bool
sluice_steer_spreads(const struct sluice_port *port)
{
	const struct rte_eth_dev_data *data = port->dev->data;

	/* Who sleeps until the device interrupts is not woken by another core. */
	return types_asked(port) != 0 && data->nb_rx_queues > 1 && !port->steer.is_by_device &&
			data->nb_rx_queues <= SLUICE_SPREAD_QUEUES_MAX &&
			port->args.rss != SLUICE_RSS_ARG_OFF && !data->dev_conf.intr_conf.rxq;
}

bool
sluice_steer_is_by_device(const struct sluice_port *port)
{
	return port->steer.is_by_device;
}

bool
sluice_steer_is_hash_by_device(const struct sluice_port *port)
{
	return port->steer.is_hash_by_device;
}

static bool
asks_for_hash(const struct sluice_port *port)
{
	const struct rte_eth_rxmode *mode = &port->dev->data->dev_conf.rxmode;

	return is_rss(port) && (mode->offloads & RTE_ETH_RX_OFFLOAD_RSS_HASH) != 0;
}

bool
sluice_steer_hashes(const struct sluice_port *port)
{
	return sluice_steer_spreads(port) ||
			(asks_for_hash(port) && !port->steer.is_hash_by_device);
}

static int
check_key(const struct sluice_port *port, const uint8_t *key, uint32_t len)
{
	if (key == NULL || len >= SLUICE_RSS_KEY_LEN)
		return 0;
	SLUICE_LOG(ERR, "port %u: an RSS key of %u bytes: at least %u are needed", port->port_id,
			len, SLUICE_RSS_KEY_LEN);
	return -EINVAL;
}

static int
check_types(const struct sluice_port *port, uint64_t types)
{
	if ((types & ~sluice_steer_types()) == 0)
		return 0;
	SLUICE_LOG(ERR, "port %u: RSS types 0x%" PRIx64 ": those of 0x%" PRIx64 " are known",
			port->port_id, types, sluice_steer_types());
	return -EINVAL;
}

/* More queues than the device has can be served by spreading only. */
static int
check_queues(struct sluice_port *port, uint16_t *nb_soft)
{
	uint16_t nb_rx = port->dev->data->nb_rx_queues, nb_pairs = sluice_max_pairs(port);

	*nb_soft = nb_rx > nb_pairs ? nb_rx - nb_pairs : 0;
	if (*nb_soft == 0 || sluice_steer_spreads(port))
		return 0;
	SLUICE_LOG(ERR,
			"port %u: %u receive queues, the %s has %u: more need RSS with hash types, no rss=off "
			"and no Rx interrupts, and at most %u queues; or configure %u",
			port->port_id, nb_rx, port->transport->ops->peer, nb_pairs,
			SLUICE_SPREAD_QUEUES_MAX, nb_pairs);
	return -ENOTSUP;
}

static void
tell(const struct sluice_port *port)
{
	const struct rte_eth_dev_data *data = port->dev->data;

	if (types_asked(port) == 0 || data->nb_rx_queues < 2 || port->steer.is_by_device ||
			sluice_steer_spreads(port))
		return;
	SLUICE_LOG(NOTICE, "port %u: the %s chooses the receive queue, RSS spreads nothing: %s",
			port->port_id, port->transport->ops->peer,
			port->args.rss == SLUICE_RSS_ARG_OFF         ? "rss=off" :
					data->dev_conf.intr_conf.rxq ? "Rx interrupts" :
								       "more than 64 queues");
}

int
sluice_steer_configure(struct sluice_port *port)
{
	const struct rte_eth_rss_conf *conf = &port->dev->data->dev_conf.rx_adv_conf.rss_conf;
	struct sluice_rss_settings *rss = &port->shared->rss;
	const uint8_t *key = is_rss(port) ? conf->rss_key : NULL;
	uint16_t nb_soft, i;
	const bool was_by_device = port->steer.is_by_device;
	const bool was_hash_by_device = port->steer.is_hash_by_device;
	const uint32_t device_types = port->steer.device_types;
	int ret = check_key(port, key, conf->rss_key_len);

	if (ret == 0)
		ret = check_types(port, types_asked(port));
	if (ret == 0) {
		sluice_steer_choose_device(port, types_asked(port), asks_for_hash(port));
		ret = check_queues(port, &nb_soft);
		if (ret == 0)
			ret = sluice_rules_check(port);
	}
	if (ret != 0) {
		port->steer.is_by_device = was_by_device;
		port->steer.is_hash_by_device = was_hash_by_device;
		port->steer.device_types = device_types;
		return ret;
	}
	tell(port);
	pthread_mutex_lock(&port->steer.lock);
	port->nb_soft_rx = nb_soft;
	rss->types = types_asked(port);
	memcpy(rss->key, key != NULL ? key : default_key, sizeof(rss->key));
	for (i = 0; i < SLUICE_RSS_RETA_SIZE; i++)
		rss->reta[i] = i % RTE_MAX(port->dev->data->nb_rx_queues, 1);
	pthread_mutex_unlock(&port->steer.lock);
	return 0;
}

int
sluice_steer_pass(struct sluice_port *port)
{
	const struct rte_eth_dev_data *data = port->dev->data;
	int64_t deadline = sluice_clock_ms() + PASS_MS;
	int ret = 0;
	uint16_t i;

	sluice_queue_fence();
	for (i = 0; i < data->nb_rx_queues && ret == 0; i++)
		if (sluice_rxq_at(port, i) != NULL)
			ret = sluice_rx_stage_pass(sluice_rxq_at(port, i), deadline);
	if (ret != 0)
		SLUICE_LOG(ERR, "port %u: a core stays in a burst of receive queue %u",
				port->port_id, i - 1);
	return ret;
}

const struct sluice_rss_kit *
sluice_steer_kit(const struct sluice_port *port, unsigned int i)
{
	return sluice_rss_kit_at(i, port->args.is_vectorized ? sluice_path_simd_bits() : 0);
}

void
sluice_steer_show(struct sluice_port *port)
{
	const struct rte_eth_dev_data *data = port->dev->data;
	const struct sluice_rss_settings *settings = &port->shared->rss;
	struct sluice_steer *steer = &port->steer;
	struct sluice_rss *rss = &steer->tables[!steer->current];
	uint16_t i;

	steer->current = !steer->current;
	rss->kit = sluice_steer_kit(port, 0);
	set_tuples(rss, settings->types);
	sluice_rss_init(rss, settings->key);
	memcpy(rss->reta, settings->reta, sizeof(rss->reta));
	rss->flows = sluice_rules_show(port, steer->current);
	for (i = 0; i < data->nb_rx_queues; i++)
		if (sluice_rxq_at(port, i) != NULL)
			rte_atomic_store_explicit(&sluice_rxq_at(port, i)->rss, rss,
					rte_memory_order_release);
}

/* Does the device have the settings? */
static bool
is_told(const struct sluice_steer *steer)
{
	return steer->is_by_device || steer->is_hash_by_device;
}

/* With steer->lock: others from now on, at once if the port runs. */
static int
change(struct sluice_port *port, const struct sluice_rss_settings *rss)
{
	struct sluice_steer *steer = &port->steer;
	int ret = steer->is_on ? sluice_steer_pass(port) : 0;

	if (ret == 0 && is_told(steer))
		ret = sluice_steer_change_device(port, rss);
	else if (ret == 0)
		port->shared->rss = *rss;
	if (ret == 0 && steer->is_on)
		sluice_steer_show(port);
	return ret;
}

int
sluice_steer_set_hash(
		struct sluice_port *port, uint64_t types, const uint8_t *key, uint32_t key_len)
{
	struct sluice_steer *steer = &port->steer;
	struct sluice_rss_settings rss;
	int ret = check_types(port, types);

	if (ret == 0)
		ret = check_key(port, key, key_len);
	if (ret != 0)
		return ret;
	pthread_mutex_lock(&steer->lock);
	rss = port->shared->rss;
	rss.types = types;
	if (key != NULL)
		memcpy(rss.key, key, SLUICE_RSS_KEY_LEN);
	if (port->dev->data->dev_started && !steer->is_on && !is_told(steer) && types != 0) {
		SLUICE_LOG(ERR, "port %u: it was started without RSS: stop it to set hash types",
				port->port_id);
		ret = -EBUSY;
	} else {
		ret = change(port, &rss);
	}
	pthread_mutex_unlock(&steer->lock);
	return ret;
}

int
sluice_steer_set_reta(struct sluice_port *port, const uint16_t *reta)
{
	struct sluice_rss_settings rss;
	int ret;

	pthread_mutex_lock(&port->steer.lock);
	rss = port->shared->rss;
	memcpy(rss.reta, reta, sizeof(rss.reta));
	ret = change(port, &rss);
	pthread_mutex_unlock(&port->steer.lock);
	return ret;
}

/* With look_lock: who asks a queue what waits for it looks at the rings. */
static void
set_hand(struct sluice_rxq *rxq, struct sluice_hand *hand)
{
	rte_spinlock_lock(&rxq->q.look_lock);
	rte_atomic_store_explicit(&rxq->hand, hand, rte_memory_order_release);
	rte_spinlock_unlock(&rxq->q.look_lock);
}

/*
 * With steer->lock. What is in the rings was the device's, and the application's never; it is
 * counted with what a device takes along.
 */
static int
end_spread(struct sluice_port *port)
{
	const struct rte_eth_dev_data *data = port->dev->data;
	struct sluice_steer *steer = &port->steer;
	struct sluice_rxq *rxq;
	uint16_t i;
	int ret;

	for (i = 0; i < data->nb_rx_queues; i++)
		if (sluice_rxq_at(port, i) != NULL)
			set_hand(sluice_rxq_at(port, i), NULL);
	ret = sluice_steer_pass(port);
	if (ret != 0)
		return ret;
	for (i = 0; i < data->nb_rx_queues; i++) {
		rxq = sluice_rxq_at(port, i);
		if (rxq == NULL || !rxq->is_spread)
			continue;
		rxq->q.stats.packets = rxq->delivered.packets;
		rxq->q.stats.bytes = rxq->delivered.bytes;
		rxq->is_spread = false;
	}
	port->shared->nb_rx_lost += sluice_spread_drain(steer->spread);
	rte_free(steer->spread);
	steer->spread = NULL;
	return 0;
}

static int
begin_spread(struct sluice_port *port)
{
	const struct rte_eth_dev_data *data = port->dev->data;
	uint16_t nb = data->nb_rx_queues, nb_receiving = nb - port->nb_soft_rx, i;
	size_t len = sluice_spread_size(nb, nb_receiving);
	void *mem = rte_zmalloc_socket("sluice spread", len, RTE_CACHE_LINE_SIZE, port->socket);
	struct sluice_rxq *rxq;

	if (mem == NULL) {
		SLUICE_LOG(ERR,
				"port %u: EAL has no %zu bytes left to spread packets over %u queues: give it "
				"more (-m, --socket-mem), or use fewer queues, or rss=off",
				port->port_id, len, nb);
		return -ENOMEM;
	}
	port->steer.spread = sluice_spread_init(mem, nb, nb_receiving);
	for (i = 0; i < nb; i++) {
		rxq = sluice_rxq_at(port, i);
		if (rxq == NULL)
			continue;
		rxq->delivered.packets = rxq->q.stats.packets;
		rxq->delivered.bytes = rxq->q.stats.bytes;
		rxq->is_spread = true;
		set_hand(rxq, sluice_spread_hand(port->steer.spread, i));
	}
	return 0;
}

static int
begin_hash(struct sluice_port *port)
{
	struct sluice_steer *steer = &port->steer;

	if (steer->tables == NULL)
		steer->tables = rte_zmalloc_socket("sluice rss", 2 * sizeof(*steer->tables),
				RTE_CACHE_LINE_SIZE, port->socket);
	if (steer->tables == NULL) {
		SLUICE_LOG(ERR, "port %u: EAL has no %zu bytes left for RSS", port->port_id,
				2 * sizeof(*steer->tables));
		return -ENOMEM;
	}
	steer->is_on = true;
	sluice_steer_show(port);
	return 0;
}

int
sluice_steer_start(struct sluice_port *port)
{
	struct sluice_steer *steer = &port->steer;
	int ret = 0;

	pthread_mutex_lock(&steer->lock);
	if (steer->spread != NULL && end_spread(port) != 0)
		ret = -EBUSY;
	if (ret == 0 && sluice_steer_spreads(port))
		ret = begin_spread(port);
	if (ret == 0 && sluice_steer_hashes(port))
		ret = begin_hash(port);
	pthread_mutex_unlock(&steer->lock);
	return ret;
}

void
sluice_steer_stop(struct sluice_port *port)
{
	struct sluice_steer *steer = &port->steer;

	pthread_mutex_lock(&steer->lock);
	/* If a core stays inside the rings stay, too, until the next start or the end. */
	if (steer->spread != NULL)
		steer->is_used = end_spread(port) != 0;
	else if (steer->is_on || steer->is_used)
		steer->is_used = sluice_steer_pass(port) != 0;
	steer->is_on = false;
	pthread_mutex_unlock(&steer->lock);
}
