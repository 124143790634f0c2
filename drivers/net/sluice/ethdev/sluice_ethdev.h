/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * The parts of the ethdev face that live in files of their own.
 */

#ifndef SLUICE_ETHDEV_H
#define SLUICE_ETHDEV_H

#include <stdio.h>

#include <ethdev_driver.h>

#include "sluice_port.h"

extern const struct eth_dev_ops sluice_eth_dev_ops;
/* Passes on what the port says: to ethdev, and to the application. */
extern const struct sluice_port_events sluice_ethdev_events;

/* In the primary process. */
static inline struct sluice_port *
sluice_port_of(const struct rte_eth_dev *dev)
{
	return dev->process_private;
}

/* In any process. */
static inline struct sluice_shared *
sluice_shared_of(const struct rte_eth_dev *dev)
{
	return dev->data->dev_private;
}

/*
 * A child of fork() has the port in memory that it shares with its parent, but neither the control
 * thread nor the rings. What it did to the port it would do to that of its parent: -EPERM, and a
 * line that says so. For what starts or stops something.
 */
int sluice_check_process(const struct sluice_port *port);

/* ethdev's copy of the link is what the device says now. Any thread. */
int sluice_link_update(struct rte_eth_dev *dev, int wait_to_complete);

/* The device behind the port (sluice_ethdev_device.c). */
int sluice_set_link_up(struct rte_eth_dev *dev);
int sluice_set_link_down(struct rte_eth_dev *dev);
int sluice_mtu_set(struct rte_eth_dev *dev, uint16_t mtu);
int sluice_is_removed(struct rte_eth_dev *dev);
int sluice_fw_version_get(struct rte_eth_dev *dev, char *text, size_t len);
int sluice_get_reg(struct rte_eth_dev *dev, struct rte_dev_reg_info *regs);

/* What the port receives (sluice_ethdev_filter.c). */
int sluice_promiscuous_enable(struct rte_eth_dev *dev);
int sluice_promiscuous_disable(struct rte_eth_dev *dev);
int sluice_allmulticast_enable(struct rte_eth_dev *dev);
int sluice_allmulticast_disable(struct rte_eth_dev *dev);
int sluice_mac_addr_set(struct rte_eth_dev *dev, struct rte_ether_addr *addr);
int sluice_mac_addr_add(struct rte_eth_dev *dev, struct rte_ether_addr *addr, uint32_t index,
		uint32_t pool);
void sluice_mac_addr_remove(struct rte_eth_dev *dev, uint32_t index);
int sluice_set_mc_addr_list(struct rte_eth_dev *dev, struct rte_ether_addr *addrs, uint32_t nb);
int sluice_vlan_filter_set(struct rte_eth_dev *dev, uint16_t id, int is_on);
int sluice_vlan_offload_set(struct rte_eth_dev *dev, int mask);
/* rte_pmd_sluice_lro_set() of a port of this process. */
int sluice_lro_set(struct rte_eth_dev *dev, bool is_on);

/* Have what dev_infos_get answers where secondary processes find it. */
void sluice_ethdev_share_info(struct sluice_port *port);

/* -EINVAL: nothing was chosen yet. */
int sluice_describe_rx(const struct rte_eth_dev *dev, const struct sluice_rx_own *own, uint16_t id,
		struct rte_eth_burst_mode *mode);
int sluice_describe_tx(const struct sluice_tx_path *path, struct rte_eth_burst_mode *mode);

/* Queues (sluice_ethdev_queue.c). */
int sluice_rx_queue_setup(struct rte_eth_dev *dev, uint16_t id, uint16_t nb_desc,
		unsigned int socket, const struct rte_eth_rxconf *conf, struct rte_mempool *mp);
int sluice_tx_queue_setup(struct rte_eth_dev *dev, uint16_t id, uint16_t nb_desc,
		unsigned int socket, const struct rte_eth_txconf *conf);
int sluice_rx_queue_start(struct rte_eth_dev *dev, uint16_t id);
int sluice_rx_queue_stop(struct rte_eth_dev *dev, uint16_t id);
int sluice_tx_queue_start(struct rte_eth_dev *dev, uint16_t id);
int sluice_tx_queue_stop(struct rte_eth_dev *dev, uint16_t id);
void sluice_rx_queue_release(struct rte_eth_dev *dev, uint16_t id);
void sluice_tx_queue_release(struct rte_eth_dev *dev, uint16_t id);
/* While the port is started: the queue that was released last is set up anew. */
int sluice_rx_queue_renew(struct rte_eth_dev *dev, uint16_t id, uint16_t nb_desc,
		const struct rte_eth_rxconf *conf, struct rte_mempool *mp);
int sluice_tx_queue_renew(struct rte_eth_dev *dev, uint16_t id, uint16_t nb_desc,
		const struct rte_eth_txconf *conf);
/* In the tables of the port and of ethdev. */
void sluice_queue_publish(struct rte_eth_dev *dev, struct sluice_queue *q);
/* Of a port that is stopped: queues that were released, and not set up anew. */
void sluice_queues_free_left(struct sluice_port *port);
/* The memory of a queue that no table has any more, unless a core is still inside. */
void sluice_queue_free(struct sluice_queue *q);
/*
 * What set-up makes of its arguments. show: the device reaches the pool's buffers, unless packets
 * are copied; *is_foreign: they have to be, as a sealed port does not show the pool (bounce=1).
 * They log what went wrong.
 */
void sluice_rxq_init_conf(struct sluice_rxq *rxq, const struct rte_eth_rxconf *conf);
void sluice_txq_init_conf(
		struct sluice_txq *txq, const struct rte_eth_txconf *conf, uint16_t nb_desc);
int sluice_rxq_init_pool(struct sluice_port *port, struct sluice_rxq *rxq, struct rte_mempool *mp);
int sluice_show_rx_pool(
		struct sluice_port *port, uint16_t id, struct rte_mempool *mp, bool *is_foreign);
void sluice_rxq_info_get(struct rte_eth_dev *dev, uint16_t id, struct rte_eth_rxq_info *info);
void sluice_txq_info_get(struct rte_eth_dev *dev, uint16_t id, struct rte_eth_txq_info *info);

/* What is in the rings (sluice_ethdev_look.c). */
sluice_compat_count sluice_rx_queue_count(void *rxq);
int sluice_rx_descriptor_status(void *rxq, uint16_t offset);
/* Of a queue of which nb_used entries wait to be taken. */
int sluice_rx_status_of(const struct sluice_queue *q, uint16_t offset, uint32_t nb_used);
int sluice_tx_status_of(const struct sluice_queue *q, uint16_t offset, uint32_t nb_used);
int sluice_tx_count_of(const struct sluice_queue *q, uint32_t nb_used);
/* Those, for who is inside of the queue or keeps its ring where it is; 0 if it does not run. */
uint16_t sluice_queue_nb_used(const struct sluice_queue *q);
int sluice_tx_descriptor_status(void *txq, uint16_t offset);
/* Descriptors that are not free, but for those that the device says it is done with. */
int sluice_tx_queue_count(void *txq);
/*
 * Where the device writes with the next packet. -ENOTSUP: that memory may go away under who watches
 * it; -EAGAIN: the queue does not run, or has something to take already. The polling core.
 */
int sluice_get_monitor_addr(void *rxq, struct rte_power_monitor_cond *pmc);

int sluice_tx_done_cleanup(void *txq, uint32_t nb_max);

/*
 * Receive interrupts (sluice_intr.c), as dev_conf.intr_conf.rxq asks for. configure is for a port
 * that does not run; on error there are none. enable and disable are for the thread that polls the
 * queue.
 */
int sluice_intr_configure(struct rte_eth_dev *dev);
void sluice_intr_close(struct rte_eth_dev *dev);
int sluice_rx_queue_intr_enable(struct rte_eth_dev *dev, uint16_t id);
int sluice_rx_queue_intr_disable(struct rte_eth_dev *dev, uint16_t id);

/* RSS (sluice_ethdev_rss.c): the operations, what dev_infos_get says of it, and what hashes. */
int sluice_rss_hash_update(struct rte_eth_dev *dev, struct rte_eth_rss_conf *conf);
int sluice_rss_hash_conf_get(struct rte_eth_dev *dev, struct rte_eth_rss_conf *conf);
int sluice_reta_update(
		struct rte_eth_dev *dev, struct rte_eth_rss_reta_entry64 *reta, uint16_t size);
int sluice_reta_query(
		struct rte_eth_dev *dev, struct rte_eth_rss_reta_entry64 *reta, uint16_t size);
/* nb_pairs: of the port, for now. */
void sluice_rss_info(
		const struct sluice_port *port, uint16_t nb_pairs, struct rte_eth_dev_info *info);
/* That hashes; NULL: nothing does now. */
const struct sluice_rss_kit *sluice_rss_kit(const struct sluice_port *port);

/* Flow rules (sluice_ethdev_flow.c), for control calls of the primary process. */
extern const struct rte_flow_ops sluice_flow_ops;
int sluice_flow_ops_get(struct rte_eth_dev *dev, const struct rte_flow_ops **ops);

/* Packet types (sluice_ethdev_ptype.c). */
const uint32_t *sluice_supported_ptypes_get(struct rte_eth_dev *dev, size_t *nb);
int sluice_ptypes_set(struct rte_eth_dev *dev, uint32_t families);

/* Statistics (sluice_stats.c). */
/* queues: NULL, or where the counters of queues go. */
int sluice_stats_get(struct rte_eth_dev *dev, struct rte_eth_stats *stats,
		struct eth_queue_stats *queues);
int sluice_stats_reset(struct rte_eth_dev *dev);
int sluice_xstats_get(struct rte_eth_dev *dev, struct rte_eth_xstat *xstats, unsigned int n);
int sluice_xstats_get_names(
		struct rte_eth_dev *dev, struct rte_eth_xstat_name *names, unsigned int n);
int sluice_priv_dump(struct rte_eth_dev *dev, FILE *f);

#endif /* SLUICE_ETHDEV_H */
