/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * A vDPA device, by the kernel's vhost-vdpa: hardware that knows virtio's rings, or with VDUSE a
 * program. It is a virtio device as PCI has them, with status, configuration and a control queue;
 * rings are notified by eventfds, and what it reaches is told by IOTLB messages. A program that has
 * mapped the memory lets go of it when it pleases, so what such a device reached counts as its own
 * until it is closed, and each connection has rings of its own.
 */

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_common.h>

#include "sluice_log.h"
#include "vhost_vdpa.h"

/* For the end of a transport that nobody talks to any more. */
#define CLOSE_MS 1000

static struct vhost_vdpa *
vdpa_of(const struct sluice_transport *t)
{
	return (struct vhost_vdpa *)(uintptr_t)t;
}

bool
sluice_vdpa_is_told(struct vhost_vdpa *v, const char *step, int err)
{
	return sluice_vhost_is_told(&v->base, &v->told, step, err);
}

int
sluice_vdpa_fail(struct vhost_vdpa *v, const char *step, int err)
{
	if (sluice_vdpa_is_told(v, step, err))
		return err;
	if (err == -ETIMEDOUT)
		SLUICE_LOG(ERR,
				"path=%s: %s: no answer in time: the program behind the device hangs, or has "
				"ended",
				v->path, step);
	else
		SLUICE_LOG(ERR, "path=%s: %s failed: %s", v->path, step, strerror(-err));
	return err;
}

/* What is under way goes on in its thread, until the kernel lets it go. */
static void
vdpa_cut(struct sluice_transport *t)
{
	rte_atomic_store_explicit(&t->is_cut, 1, rte_memory_order_release);
}

static int
vdpa_disconnect(struct sluice_transport *t)
{
	struct vhost_vdpa *v = vdpa_of(t);

	v->is_connected = false;
	return sluice_vdpa_dev_close(v);
}

static bool
vdpa_is_connected(const struct sluice_transport *t)
{
	return vdpa_of(t)->is_connected;
}

static int
vdpa_check(struct sluice_transport *t)
{
	struct vhost_vdpa *v = vdpa_of(t);

	if (!v->is_connected)
		return 0;
	if (sluice_transport_is_cut(t))
		return -ECONNRESET;
	sluice_vdpa_dev_look(v);
	if (!rte_atomic_exchange_explicit(&v->has_ring_error, 0, rte_memory_order_relaxed))
		return 0;
	SLUICE_LOG(ERR, "path=%s: the device could not make sense of a ring", v->path);
	return -EPROTO;
}

static int
vdpa_connect(struct sluice_transport *t, struct sluice_device_info *info)
{
	struct vhost_vdpa *v = vdpa_of(t);
	int ret, eof_fd;

	rte_atomic_store_explicit(&t->is_cut, 0, rte_memory_order_release);
	rte_atomic_store_explicit(&v->has_ring_error, 0, rte_memory_order_relaxed);
	ret = sluice_vdpa_dev_open(v);
	if (ret == 0)
		ret = sluice_vdpa_dev_learn(v, info);
	if (ret != 0) {
		/* It was shown nothing. */
		eof_fd = vdpa_disconnect(t);
		if (eof_fd >= 0)
			close(eof_fd);
		return ret;
	}
	v->is_connected = true;
	v->map_error = 0;
	sluice_vdpa_dev_look(v);
	return 0;
}

static int
vdpa_show(struct sluice_transport *t, const struct dmap_region *regions, unsigned int nb)
{
	struct vhost_vdpa *v = vdpa_of(t);

	return v->is_connected ? sluice_vdpa_iotlb_show(v, regions, nb) : -ENOTCONN;
}

static int
vdpa_begin(struct sluice_transport *t, sluice_features features, uint16_t mtu)
{
	RTE_SET_USED(mtu); /* there is no way to tell it */
	return sluice_vdpa_dev_begin(vdpa_of(t), features);
}

static int
vdpa_vq_start(struct sluice_transport *t, const struct sluice_vq_setup *vq)
{
	return sluice_vdpa_dev_set_ring(vdpa_of(t), vq);
}

static int
vdpa_commit(struct sluice_transport *t, uint16_t nb_vqs)
{
	struct vhost_vdpa *v = vdpa_of(t);
	int ret = sluice_vdpa_dev_add_status(v, SLUICE_STATUS_DRIVER_OK);

	RTE_SET_USED(nb_vqs);
	if (ret == 0)
		v->told.step = NULL;
	return ret;
}

static int
vdpa_vq_stop(struct sluice_transport *t, uint16_t vq)
{
	/* All stop together, by the reset that follows. */
	RTE_SET_USED(t);
	RTE_SET_USED(vq);
	return 0;
}

static int
vdpa_reset(struct sluice_transport *t)
{
	struct vhost_vdpa *v = vdpa_of(t);
	int ret = sluice_vdpa_dev_reset(v);

	return ret == 0 ? sluice_vdpa_iotlb_show(v, NULL, 0) : ret;
}

static unsigned int
vdpa_poll_fds(struct sluice_transport *t, bool wants_peer, struct pollfd *pfds)
{
	struct vhost_vdpa *v = vdpa_of(t);

	RTE_SET_USED(wants_peer);
	return v->is_connected ? sluice_vhost_poll_fds(v->err_fd, v->config_fd, pfds) : 0;
}

static enum sluice_news
vdpa_polled(struct sluice_transport *t, const struct pollfd *pfds, unsigned int nb)
{
	struct vhost_vdpa *v = vdpa_of(t);

	return sluice_vhost_polled(pfds, nb, v->sys->drain, &v->has_ring_error);
}

static uint16_t
vdpa_vq_size_max(const struct sluice_transport *t, uint32_t vq)
{
	const struct vhost_vdpa *v = vdpa_of(t);

	return vq < v->nb_vqs ? v->size_max : 0;
}

static void
vdpa_state(struct sluice_transport *t, struct sluice_device_state *state)
{
	struct vhost_vdpa *v = vdpa_of(t);
	uint32_t status = rte_atomic_load_explicit(&v->net_status, rte_memory_order_relaxed);
	uint64_t offered = rte_atomic_load_explicit(&v->offered, rte_memory_order_relaxed);

	*state = (struct sluice_device_state){ .is_link_up = true, .speed = UINT32_MAX };
	state->is_gone = rte_atomic_load_explicit(&v->is_gone, rte_memory_order_relaxed);
	state->needs_reset = rte_atomic_load_explicit(&v->needs_reset, rte_memory_order_relaxed);
	if (offered & SLUICE_BIT(SLUICE_NET_F_STATUS)) {
		state->is_link_up = (status & SLUICE_NET_S_LINK_UP) != 0;
		state->wants_announce = (status & SLUICE_NET_S_ANNOUNCE) != 0;
	}
	if (offered & SLUICE_BIT(SLUICE_NET_F_SPEED_DUPLEX)) {
		state->speed = rte_atomic_load_explicit(&v->speed, rte_memory_order_relaxed);
		state->is_half_duplex = rte_atomic_load_explicit(
				&v->is_half_duplex, rte_memory_order_relaxed);
	}
	if (state->speed > INT32_MAX)
		state->speed = UINT32_MAX; /* unknown (5.1.4) */
}

static void
vdpa_describe(const struct sluice_transport *t, char *buf, size_t len)
{
	const struct vhost_vdpa *v = vdpa_of(t);

	snprintf(buf, len, "vhost-vdpa%s 0x%" PRIx64, v->is_vduse ? " (VDUSE)" : "", v->offered);
}

static void
vdpa_destroy(struct sluice_transport *t)
{
	struct vhost_vdpa *v = vdpa_of(t);
	int eof_fd;

	/* Nobody else talks to it now, cut or not. */
	rte_atomic_store_explicit(&t->is_cut, 0, rte_memory_order_release);
	sluice_transport_begin(t, CLOSE_MS);
	eof_fd = vdpa_disconnect(t);
	if (eof_fd >= 0)
		close(eof_fd);
	if (v->left_fd >= 0)
		close(v->left_fd);
	if (v->err_fd >= 0)
		v->sys->close(v->err_fd);
	if (v->config_fd >= 0)
		v->sys->close(v->config_fd);
	free(v->path);
	free(v);
}

static const struct sluice_transport_ops vhost_vdpa_ops = {
	.name = "vhost-vdpa",
	.peer = "device",
	.flags = SLUICE_TRANSPORT_HAS_STATUS | SLUICE_TRANSPORT_HAS_CTRL_VQ |
			SLUICE_TRANSPORT_HAS_READ_ONLY,
	.features = SLUICE_BIT(SLUICE_F_ACCESS_PLATFORM) | SLUICE_ORDER_FEATURES |
			SLUICE_BIT(SLUICE_NET_F_MAC) | SLUICE_BIT(SLUICE_NET_F_SPEED_DUPLEX),
	.connect = vdpa_connect,
	.disconnect = vdpa_disconnect,
	.is_connected = vdpa_is_connected,
	.check = vdpa_check,
	.cut = vdpa_cut,
	.show = vdpa_show,
	.begin = vdpa_begin,
	.vq_start = vdpa_vq_start,
	.commit = vdpa_commit,
	.vq_stop = vdpa_vq_stop,
	.reset = vdpa_reset,
	.poll_fds = vdpa_poll_fds,
	.polled = vdpa_polled,
	.vq_size_max = vdpa_vq_size_max,
	.state = vdpa_state,
	.describe = vdpa_describe,
	.destroy = vdpa_destroy,
};

static int
init(struct vhost_vdpa *v, const char *path)
{
	v->path = strdup(path);
	if (v->path == NULL)
		return -ENOMEM;
	v->err_fd = v->sys->eventfd();
	if (v->err_fd < 0)
		return sluice_vdpa_fail(v, "eventfd", v->err_fd);
	v->config_fd = v->sys->eventfd();
	return v->config_fd < 0 ? sluice_vdpa_fail(v, "eventfd", v->config_fd) : 0;
}

int
sluice_vhost_vdpa_create(const struct sluice_vhost_vdpa_conf *conf, struct sluice_transport **out)
{
	struct vhost_vdpa *v = calloc(1, sizeof(*v));
	int ret;

	if (v == NULL)
		return -ENOMEM;
	v->base.ops = &vhost_vdpa_ops;
	v->sys = conf->sys != NULL ? conf->sys : &sluice_vk_linux;
	v->fd = v->err_fd = v->config_fd = v->left_fd = -1;
	ret = init(v, conf->path);
	if (ret != 0) {
		vdpa_destroy(&v->base);
		return ret;
	}
	*out = &v->base;
	return 0;
}
