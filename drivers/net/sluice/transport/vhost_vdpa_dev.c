/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_bitops.h>
#include <rte_common.h>

#include "net_config.h"
#include "sluice_log.h"
#include "vhost_vdpa.h"

#define DEVICE_ID_NET 1 /* 5.1.1 */

/* What is accepted to have a look at the configuration; each start negotiates anew. */
#define LOOK_FEATURES \
	(SLUICE_BIT(SLUICE_F_VERSION_1) | SLUICE_BIT(SLUICE_F_ACCESS_PLATFORM) | \
			SLUICE_ORDER_FEATURES | SLUICE_BIT(SLUICE_NET_F_MQ) | \
			SLUICE_BIT(SLUICE_NET_F_CTRL_VQ) | SLUICE_BIT(SLUICE_NET_F_MAC) | \
			SLUICE_BIT(SLUICE_NET_F_MTU) | SLUICE_BIT(SLUICE_NET_F_STATUS) | \
			SLUICE_NET_HASH_FEATURES | SLUICE_BIT(SLUICE_NET_F_SPEED_DUPLEX))

/* A configuration that changes this often while it is read never comes to rest (2.5.1). */
#define CONFIG_TRIES 8

/* Requests that the kernel answers by itself, at once. */
static int
request(void *ctx, unsigned long what, const char *name, void *arg)
{
	struct vhost_vdpa *v = ctx;
	int ret = v->sys->ioctl(v->fd, what, arg);

	return ret < 0 ? sluice_vdpa_fail(v, name, ret) : 0;
}
#define REQUEST(v, what, arg) request(v, what, #what, arg)

static bool
is_closing(const struct vhost_vdpa *v)
{
	char c;

	return v->left_fd >= 0 && read(v->left_fd, &c, 1) < 0;
}

static int
explain_open(struct vhost_vdpa *v, int err)
{
	if (err == -EBUSY && is_closing(v)) {
		if (!sluice_vdpa_is_told(v, "close", err))
			SLUICE_LOG(ERR,
					"path=%s: %s: this port still closes the device, and the program "
					"behind it does not answer: end that, or wait",
					v->path, strerror(-err));
		return err;
	}
	if (sluice_vdpa_is_told(v, "open", err))
		return err;
	if (err == -ENOENT || err == -ENODEV || err == -ENXIO)
		SLUICE_LOG(ERR,
				"path=%s: %s: load the module, and have a device: modprobe vhost_vdpa; vdpa "
				"dev add name <name> mgmtdev <device>",
				v->path, strerror(-err));
	else if (err == -EACCES || err == -EPERM)
		SLUICE_LOG(ERR,
				"path=%s: %s: this user needs the right to read and write it: chmod, or its "
				"group",
				v->path, strerror(-err));
	else if (err == -EBUSY)
		SLUICE_LOG(ERR,
				"path=%s: %s: another process or port has the device: end it, or give another "
				"path",
				v->path, strerror(-err));
	else
		SLUICE_LOG(ERR, "path=%s: %s", v->path, strerror(-err));
	return err;
}

static int
check_kind(struct vhost_vdpa *v)
{
	uint32_t id;

	if (v->sys->ioctl(v->fd, VHOST_VDPA_GET_DEVICE_ID, &id) < 0) {
		if (!sluice_vdpa_is_told(v, "kind", -ENOTSUP))
			SLUICE_LOG(ERR,
					"path=%s: not a device of vhost-vdpa: give the node that is there "
					"after vdpa dev add, /dev/vhost-vdpa-<number>",
					v->path);
		return -ENOTSUP;
	}
	if (id == DEVICE_ID_NET)
		return 0;
	if (!sluice_vdpa_is_told(v, "id", -ENOTSUP))
		SLUICE_LOG(ERR,
				"path=%s: the device is of virtio's kind %u, and a network device is kind "
				"%u: give the path of one (vdpa dev show)",
				v->path, id, DEVICE_ID_NET);
	return -ENOTSUP;
}

/* Where it is in sysfs says who is behind it, and later that it is gone. */
static void
find_node(struct vhost_vdpa *v)
{
	char where[256];

	v->is_watched = v->sys->node_path(v->fd, where, sizeof(where)) >= 0;
	v->is_vduse = v->is_watched && strstr(where, "/vduse/") != NULL;
}

static int
agree_backend(struct vhost_vdpa *v)
{
	int ret = REQUEST(v, VHOST_GET_BACKEND_FEATURES, &v->backend);

	if (ret != 0)
		return ret;
	v->backend &= VDPA_BACKEND_FEATURES;
	if (sluice_vdpa_can(v, VHOST_BACKEND_F_IOTLB_MSG_V2))
		return REQUEST(v, VHOST_SET_BACKEND_FEATURES, &v->backend);
	if (!sluice_vdpa_is_told(v, "backend", -ENOTSUP))
		SLUICE_LOG(ERR,
				"path=%s: this kernel's vhost-vdpa has no VHOST_BACKEND_F_IOTLB_MSG_V2: a "
				"kernel from 5.7 on",
				v->path);
	return -ENOTSUP;
}

/* All groups of virtqueues are in the address space that is mapped, whoever had the device last. */
static int
join_groups(struct vhost_vdpa *v)
{
	struct vhost_vring_state to = { .num = 0 };
	uint32_t nb_groups, nb_spaces;
	int ret;

	if (!sluice_vdpa_can(v, VHOST_BACKEND_F_IOTLB_ASID))
		return 0;
	ret = REQUEST(v, VHOST_VDPA_GET_GROUP_NUM, &nb_groups);
	if (ret == 0)
		ret = REQUEST(v, VHOST_VDPA_GET_AS_NUM, &nb_spaces);
	if (ret != 0 || nb_spaces < 2)
		return ret;
	for (to.index = 0; to.index < nb_groups && ret == 0; to.index++)
		ret = REQUEST(v, VHOST_VDPA_SET_GROUP_ASID, &to);
	return ret;
}

static int
open_node(struct vhost_vdpa *v)
{
	int fd = v->sys->open(v->path), ret;

	if (fd < 0)
		return explain_open(v, fd);
	ret = sluice_vdpa_calls_open(v->sys, fd, &v->calls);
	if (ret != 0) {
		v->sys->close(fd);
		return sluice_vdpa_fail(v, "the thread for its requests", ret);
	}
	v->fd = fd;
	return 0;
}

static int
get_status(struct vhost_vdpa *v, uint8_t *status)
{
	return REQUEST(v, VHOST_VDPA_GET_STATUS, status);
}

static int
set_status(struct vhost_vdpa *v, uint8_t status)
{
	int ret = sluice_vdpa_ioctl(
			v->calls, &v->base, VHOST_VDPA_SET_STATUS, &status, sizeof(status));

	return ret < 0 ? sluice_vdpa_fail(v, "VHOST_VDPA_SET_STATUS", ret) : 0;
}

int
sluice_vdpa_dev_add_status(struct vhost_vdpa *v, uint8_t bits)
{
	uint8_t status;
	int ret = get_status(v, &status);

	if (ret == 0)
		ret = set_status(v, status | bits);
	if (ret == 0)
		ret = get_status(v, &status);
	if (ret != 0 || (status & bits) == bits)
		return ret;
	if (!sluice_vdpa_is_told(v, "status", bits))
		SLUICE_LOG(ERR, "path=%s: the device does not take status 0x%02x: it is 0x%02x",
				v->path, bits, status);
	return -EPROTO;
}

static int
restart(struct vhost_vdpa *v)
{
	uint8_t status;
	int ret = set_status(v, 0);

	if (ret == 0)
		ret = get_status(v, &status);
	if (ret == 0 && status != 0) {
		if (!sluice_vdpa_is_told(v, "reset", -EPROTO))
			SLUICE_LOG(ERR, "path=%s: reset: not acknowledged (status 0x%02x)", v->path,
					status);
		ret = -EPROTO;
	}
	return ret;
}

int
sluice_vdpa_dev_reset(struct vhost_vdpa *v)
{
	/* What it has under way ends in order; a device that cannot is reset all the same. */
	if (sluice_vdpa_can(v, VHOST_BACKEND_F_SUSPEND))
		sluice_vdpa_ioctl(v->calls, &v->base, VHOST_VDPA_SUSPEND, NULL, 0);
	return restart(v);
}

/*
 * The features are for now, and FEATURES_OK is to follow. A reset may make a device forget how it
 * tells of a new configuration, as VDUSE's does.
 */
static int
offer_driver(struct vhost_vdpa *v, uint64_t features)
{
	int ret = restart(v);

	if (ret == 0)
		ret = REQUEST(v, VHOST_VDPA_SET_CONFIG_CALL, &v->config_fd);
	if (ret == 0)
		ret = sluice_vdpa_dev_add_status(v, SLUICE_STATUS_ACKNOWLEDGE);
	if (ret == 0)
		ret = sluice_vdpa_dev_add_status(v, SLUICE_STATUS_DRIVER);
	if (ret == 0)
		ret = REQUEST(v, VHOST_SET_FEATURES, &features);
	return ret;
}

int
sluice_vdpa_dev_begin(struct vhost_vdpa *v, uint64_t features)
{
	int ret = offer_driver(v, features);

	if (ret == 0)
		ret = sluice_vdpa_dev_add_status(v, SLUICE_STATUS_FEATURES_OK);
	return ret == 0 ? join_groups(v) : ret;
}

/* Without bytes that the device has not; zeros are what they mean then. */
static int
get_config(struct vhost_vdpa *v, uint8_t *out)
{
	uint32_t room[(sizeof(struct vhost_vdpa_config) + VDPA_CONFIG_LEN) / sizeof(uint32_t)] = {
		0
	};
	struct vhost_vdpa_config *c = (void *)room;
	int ret;

	c->len = v->config_len;
	ret = v->sys->ioctl(v->fd, VHOST_VDPA_GET_CONFIG, c);
	memcpy(out, c->buf, VDPA_CONFIG_LEN);
	return ret;
}

/* Two looks that agree: the kernel does not tell the generation. */
static int
read_config(struct vhost_vdpa *v, uint8_t *out)
{
	uint8_t again[VDPA_CONFIG_LEN];
	unsigned int tries;
	int ret = get_config(v, out);

	for (tries = 0; tries < CONFIG_TRIES && ret >= 0; tries++) {
		ret = get_config(v, again);
		if (ret >= 0 && memcmp(out, again, sizeof(again)) == 0)
			return 0;
		memcpy(out, again, sizeof(again));
	}
	return ret < 0 ? ret : -EAGAIN;
}

static uint32_t
field(const uint8_t *config, unsigned int at, unsigned int len)
{
	uint32_t value = 0;

	memcpy(&value, config + at, len);
	return value;
}

static int
judge_config(struct vhost_vdpa *v, const uint8_t *bytes, struct sluice_device_info *info)
{
	const struct sluice_net_config_who who = { v->path, "device", &v->base, &v->told };
	struct sluice_net_config config;
	int ret;

	memcpy(&config, bytes, sizeof(config));
	ret = sluice_net_config_check_pairs(&who, v->nb_vqs, &config, info);
	if (info->features & SLUICE_NET_HASH_FEATURES)
		sluice_net_config_check_rss(v->path, field(bytes, SLUICE_NET_CONFIG_RSS_KEY, 1),
				field(bytes, SLUICE_NET_CONFIG_RSS_TABLE, 2),
				field(bytes, SLUICE_NET_CONFIG_HASH_TYPES, 4), info);
	return ret == 0 ? sluice_net_config_check(&who, &config, info) : ret;
}

static int
check_features(struct vhost_vdpa *v)
{
	if (!sluice_has(v->offered, SLUICE_F_VERSION_1)) {
		if (!sluice_vdpa_is_told(v, "features", -ENOTSUP))
			SLUICE_LOG(ERR,
					"path=%s: the device has no VIRTIO_F_VERSION_1 "
					"(features 0x%" PRIx64 "): a modern device is needed",
					v->path, v->offered);
		return -ENOTSUP;
	}
	if (!sluice_has(v->offered, SLUICE_NET_F_CTRL_VQ))
		v->offered &= ~SLUICE_NET_CTRL_FEATURES;
	if (v->config_len <= SLUICE_NET_CONFIG_DUPLEX)
		v->offered &= ~SLUICE_BIT(SLUICE_NET_F_SPEED_DUPLEX);
	if (v->config_len < SLUICE_NET_CONFIG_RSS_END)
		v->offered &= ~SLUICE_NET_HASH_FEATURES;
	return 0;
}

/* What never changes. */
static int
learn_limits(struct vhost_vdpa *v)
{
	int ret = REQUEST(v, VHOST_GET_FEATURES, &v->offered);

	if (ret == 0)
		ret = REQUEST(v, VHOST_VDPA_GET_CONFIG_SIZE, &v->config_len);
	if (ret == 0)
		ret = REQUEST(v, VHOST_VDPA_GET_VQS_COUNT, &v->nb_vqs);
	if (ret == 0)
		ret = REQUEST(v, VHOST_VDPA_GET_VRING_NUM, &v->size_max);
	if (ret == 0)
		ret = REQUEST(v, VHOST_VDPA_GET_IOVA_RANGE, &v->range);
	v->config_len = RTE_MIN(v->config_len, (uint32_t)VDPA_CONFIG_LEN);
	v->size_max = RTE_MIN(v->size_max, SLUICE_QUEUE_SIZE_MAX);
	return ret == 0 ? check_features(v) : ret;
}

int
sluice_vdpa_dev_open(struct vhost_vdpa *v)
{
	int ret = open_node(v);

	if (ret != 0)
		return ret;
	find_node(v);
	ret = check_kind(v);
	if (ret == 0) {
		ret = v->sys->set_owner(v->fd);
		ret = ret < 0 ? sluice_vdpa_fail(v, "VHOST_SET_OWNER", ret) : 0;
	}
	if (ret == 0)
		ret = agree_backend(v);
	return ret == 0 ? learn_limits(v) : ret;
}

int
sluice_vdpa_dev_learn(struct vhost_vdpa *v, struct sluice_device_info *info)
{
	uint8_t config[VDPA_CONFIG_LEN];
	int ret = offer_driver(v, v->offered & LOOK_FEATURES);

	if (ret != 0)
		return ret;
	ret = read_config(v, config);
	if (ret != 0)
		return sluice_vdpa_fail(v, "VHOST_VDPA_GET_CONFIG", ret);
	*info = (struct sluice_device_info){ .features = v->offered, .has_ats = v->is_vduse };
	return judge_config(v, config, info);
}

int
sluice_vdpa_dev_close(struct vhost_vdpa *v)
{
	int eof_fd = -1;

	if (v->calls != NULL)
		eof_fd = sluice_vdpa_calls_close(v->calls, &v->base);
	if (eof_fd >= 0) {
		if (v->left_fd >= 0)
			close(v->left_fd);
		v->left_fd = fcntl(eof_fd, F_DUPFD_CLOEXEC, 0);
	}
	v->calls = NULL;
	v->fd = -1;
	dmap_iotlb_free(&v->maps);
	v->is_in_batch = false;
	return eof_fd;
}

int
sluice_vdpa_dev_set_ring(struct vhost_vdpa *v, const struct sluice_vq_setup *vq)
{
	struct vhost_ring ring = { .index = vq->vq,
		.desc = vq->desc_da.v,
		.driver = vq->driver_da.v,
		.device = vq->device_da.v,
		.err_fd = v->err_fd };
	struct vhost_vring_state on = { .index = vq->vq, .num = 1 };
	int ret;

	if (!rte_is_power_of_2(vq->size)) {
		if (!sluice_vdpa_is_told(v, "size", vq->size))
			SLUICE_LOG(ERR,
					"path=%s: virtqueue %u has %u slots, and the kernel takes powers "
					"of two only: set the queue up so, or give queue_size",
					v->path, vq->vq, vq->size);
		return -EINVAL;
	}
	ret = sluice_vhost_set_ring(&ring, vq, request, v);
	/* Not every device can do this later. */
	return ret == 0 ? REQUEST(v, VHOST_VDPA_SET_VRING_ENABLE, &on) : ret;
}

static void
look_at_config(struct vhost_vdpa *v)
{
	uint8_t config[VDPA_CONFIG_LEN];

	if (read_config(v, config) != 0)
		return;
	rte_atomic_store_explicit(&v->net_status,
			field(config, offsetof(struct sluice_net_config, status), 2),
			rte_memory_order_relaxed);
	rte_atomic_store_explicit(&v->speed, field(config, SLUICE_NET_CONFIG_SPEED, 4),
			rte_memory_order_relaxed);
	rte_atomic_store_explicit(&v->is_half_duplex,
			field(config, SLUICE_NET_CONFIG_DUPLEX, 1) == 0, rte_memory_order_relaxed);
}

void
sluice_vdpa_dev_look(struct vhost_vdpa *v)
{
	char where[256];
	uint8_t status;
	bool is_gone = v->is_watched && v->sys->node_path(v->fd, where, sizeof(where)) == -ENOENT;

	rte_atomic_store_explicit(&v->is_gone, is_gone, rte_memory_order_relaxed);
	/* The kernel makes one request at a time, so that others would wait for a late one. */
	if (is_gone || sluice_vdpa_is_late(v->calls))
		return;
	if (v->sys->ioctl(v->fd, VHOST_VDPA_GET_STATUS, &status) >= 0)
		rte_atomic_store_explicit(&v->needs_reset,
				(status & SLUICE_STATUS_NEEDS_RESET) != 0,
				rte_memory_order_relaxed);
	look_at_config(v);
}
