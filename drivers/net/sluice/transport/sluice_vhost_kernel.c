/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * The kernel as the other side: vhost-net moves frames between the rings and a tap interface. It
 * works for whoever has its descriptors, so what it reaches can be taken away from it at any time;
 * and it knows rings and memory only: what else a device says of itself, the interface says.
 */

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_common.h>

#include "sluice_log.h"
#include "vhost_kernel.h"

/*
 * What vhost-net itself is asked for. Not VHOST_NET_F_VIRTIO_NET_HDR (27), with which it would make
 * the header that the interface makes here, and nothing for migration or an IOMMU of a guest.
 */
#define VHOST_FEATURES \
	(SLUICE_BIT(SLUICE_NET_F_MRG_RXBUF) | SLUICE_BIT(SLUICE_F_INDIRECT_DESC) | \
			SLUICE_BIT(SLUICE_F_EVENT_IDX) | SLUICE_BIT(SLUICE_F_VERSION_1) | \
			SLUICE_BIT(SLUICE_F_RING_PACKED) | SLUICE_BIT(SLUICE_F_IN_ORDER) | \
			SLUICE_BIT(SLUICE_NET_F_HOST_UDP_TUNNEL_GSO))

/* What the interface does, and vhost-net passes on. */
#define TAP_FEATURES \
	(SLUICE_BIT(SLUICE_NET_F_CSUM) | SLUICE_BIT(SLUICE_NET_F_GUEST_CSUM) | \
			SLUICE_BIT(SLUICE_NET_F_HOST_TSO4) | SLUICE_BIT(SLUICE_NET_F_HOST_TSO6) | \
			SLUICE_BIT(SLUICE_NET_F_HOST_ECN) | SLUICE_BIT(SLUICE_NET_F_GUEST_TSO4) | \
			SLUICE_BIT(SLUICE_NET_F_GUEST_TSO6) | SLUICE_BIT(SLUICE_NET_F_GUEST_ECN) | \
			SLUICE_BIT(SLUICE_NET_F_MAC) | SLUICE_BIT(SLUICE_NET_F_MTU) | \
			SLUICE_BIT(SLUICE_NET_F_STATUS))

static struct vhost_kernel *
vk_of(const struct sluice_transport *t)
{
	return (struct vhost_kernel *)(uintptr_t)t;
}

bool
sluice_vk_is_told(struct vhost_kernel *vk, const char *step, int err)
{
	return sluice_vhost_is_told(&vk->base, &vk->told, step, err);
}

int
sluice_vk_fail(struct vhost_kernel *vk, const char *step, int err)
{
	if (!sluice_vk_is_told(vk, step, err))
		SLUICE_LOG(ERR, "path=%s, iface=%s: %s failed: %s", vk->path, vk->tap.name, step,
				strerror(-err));
	return err;
}

static void
vk_cut(struct sluice_transport *t)
{
	rte_atomic_store_explicit(&t->is_cut, 1, rte_memory_order_release);
	sluice_vk_dev_take_all(vk_of(t));
}

/*
 * The interface stays, as others may have given it addresses and routes, unless it is gone. There
 * is nothing to wait for.
 */
static int
vk_disconnect(struct sluice_transport *t)
{
	struct vhost_kernel *vk = vk_of(t);

	sluice_vk_dev_take_all(vk);
	sluice_vk_dev_close(vk);
	vk->is_connected = false;
	if (!rte_atomic_load_explicit(&vk->is_gone, rte_memory_order_relaxed) || !vk->tap.is_open)
		return -1;
	sluice_vk_tap_close(&vk->tap);
	vk->was_deleted = true;
	return -1;
}

static bool
vk_is_connected(const struct sluice_transport *t)
{
	return vk_of(t)->is_connected;
}

/* What the interface says of itself, for who asks later. */
static void
look(struct vhost_kernel *vk)
{
	bool is_up;
	int ret = sluice_vk_tap_look(&vk->tap, &is_up);

	rte_atomic_store_explicit(&vk->is_gone, ret != 0, rte_memory_order_relaxed);
	rte_atomic_store_explicit(&vk->is_down, !is_up, rte_memory_order_relaxed);
}

static int
vk_check(struct sluice_transport *t)
{
	struct vhost_kernel *vk = vk_of(t);

	if (!vk->is_connected)
		return 0;
	if (sluice_transport_is_cut(t))
		return -ECONNRESET;
	look(vk);
	if (!rte_atomic_exchange_explicit(&vk->has_ring_error, 0, rte_memory_order_relaxed))
		return 0;
	SLUICE_LOG(ERR, "iface=%s: vhost-net could not make sense of a ring", vk->tap.name);
	return -EPROTO;
}

/* The interface is there, and what is to be known of it. */
static int
connect_tap(struct vhost_kernel *vk, struct sluice_device_info *info)
{
	uint16_t i;
	int ret = sluice_vk_tap_open(&vk->tap);

	if (ret == 0 && vk->has_mac)
		ret = sluice_vk_tap_set_mac(&vk->tap, vk->mac);
	if (ret == 0)
		ret = sluice_vk_tap_get_mac(&vk->tap, info->mac);
	if (ret == 0)
		memcpy(vk->mac, info->mac, sizeof(vk->mac));
	/* Until a ring is behind them. */
	for (i = 0; i < vk->nb_pairs && ret == 0; i++)
		ret = sluice_vk_tap_use_queue(&vk->tap, i, false);
	return ret;
}

static int
vk_connect(struct sluice_transport *t, struct sluice_device_info *info)
{
	struct vhost_kernel *vk = vk_of(t);
	int ret;

	/*
	 * Who deletes an interface does not want it to come back by itself; one that is made anew
	 * is taken.
	 */
	if (t->is_retry && vk->was_deleted && !sluice_vk_tap_exists(&vk->tap))
		return -EAGAIN;
	rte_atomic_store_explicit(&t->is_cut, 0, rte_memory_order_release);
	rte_atomic_store_explicit(&vk->has_ring_error, 0, rte_memory_order_relaxed);
	*info = (struct sluice_device_info){ .nb_pairs_max = vk->nb_pairs, .has_mac = true };
	ret = sluice_vk_dev_open(vk);
	if (ret == 0)
		ret = connect_tap(vk, info);
	if (ret != 0) {
		vk_disconnect(t);
		return ret;
	}
	vk->is_connected = true;
	vk->was_deleted = false;
	info->features = (vk->offered & VHOST_FEATURES) | TAP_FEATURES;
	if (vk->tap.has_uso)
		info->features |= SLUICE_BIT(SLUICE_NET_F_HOST_USO);
	/* vhost-net needs to know of the longer header, the interface completes the checksums. */
	if (sluice_has(vk->offered, SLUICE_NET_F_HOST_UDP_TUNNEL_GSO))
		info->features |= SLUICE_BIT(SLUICE_NET_F_HOST_UDP_TUNNEL_GSO_CSUM);
	if (vk->nb_pairs > 1)
		info->features |= SLUICE_BIT(SLUICE_NET_F_MQ);
	look(vk);
	return 0;
}

static int
vk_show(struct sluice_transport *t, const struct dmap_region *regions, unsigned int nb)
{
	struct vhost_kernel *vk = vk_of(t);

	return vk->is_connected ? sluice_vk_dev_set_memory(vk, regions, nb) : -ENOTCONN;
}

static int
vk_begin(struct sluice_transport *t, sluice_features features, uint16_t mtu)
{
	struct vhost_kernel *vk = vk_of(t);
	int ret = sluice_vk_dev_set_features(vk, features & VHOST_FEATURES);

	if (ret == 0)
		ret = sluice_vk_tap_set_hdr_len(&vk->tap,
				sluice_has(features, SLUICE_NET_F_HOST_UDP_TUNNEL_GSO) ?
						SLUICE_NET_HDR_TUNNEL_LEN :
						SLUICE_NET_HDR_LEN);
	if (ret == 0)
		ret = sluice_vk_tap_set_offloads(&vk->tap, features);
	if (ret == 0 && mtu != 0)
		ret = sluice_vk_tap_set_mtu(&vk->tap, mtu);
	return ret;
}

static int
vk_vq_start(struct sluice_transport *t, const struct sluice_vq_setup *vq)
{
	return sluice_vk_dev_set_ring(vk_of(t), vq);
}

static int
vk_commit(struct sluice_transport *t, uint16_t nb_vqs)
{
	struct vhost_kernel *vk = vk_of(t);
	uint16_t vq;
	int ret = 0;

	for (vq = 0; vq < nb_vqs && ret == 0; vq++) {
		ret = sluice_vk_dev_set_backend(vk, vq, vk->tap.queues[vq / 2].fd);
		if (ret == 0 && !SLUICE_VQ_IS_TX(vq))
			ret = sluice_vk_tap_use_queue(&vk->tap, vq / 2, true);
	}
	if (ret == 0)
		vk->told.step = NULL;
	return ret;
}

static int
vk_vq_enable(struct sluice_transport *t, uint16_t vq, bool is_enabled)
{
	return SLUICE_VQ_IS_TX(vq) ? 0 :
				     sluice_vk_tap_use_queue(&vk_of(t)->tap, vq / 2, is_enabled);
}

static int
vk_vq_stop(struct sluice_transport *t, uint16_t vq)
{
	return sluice_vk_dev_take_back(vk_of(t), vq);
}

/*
 * All rings were taken back. An interface without queues drops what it should send, where one with
 * queues would keep it; and what it knew of memory, vhost-net forgets.
 */
static int
vk_reset(struct sluice_transport *t)
{
	struct vhost_kernel *vk = vk_of(t);
	uint16_t i;
	int ret = 0;

	for (i = 0; i < vk->nb_pairs && ret == 0; i++)
		ret = sluice_vk_tap_use_queue(&vk->tap, i, false);
	return ret == 0 ? sluice_vk_dev_set_memory(vk, NULL, 0) : ret;
}

static int
vk_set_mac(struct sluice_transport *t, const uint8_t *mac)
{
	struct vhost_kernel *vk = vk_of(t);
	int ret;

	/* Only a change is one: the address may be somebody else's choice by now. */
	if (!vk->is_connected || memcmp(vk->mac, mac, sizeof(vk->mac)) == 0)
		return 0;
	ret = sluice_vk_tap_set_mac(&vk->tap, mac);
	if (ret == 0)
		memcpy(vk->mac, mac, sizeof(vk->mac));
	return ret;
}

static int
vk_set_mtu(struct sluice_transport *t, uint16_t mtu)
{
	struct vhost_kernel *vk = vk_of(t);

	return vk->is_connected ? sluice_vk_tap_set_mtu(&vk->tap, mtu) : 0;
}

static unsigned int
vk_poll_fds(struct sluice_transport *t, bool wants_peer, struct pollfd *pfds)
{
	struct vhost_kernel *vk = vk_of(t);

	RTE_SET_USED(wants_peer);
	return vk->is_connected ? sluice_vhost_poll_fds(vk->err_fd, vk->tap.news_fd, pfds) : 0;
}

static enum sluice_news
vk_polled(struct sluice_transport *t, const struct pollfd *pfds, unsigned int nb)
{
	struct vhost_kernel *vk = vk_of(t);

	return sluice_vhost_polled(pfds, nb, vk->sys->drain, &vk->has_ring_error);
}

static void
vk_state(struct sluice_transport *t, struct sluice_device_state *state)
{
	struct vhost_kernel *vk = vk_of(t);

	*state = (struct sluice_device_state){ .speed = UINT32_MAX };
	state->is_gone = rte_atomic_load_explicit(&vk->is_gone, rte_memory_order_relaxed);
	state->is_link_up = !rte_atomic_load_explicit(&vk->is_down, rte_memory_order_relaxed);
}

static void
vk_describe(const struct sluice_transport *t, char *buf, size_t len)
{
	const struct vhost_kernel *vk = vk_of(t);

	/* Readers have as few as 31 characters, so features above 63 are left out. */
	snprintf(buf, len, "vhost-kernel %s 0x%" PRIx64, vk->tap.wanted, (uint64_t)vk->offered);
}

static void
vk_destroy(struct sluice_transport *t)
{
	struct vhost_kernel *vk = vk_of(t);

	if (vk->fds != NULL)
		vk_disconnect(t);
	sluice_vk_tap_fini(&vk->tap);
	if (vk->err_fd >= 0)
		vk->sys->close(vk->err_fd);
	free(vk->fds);
	free(vk->path);
	free(vk);
}

static const struct sluice_transport_ops vhost_kernel_ops = {
	.name = "vhost-kernel",
	.peer = "tap",
	.flags = SLUICE_TRANSPORT_CAN_REVOKE | SLUICE_TRANSPORT_HAS_STATUS,
	.connect = vk_connect,
	.disconnect = vk_disconnect,
	.is_connected = vk_is_connected,
	.check = vk_check,
	.cut = vk_cut,
	.show = vk_show,
	.begin = vk_begin,
	.vq_start = vk_vq_start,
	.commit = vk_commit,
	.vq_enable = vk_vq_enable,
	.vq_stop = vk_vq_stop,
	.reset = vk_reset,
	.set_mac = vk_set_mac,
	.set_mtu = vk_set_mtu,
	.poll_fds = vk_poll_fds,
	.polled = vk_polled,
	.state = vk_state,
	.describe = vk_describe,
	.destroy = vk_destroy,
};

static int
init(struct vhost_kernel *vk, const struct sluice_vhost_kernel_conf *conf)
{
	uint16_t i;
	int ret;

	vk->path = strdup(conf->path);
	vk->fds = calloc(conf->nb_pairs, sizeof(vk->fds[0]));
	if (vk->path == NULL || vk->fds == NULL)
		return -ENOMEM;
	for (i = 0; i < conf->nb_pairs; i++)
		vk->fds[i] = -1;
	vk->nb_pairs = conf->nb_pairs;
	ret = sluice_vk_tap_init(&vk->tap, vk->sys, conf->iface, conf->nb_pairs);
	if (ret != 0)
		return ret;
	vk->err_fd = vk->sys->eventfd();
	return vk->err_fd < 0 ? sluice_vk_fail(vk, "eventfd", vk->err_fd) : 0;
}

int
sluice_vhost_kernel_create(
		const struct sluice_vhost_kernel_conf *conf, struct sluice_transport **out)
{
	struct vhost_kernel *vk = calloc(1, sizeof(*vk));
	int ret;

	if (vk == NULL)
		return -ENOMEM;
	vk->base.ops = &vhost_kernel_ops;
	vk->sys = conf->sys != NULL ? conf->sys : &sluice_vk_linux;
	vk->err_fd = -1;
	vk->busy_poll_us = conf->busy_poll_us;
	vk->has_mac = conf->has_mac;
	memcpy(vk->mac, conf->mac, sizeof(vk->mac));
	rte_spinlock_init(&vk->lock);
	vk->tap.control_fd = -1;
	vk->tap.news_fd = -1;
	ret = init(vk, conf);
	if (ret != 0) {
		vk_destroy(&vk->base);
		return ret;
	}
	*out = &vk->base;
	return 0;
}
