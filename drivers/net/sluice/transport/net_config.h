/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * What a device's configuration space says (5.1.4), looked at before it is believed; the same for
 * every transport.
 */

#ifndef NET_CONFIG_H
#define NET_CONFIG_H

#include "vhost_ring.h"

/* Of what a message is. With told, what is wrong is said once while the port tries again. */
struct sluice_net_config_who {
	const char *name, *peer;
	const struct sluice_transport *t;
	struct vhost_told *told;
};

/*
 * MAC address and MTU, as far as the features say that they are there. -EPROTO: the device says
 * what cannot be.
 */
int sluice_net_config_check(const struct sluice_net_config_who *who,
		const struct sluice_net_config *config, struct sluice_device_info *info);

/* Pairs that the device's nb_vqs virtqueues suffice for. -EPROTO: it says that there are more. */
int sluice_net_config_check_pairs(const struct sluice_net_config_who *who, uint32_t nb_vqs,
		const struct sluice_net_config *config, struct sluice_device_info *info);

/*
 * What never changes of the device's RSS: length of its longest key, of its table, what it can
 * hash. A device that has less than it must is one without.
 */
void sluice_net_config_check_rss(const char *who, uint8_t key, uint16_t table, uint32_t types,
		struct sluice_device_info *info);

#endif /* NET_CONFIG_H */
