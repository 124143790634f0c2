/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * What a back end and the front end learn of each other, from the first message to the
 * configuration of the device. Sections in brackets are those of QEMU docs/interop/vhost-user.rst.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "net_config.h"
#include "sluice_log.h"
#include "vhost_user.h"

#define VU_PROTOCOL_FEATURES \
	(SLUICE_BIT(SLUICE_VU_PROTOCOL_F_MQ) | SLUICE_BIT(SLUICE_VU_PROTOCOL_F_REPLY_ACK) | \
			SLUICE_BIT(SLUICE_VU_PROTOCOL_F_NET_MTU) | \
			SLUICE_BIT(SLUICE_VU_PROTOCOL_F_CONFIG) | \
			SLUICE_BIT(SLUICE_VU_PROTOCOL_F_BACKEND_REQ) | \
			SLUICE_BIT(SLUICE_VU_PROTOCOL_F_CONFIGURE_MEM_SLOTS) | \
			SLUICE_BIT(SLUICE_VU_PROTOCOL_F_STATUS) | \
			SLUICE_BIT(SLUICE_VU_PROTOCOL_F_GPA_ADDRESSES))

/* Of GET_CONFIG and its answer. */
#define CONFIG_PAYLOAD_LEN \
	(offsetof(struct sluice_vu_msg, config.data) - SLUICE_VU_HEADER_LEN + \
			sizeof(struct sluice_net_config))

/* Protocol features, and the limits that hang on them. */
static int
negotiate_protocol(struct vhost_user *vu, struct sluice_device_info *info)
{
	uint64_t offered, value;
	int ret;

	ret = sluice_vu_get_u64(vu, SLUICE_VU_GET_PROTOCOL_FEATURES, &offered);
	if (ret == 0)
		ret = sluice_vu_set_u64(vu, SLUICE_VU_SET_PROTOCOL_FEATURES,
				offered & VU_PROTOCOL_FEATURES);
	if (ret != 0)
		return ret;
	vu->protocol = offered & VU_PROTOCOL_FEATURES;
	if (sluice_vu_has(vu, SLUICE_VU_PROTOCOL_F_MQ)) {
		ret = sluice_vu_get_u64(vu, SLUICE_VU_GET_QUEUE_NUM, &value);
		if (ret != 0)
			return ret;
		if (value == 0)
			return sluice_vu_fail(vu, "GET_QUEUE_NUM", -EPROTO);
		/* For a network device these are pairs [Multiple queue support]. */
		info->nb_pairs_max = RTE_MIN(value, (uint64_t)UINT8_MAX / 2);
	}
	if (sluice_vu_has(vu, SLUICE_VU_PROTOCOL_F_CONFIGURE_MEM_SLOTS)) {
		ret = sluice_vu_get_u64(vu, SLUICE_VU_GET_MAX_MEM_SLOTS, &value);
		if (ret != 0)
			return ret;
		if (value == 0)
			return sluice_vu_fail(vu, "GET_MAX_MEM_SLOTS", -EPROTO);
		vu->regions_max = RTE_MIN(value, (uint64_t)VU_SLOTS_MAX);
	}
	return 0;
}

/* The device's configuration space (5.1.4). A back end may have none. */
int
sluice_vu_read_config(struct vhost_user *vu, struct sluice_device_info *info)
{
	struct sluice_vu_msg msg = { .request = SLUICE_VU_GET_CONFIG };
	const uint32_t len = sizeof(struct sluice_net_config);
	struct sluice_net_config config;
	char who[128];
	int ret;

	msg.config.size = len;
	msg.size = CONFIG_PAYLOAD_LEN;
	ret = sluice_vu_query(vu, &msg, 0, CONFIG_PAYLOAD_LEN);
	/* An empty answer is that of a back end that has none. */
	if (ret != 0 || msg.size == 0)
		return ret;
	if (msg.size != CONFIG_PAYLOAD_LEN)
		return sluice_vu_fail(vu, "GET_CONFIG", -EPROTO);
	memcpy(&config, msg.config.data, sizeof(config));
	/*
	 * Only of one that tells when it changes: otherwise a link that is down would stay so for
	 * ever.
	 */
	if (vu->backend.sock >= 0 && (info->features & SLUICE_BIT(SLUICE_NET_F_STATUS)))
		rte_atomic_store_explicit(&vu->is_link_down,
				!(config.status & SLUICE_NET_S_LINK_UP), rte_memory_order_relaxed);
	snprintf(who, sizeof(who), "path=%s", vu->path);
	return sluice_net_config_check(
			&(struct sluice_net_config_who){ who, "back end", &vu->base, &vu->told },
			&config, info);
}

/* The channel on which the back end tells of changes. */
static int
offer_backend_channel(struct vhost_user *vu)
{
	struct sluice_vu_msg msg = { .request = SLUICE_VU_SET_BACKEND_REQ_FD };
	int peer, ret;

	if (!sluice_vu_has(vu, SLUICE_VU_PROTOCOL_F_BACKEND_REQ) ||
			!sluice_vu_has(vu, SLUICE_VU_PROTOCOL_F_CONFIG))
		return 0;
	ret = sluice_vu_backend_open(
			&vu->backend, sluice_vu_has(vu, SLUICE_VU_PROTOCOL_F_REPLY_ACK), &peer);
	if (ret != 0)
		return sluice_vu_fail(vu, "socketpair", ret);
	ret = sluice_vu_request(vu, &msg, &peer, 1);
	close(peer);
	return ret;
}

int
sluice_vu_handshake(struct vhost_user *vu, struct sluice_device_info *info)
{
	struct sluice_vu_msg owner = { .request = SLUICE_VU_SET_OWNER };
	uint64_t offered;
	int ret;

	memset(info, 0, sizeof(*info));
	info->nb_pairs_max = 1;
	ret = sluice_vu_get_u64(vu, SLUICE_VU_GET_FEATURES, &offered);
	if (ret != 0)
		return ret;
	info->features = offered;
	if (!(info->features & SLUICE_BIT(SLUICE_F_VERSION_1))) {
		if (!sluice_vu_is_told(vu, "VERSION_1", -ENOTSUP))
			SLUICE_LOG(ERR,
					"path=%s: the back end does not offer VIRTIO_F_VERSION_1 "
					"(features 0x%" PRIx64
					"): legacy devices are not supported",
					vu->path, offered);
		return -ENOTSUP;
	}
	if (info->features & SLUICE_BIT(SLUICE_VU_F_PROTOCOL_FEATURES)) {
		ret = negotiate_protocol(vu, info);
		if (ret != 0)
			return ret;
	}
	info->features &= ~SLUICE_BIT(SLUICE_VU_F_PROTOCOL_FEATURES);
	ret = sluice_vu_request(vu, &owner, NULL, 0);
	if (ret == 0)
		ret = offer_backend_channel(vu);
	if (ret == 0 && sluice_vu_has(vu, SLUICE_VU_PROTOCOL_F_CONFIG))
		ret = sluice_vu_read_config(vu, info);
	vu->info = *info;
	return ret;
}
