/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * The vhost-user front end: transport of the vdev net_sluice. Client and server mode.
 * Sections in brackets are those of QEMU docs/interop/vhost-user.rst.
 */

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rte_common.h>

#include "sluice_log.h"
#include "vhost_user.h"

#define VU_PROTOCOL_FEATURES \
	(SLUICE_BIT(SLUICE_VU_PROTOCOL_F_MQ) | SLUICE_BIT(SLUICE_VU_PROTOCOL_F_REPLY_ACK) | \
			SLUICE_BIT(SLUICE_VU_PROTOCOL_F_NET_MTU) | \
			SLUICE_BIT(SLUICE_VU_PROTOCOL_F_CONFIG) | \
			SLUICE_BIT(SLUICE_VU_PROTOCOL_F_CONFIGURE_MEM_SLOTS) | \
			SLUICE_BIT(SLUICE_VU_PROTOCOL_F_STATUS))

static int
set_vring(struct vhost_user *vu, enum sluice_vu_request what, uint32_t index, uint32_t num)
{
	struct sluice_vu_msg msg = { .request = what, .size = sizeof(msg.vring) };

	msg.vring.index = index;
	msg.vring.num = num;
	return sluice_vu_request(vu, &msg, NULL, 0);
}

static void
vhost_user_disconnect(struct sluice_transport *t)
{
	struct vhost_user *vu = sluice_vu_of(t);

	pthread_mutex_lock(&vu->io_lock);
	if (vu->sock >= 0)
		close(vu->sock);
	vu->sock = -1;
	vu->protocol = 0;
	vu->regions_max = SLUICE_VU_TABLE_MAX;
	free(vu->shown);
	vu->shown = NULL;
	vu->nb_shown = 0;
	pthread_mutex_unlock(&vu->io_lock);
}

static bool
vhost_user_is_connected(const struct sluice_transport *t)
{
	return sluice_vu_of(t)->sock >= 0;
}

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
	pthread_mutex_lock(&vu->io_lock);
	vu->protocol = offered & VU_PROTOCOL_FEATURES;
	pthread_mutex_unlock(&vu->io_lock);
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
		pthread_mutex_lock(&vu->io_lock);
		vu->regions_max = RTE_MIN(value, (uint64_t)VU_SLOTS_MAX);
		pthread_mutex_unlock(&vu->io_lock);
	}
	return 0;
}

/* MAC address and MTU from the device's configuration space (5.1.4). */
static int
read_config(struct vhost_user *vu, struct sluice_device_info *info)
{
	struct sluice_vu_msg msg = { .request = SLUICE_VU_GET_CONFIG };
	const uint32_t len = sizeof(struct sluice_net_config);
	struct sluice_net_config config;
	int ret;

	msg.config.size = len;
	msg.size = offsetof(struct sluice_vu_msg, config.data) - SLUICE_VU_HEADER_LEN + len;
	ret = sluice_vu_query(vu, &msg, msg.size);
	if (ret != 0)
		return ret;
	memcpy(&config, msg.config.data, sizeof(config));
	if (info->features & SLUICE_BIT(SLUICE_NET_F_MAC)) {
		memcpy(info->mac, config.mac, sizeof(info->mac));
		info->has_mac = true;
	}
	if (info->features & SLUICE_BIT(SLUICE_NET_F_MTU))
		info->mtu = config.mtu;
	return 0;
}

static int
handshake(struct vhost_user *vu, struct sluice_device_info *info)
{
	struct sluice_vu_msg owner = { .request = SLUICE_VU_SET_OWNER };
	int ret;

	memset(info, 0, sizeof(*info));
	info->nb_pairs_max = 1;
	ret = sluice_vu_get_u64(vu, SLUICE_VU_GET_FEATURES, &info->features);
	if (ret != 0)
		return ret;
	if (!(info->features & SLUICE_BIT(SLUICE_F_VERSION_1))) {
		SLUICE_LOG(ERR,
				"path=%s: the back end does not offer VIRTIO_F_VERSION_1 (features 0x%" PRIx64
				"): legacy devices are not supported",
				vu->path, info->features);
		return -ENOTSUP;
	}
	if (info->features & SLUICE_BIT(SLUICE_VU_F_PROTOCOL_FEATURES)) {
		ret = negotiate_protocol(vu, info);
		if (ret != 0)
			return ret;
	}
	info->features &= ~SLUICE_BIT(SLUICE_VU_F_PROTOCOL_FEATURES);
	ret = sluice_vu_request(vu, &owner, NULL, 0);
	if (ret == 0 && sluice_vu_has(vu, SLUICE_VU_PROTOCOL_F_CONFIG))
		ret = read_config(vu, info);
	return ret;
}

static int
vhost_user_connect(struct sluice_transport *t, struct sluice_device_info *info, bool is_retry)
{
	struct vhost_user *vu = sluice_vu_of(t);
	int sock, ret;

	sock = vu->is_server ? sluice_vu_accept(vu->listen_fd) : sluice_vu_connect(vu->path);
	if (sock < 0) {
		if (is_retry || (vu->is_server && sock == -EAGAIN))
			return sock;
		return sluice_vu_fail(vu, vu->is_server ? "accept" : "connect", sock);
	}
	pthread_mutex_lock(&vu->io_lock);
	vu->sock = sock;
	pthread_mutex_unlock(&vu->io_lock);
	ret = handshake(vu, info);
	if (ret != 0)
		vhost_user_disconnect(t);
	return ret;
}

static int
set_status(struct vhost_user *vu, uint8_t status)
{
	if (!sluice_vu_has(vu, SLUICE_VU_PROTOCOL_F_STATUS))
		return 0;
	return sluice_vu_set_u64(vu, SLUICE_VU_SET_STATUS, status);
}

static int
vhost_user_begin(struct sluice_transport *t, uint64_t features, uint16_t mtu)
{
	struct vhost_user *vu = sluice_vu_of(t);
	uint64_t protocol_bit = vu->protocol != 0 ? SLUICE_BIT(SLUICE_VU_F_PROTOCOL_FEATURES) : 0;
	int ret;

	ret = set_status(vu, SLUICE_STATUS_ACKNOWLEDGE);
	if (ret == 0)
		ret = set_status(vu, SLUICE_STATUS_ACKNOWLEDGE | SLUICE_STATUS_DRIVER);
	if (ret == 0)
		ret = sluice_vu_set_u64(vu, SLUICE_VU_SET_FEATURES, features | protocol_bit);
	if (ret == 0)
		ret = set_status(vu,
				SLUICE_STATUS_ACKNOWLEDGE | SLUICE_STATUS_DRIVER |
						SLUICE_STATUS_FEATURES_OK);
	if (ret == 0 && mtu != 0 && sluice_vu_has(vu, SLUICE_VU_PROTOCOL_F_NET_MTU))
		ret = sluice_vu_set_u64(vu, SLUICE_VU_NET_SET_MTU, mtu);
	return ret;
}

static int
set_vring_addr(struct vhost_user *vu, const struct sluice_vq_setup *vq)
{
	struct sluice_vu_msg msg = { .request = SLUICE_VU_SET_VRING_ADDR,
		.size = sizeof(msg.addr) };

	msg.addr.index = vq->vq;
	msg.addr.desc = (uintptr_t)vq->dv_desc;
	msg.addr.avail = (uintptr_t)vq->dv_driver;
	msg.addr.used = (uintptr_t)vq->dv_device;
	return sluice_vu_request(vu, &msg, NULL, 0);
}

/* A ring that is only polled has no descriptor to call us. */
static int
set_call(struct vhost_user *vu, const struct sluice_vq_setup *vq)
{
	struct sluice_vu_msg msg = { .request = SLUICE_VU_SET_VRING_CALL, .size = sizeof(msg.u64) };
	bool has_fd = vq->call_fd >= 0;

	msg.u64 = has_fd ? vq->vq : vq->vq | SLUICE_VU_NO_FD;
	return sluice_vu_request(vu, &msg, &vq->call_fd, has_fd);
}

static int
vhost_user_vq_start(struct sluice_transport *t, const struct sluice_vq_setup *vq)
{
	struct vhost_user *vu = sluice_vu_of(t);
	struct sluice_vu_msg kick = {
		.request = SLUICE_VU_SET_VRING_KICK, .size = sizeof(kick.u64), .u64 = vq->vq
	};
	/* A fresh packed ring: both positions 0, both wrap counters 1 [Vring descriptor indices]. */
	uint32_t base = vq->is_packed ? 0x80008000 : 0;
	int ret;

	ret = set_vring(vu, SLUICE_VU_SET_VRING_NUM, vq->vq, vq->size);
	if (ret == 0)
		ret = set_vring(vu, SLUICE_VU_SET_VRING_BASE, vq->vq, base);
	if (ret == 0)
		ret = set_vring_addr(vu, vq);
	if (ret == 0)
		ret = set_call(vu, vq);
	if (ret != 0)
		return ret;
	return sluice_vu_request(vu, &kick, &vq->kick_fd, 1);
}

static int
vhost_user_commit(struct sluice_transport *t, uint16_t nb_vqs)
{
	struct vhost_user *vu = sluice_vu_of(t);
	uint16_t vq;
	int ret = 0;

	/* Without the protocol bit SET_FEATURES has enabled the rings, and the message is not legal. */
	for (vq = 0; vq < nb_vqs && ret == 0 && vu->protocol != 0; vq++)
		ret = set_vring(vu, SLUICE_VU_SET_VRING_ENABLE, vq, 1);
	if (ret == 0)
		ret = set_status(vu,
				SLUICE_STATUS_ACKNOWLEDGE | SLUICE_STATUS_DRIVER |
						SLUICE_STATUS_FEATURES_OK |
						SLUICE_STATUS_DRIVER_OK);
	return ret;
}

static int
vhost_user_vq_stop(struct sluice_transport *t, uint16_t vq)
{
	struct vhost_user *vu = sluice_vu_of(t);
	struct sluice_vu_msg msg = { .request = SLUICE_VU_GET_VRING_BASE,
		.size = sizeof(msg.vring) };
	int ret = 0;

	if (vu->protocol != 0)
		ret = set_vring(vu, SLUICE_VU_SET_VRING_ENABLE, vq, 0);
	if (ret != 0)
		return ret;
	/* The reply says that the ring is stopped; the index in it is of no use to us [Ring states]. */
	msg.vring.index = vq;
	return sluice_vu_query(vu, &msg, sizeof(msg.vring));
}

static int
vhost_user_reset(struct sluice_transport *t)
{
	return set_status(sluice_vu_of(t), 0);
}

static enum sluice_wait
vhost_user_wait(struct sluice_transport *t, int wake_fd, int timeout_ms)
{
	struct vhost_user *vu = sluice_vu_of(t);
	/*
	 * Only the end of a connection is of interest: what can be read is the reply to somebody's request.
	 * The caller is the thread that connects and disconnects, so sock does not change here.
	 */
	struct pollfd pfds[2] = { { .fd = wake_fd, .events = POLLIN }, { .fd = -1 } };
	int ret;

	if (vu->sock >= 0)
		pfds[1] = (struct pollfd){ .fd = vu->sock, .events = POLLRDHUP };
	else if (vu->is_server)
		pfds[1] = (struct pollfd){ .fd = vu->listen_fd, .events = POLLIN };
	ret = poll(pfds, RTE_DIM(pfds), timeout_ms);
	if (ret > 0 && pfds[0].revents != 0)
		return SLUICE_WAIT_WOKEN;
	if (ret > 0 && pfds[1].revents != 0)
		return vu->sock >= 0 ? SLUICE_WAIT_GONE : SLUICE_WAIT_PEER;
	return SLUICE_WAIT_TIMEOUT;
}

static void
vhost_user_destroy(struct sluice_transport *t)
{
	struct vhost_user *vu = sluice_vu_of(t);

	vhost_user_disconnect(t);
	if (vu->listen_fd >= 0) {
		close(vu->listen_fd);
		unlink(vu->path);
	}
	pthread_mutex_destroy(&vu->io_lock);
	free(vu->path);
	free(vu);
}

static const struct sluice_transport_ops vhost_user_ops = {
	.name = "vhost-user",
	.peer = "back end",
	.connect = vhost_user_connect,
	.disconnect = vhost_user_disconnect,
	.is_connected = vhost_user_is_connected,
	.publish = sluice_vu_publish,
	.begin = vhost_user_begin,
	.vq_start = vhost_user_vq_start,
	.commit = vhost_user_commit,
	.vq_stop = vhost_user_vq_stop,
	.reset = vhost_user_reset,
	.wait = vhost_user_wait,
	.destroy = vhost_user_destroy,
};

int
sluice_vhost_user_create(const struct sluice_vhost_user_conf *conf, struct sluice_transport **out)
{
	struct vhost_user *vu = calloc(1, sizeof(*vu));
	int ret;

	if (vu == NULL)
		return -ENOMEM;
	vu->base.ops = &vhost_user_ops;
	vu->is_server = conf->is_server;
	vu->sock = -1;
	vu->listen_fd = -1;
	vu->regions_max = SLUICE_VU_TABLE_MAX;
	pthread_mutex_init(&vu->io_lock, NULL);
	vu->path = strdup(conf->path);
	if (vu->path == NULL) {
		vhost_user_destroy(&vu->base);
		return -ENOMEM;
	}
	if (vu->is_server) {
		ret = sluice_vu_listen(vu->path);
		if (ret < 0) {
			sluice_vu_fail(vu, "listen", ret);
			vhost_user_destroy(&vu->base);
			return ret;
		}
		vu->listen_fd = ret;
	}
	*out = &vu->base;
	return 0;
}
