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

static bool
is_told(const struct sluice_net_config_who *who, const char *what, int value)
{
	return who->told != NULL && sluice_vhost_is_told(who->t, who->told, what, value);
}

int
sluice_net_config_check(const struct sluice_net_config_who *who,
		const struct sluice_net_config *config, struct sluice_device_info *info)
{
	if (info->features & SLUICE_BIT(SLUICE_NET_F_MAC)) {
		if (!is_usable_mac(config->mac)) {
			if (!is_told(who, "MAC", 0))
				SLUICE_LOG(ERR, "%s: the %s's MAC address is no unicast address",
						who->name, who->peer);
			return -EPROTO;
		}
		memcpy(info->mac, config->mac, sizeof(info->mac));
		info->has_mac = true;
	}
	if (info->features & SLUICE_BIT(SLUICE_NET_F_MTU)) {
		if (config->mtu < MTU_MIN) {
			if (!is_told(who, "MTU", config->mtu))
				SLUICE_LOG(ERR, "%s: the %s's MTU of %u is below %u", who->name,
						who->peer, config->mtu, MTU_MIN);
			return -EPROTO;
		}
		info->mtu = config->mtu;
	}
	return 0;
}

int
sluice_net_config_check_pairs(const struct sluice_net_config_who *who, uint32_t nb_vqs,
		const struct sluice_net_config *config, struct sluice_device_info *info)
{
	uint32_t pairs = 1, needed;

	if (info->features & SLUICE_BIT(SLUICE_NET_F_MQ))
		pairs = config->max_virtqueue_pairs;
	needed = 2 * pairs + ((info->features & SLUICE_BIT(SLUICE_NET_F_CTRL_VQ)) != 0);
	if (pairs == 0 || pairs > SLUICE_NET_PAIRS_MAX || needed > nb_vqs) {
		if (!is_told(who, "pairs", pairs))
			SLUICE_LOG(ERR,
					"%s: the device has %u virtqueues, which do not make %u queue "
					"pairs",
					who->name, nb_vqs, pairs);
		return -EPROTO;
	}
	info->nb_pairs_max = pairs;
	return 0;
}

void
sluice_net_config_check_rss(const char *who, uint8_t key, uint16_t table, uint32_t types,
		struct sluice_device_info *info)
{
	const sluice_features rss = SLUICE_BIT(SLUICE_NET_F_RSS);
	bool is_short = key < SLUICE_NET_RSS_KEY_MIN;

	info->rss_types = types;
	/* Hashes alone have no table. */
	if (!is_short && ((info->features & rss) == 0 || table >= SLUICE_NET_RSS_TABLE_MIN))
		return;
	SLUICE_LOG(NOTICE,
			"%s: the device's RSS has keys of %u bytes and tables of %u entries, where at "
			"least %u and %u must be: it is not used",
			who, key, table, SLUICE_NET_RSS_KEY_MIN, SLUICE_NET_RSS_TABLE_MIN);
	info->features &= ~rss;
	if (is_short)
		info->features &= ~SLUICE_BIT(SLUICE_NET_F_HASH_REPORT);
	if ((info->features & SLUICE_BIT(SLUICE_NET_F_HASH_REPORT)) == 0)
		info->rss_types = 0;
}
