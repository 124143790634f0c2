/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * ethdev's RSS operations on the port's settings (sluice_steer.h), and the way to those of flow
 * rules.
 */

#include <errno.h>
#include <string.h>

#include "sluice_ethdev.h"
#include "sluice_log.h"
#include "sluice_spread.h"

void
sluice_rss_info(const struct sluice_port *port, uint16_t nb_pairs, struct rte_eth_dev_info *info)
{
	info->flow_type_rss_offloads = sluice_steer_types();
	info->hash_key_size = SLUICE_RSS_KEY_LEN;
	info->reta_size = SLUICE_RSS_RETA_SIZE;
	SLUICE_COMPAT_ADD_TOEPLITZ(info);
	/* Queues without one of the device have what software gives them. */
	if (port->args.rss != SLUICE_RSS_ARG_OFF)
		info->max_rx_queues = RTE_MAX(nb_pairs, SLUICE_SPREAD_QUEUES_MAX);
}

const struct sluice_rss_kit *
sluice_rss_kit(const struct sluice_port *port)
{
	const struct sluice_steer *steer = &port->steer;

	return steer->is_on ? steer->tables[steer->current].kit : NULL;
}

int
sluice_flow_ops_get(struct rte_eth_dev *dev, const struct rte_flow_ops **ops)
{
	/* Without operations ethdev says -ENOSYS. */
	*ops = sluice_check_process(sluice_port_of(dev)) == 0 ? &sluice_flow_ops : NULL;
	return 0;
}

int
sluice_rss_hash_update(struct rte_eth_dev *dev, struct rte_eth_rss_conf *conf)
{
	return sluice_steer_set_hash(
			sluice_port_of(dev), conf->rss_hf, conf->rss_key, conf->rss_key_len);
}

int
sluice_rss_hash_conf_get(struct rte_eth_dev *dev, struct rte_eth_rss_conf *conf)
{
	const struct sluice_rss_settings *rss = &sluice_shared_of(dev)->rss;

	conf->rss_hf = rss->types;
	/* Not into a place that is too short for it. */
	if (conf->rss_key != NULL && conf->rss_key_len >= SLUICE_RSS_KEY_LEN)
		memcpy(conf->rss_key, rss->key, SLUICE_RSS_KEY_LEN);
	conf->rss_key_len = SLUICE_RSS_KEY_LEN;
	return 0;
}

static int
check_size(const struct rte_eth_dev *dev, uint16_t size)
{
	if (size == SLUICE_RSS_RETA_SIZE)
		return 0;
	SLUICE_LOG(ERR, "port %u: a redirection table of %u entries: it has %u", dev->data->port_id,
			size, SLUICE_RSS_RETA_SIZE);
	return -EINVAL;
}

static bool
is_in(const struct rte_eth_rss_reta_entry64 *reta, uint16_t i)
{
	return (reta[i / RTE_ETH_RETA_GROUP_SIZE].mask & RTE_BIT64(i % RTE_ETH_RETA_GROUP_SIZE)) !=
			0;
}

int
sluice_reta_update(struct rte_eth_dev *dev, struct rte_eth_rss_reta_entry64 *reta, uint16_t size)
{
	uint16_t table[SLUICE_RSS_RETA_SIZE], i;
	int ret = check_size(dev, size);

	if (ret != 0)
		return ret;
	memcpy(table, sluice_shared_of(dev)->rss.reta, sizeof(table));
	for (i = 0; i < size; i++) {
		if (!is_in(reta, i))
			continue;
		table[i] = reta[i / RTE_ETH_RETA_GROUP_SIZE].reta[i % RTE_ETH_RETA_GROUP_SIZE];
		if (table[i] >= dev->data->nb_rx_queues) {
			SLUICE_LOG(ERR, "port %u: entry %u is queue %u: there are %u",
					dev->data->port_id, i, table[i], dev->data->nb_rx_queues);
			return -EINVAL;
		}
	}
	return sluice_steer_set_reta(sluice_port_of(dev), table);
}

int
sluice_reta_query(struct rte_eth_dev *dev, struct rte_eth_rss_reta_entry64 *reta, uint16_t size)
{
	const struct sluice_rss_settings *rss = &sluice_shared_of(dev)->rss;
	int ret = check_size(dev, size);
	uint16_t i;

	for (i = 0; ret == 0 && i < size; i++)
		if (is_in(reta, i))
			reta[i / RTE_ETH_RETA_GROUP_SIZE].reta[i % RTE_ETH_RETA_GROUP_SIZE] =
					rss->reta[i];
	return ret;
}
