/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

#include <errno.h>
#include <string.h>

#include "net_config.h"
#include "sluice_log.h"

#define MTU_MIN 68 /* 5.1.4.1 */

static bool
is_usable_mac(const uint8_t *mac)
{
	static const uint8_t zero[6];

	return !(mac[0] & 1) && memcmp(mac, zero, sizeof(zero)) != 0;
}

int
sluice_net_config_check(const char *who, const char *peer, const struct sluice_net_config *config,
		struct sluice_device_info *info)
{
	if (info->features & SLUICE_BIT(SLUICE_NET_F_MAC)) {
		if (!is_usable_mac(config->mac)) {
			SLUICE_LOG(ERR, "%s: the %s's MAC address is no unicast address", who,
					peer);
			return -EPROTO;
		}
		memcpy(info->mac, config->mac, sizeof(info->mac));
		info->has_mac = true;
	}
	if (info->features & SLUICE_BIT(SLUICE_NET_F_MTU)) {
		if (config->mtu < MTU_MIN) {
			SLUICE_LOG(ERR, "%s: the %s's MTU of %u is below %u", who, peer,
					config->mtu, MTU_MIN);
			return -EPROTO;
		}
		info->mtu = config->mtu;
	}
	return 0;
}
