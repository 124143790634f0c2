/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * What vhost-net is told (linux/vhost.h). A descriptor has one receive and one transmit ring, so
 * there is one for each queue pair, and each learns all of the memory.
 */

#include <errno.h>
#include <inttypes.h>
#include <linux/vhost.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_common.h>

#include "sluice_log.h"
#include "vhost_kernel.h"

#define REGIONS_FILE "/sys/module/vhost/parameters/max_mem_regions"
#define REGIONS_DEFAULT 64

/*
 * Features above 63, which Linux 6.17 and later has; headers may be older. Other kernels take the
 * count for the number of a ring that there is not.
 */
struct features_array {
	uint64_t count;
	uint64_t words[2];
};
#ifndef VHOST_GET_FEATURES_ARRAY
#define VHOST_GET_FEATURES_ARRAY _IOR(VHOST_VIRTIO, 0x83, uint64_t)
#define VHOST_SET_FEATURES_ARRAY _IOW(VHOST_VIRTIO, 0x83, uint64_t)
#endif

static int
request(struct vhost_kernel *vk, uint16_t pair, unsigned long what, const char *name, void *arg)
{
	int ret = vk->sys->ioctl(vk->fds[pair], what, arg);

	return ret < 0 ? sluice_vk_fail(vk, name, ret) : 0;
}
#define REQUEST(vk, pair, what, arg) request(vk, pair, what, #what, arg)

static int
explain_open(struct vhost_kernel *vk, int err)
{
	if (sluice_vk_is_told(vk, "open", err))
		return err;
	if (err == -ENOENT || err == -ENODEV || err == -ENXIO)
		SLUICE_LOG(ERR, "path=%s: %s: load the module: modprobe vhost_net", vk->path,
				strerror(-err));
	else if (err == -EACCES || err == -EPERM)
		SLUICE_LOG(ERR,
				"path=%s: %s: this user needs the right to read and write it: chmod, "
				"or its group",
				vk->path, strerror(-err));
	else
		SLUICE_LOG(ERR, "path=%s: %s", vk->path, strerror(-err));
	return err;
}

static int
read_features(struct vhost_kernel *vk)
{
	struct features_array array = { .count = RTE_DIM(array.words) };
	uint64_t low;
	int ret = vk->sys->ioctl(vk->fds[0], VHOST_GET_FEATURES, &low);

	if (ret < 0)
		return ret;
	vk->offered = low;
	if (vk->sys->ioctl(vk->fds[0], VHOST_GET_FEATURES_ARRAY, &array) >= 0)
		vk->offered |= (sluice_features)array.words[1] << 64;
	return 0;
}

/* A character device may be anything, and one that knows features may be another kind of vhost. */
static int
check_kind(struct vhost_kernel *vk)
{
	uint32_t id;

	if (read_features(vk) >= 0 && vk->sys->ioctl(vk->fds[0], VHOST_VDPA_GET_DEVICE_ID, &id) < 0)
		return 0;
	if (!sluice_vk_is_told(vk, "kind", -ENOTSUP))
		SLUICE_LOG(ERR,
				"path=%s: a character device, and not the one of vhost-net: give "
				"path=/dev/vhost-net for the kernel, or the socket of a back end",
				vk->path);
	return -ENOTSUP;
}

static int
check_features(struct vhost_kernel *vk)
{
	if (vk->offered & SLUICE_BIT(SLUICE_F_VERSION_1))
		return 0;
	if (!sluice_vk_is_told(vk, "features", -ENOTSUP))
		SLUICE_LOG(ERR, "path=%s: this kernel's vhost-net has no VIRTIO_F_VERSION_1",
				vk->path);
	return -ENOTSUP;
}

static unsigned int
read_regions_max(const struct vhost_kernel *vk)
{
	char text[32];

	if (vk->sys->read_file(REGIONS_FILE, text, sizeof(text)) <= 0)
		return REGIONS_DEFAULT;
	return strtoul(text, NULL, 10);
}

static int
open_all(struct vhost_kernel *vk)
{
	uint16_t i;
	int fd, ret;

	for (i = 0; i < vk->nb_pairs; i++) {
		fd = vk->sys->open(vk->path);
		if (fd < 0)
			return explain_open(vk, fd);
		rte_spinlock_lock(&vk->lock);
		vk->fds[i] = fd;
		rte_spinlock_unlock(&vk->lock);
	}
	ret = check_kind(vk);
	return ret == 0 ? check_features(vk) : ret;
}

int
sluice_vk_dev_open(struct vhost_kernel *vk)
{
	int ret = open_all(vk);
	uint16_t i;

	for (i = 0; i < vk->nb_pairs && ret == 0; i++) {
		ret = vk->sys->set_owner(vk->fds[i]);
		if (ret < 0)
			sluice_vk_fail(vk, "VHOST_SET_OWNER", ret);
	}
	vk->regions_max = read_regions_max(vk);
	return ret;
}

void
sluice_vk_dev_close(struct vhost_kernel *vk)
{
	uint16_t i;

	rte_spinlock_lock(&vk->lock);
	for (i = 0; i < vk->nb_pairs; i++) {
		if (vk->fds[i] >= 0)
			vk->sys->close(vk->fds[i]);
		vk->fds[i] = -1;
	}
	rte_spinlock_unlock(&vk->lock);
}

int
sluice_vk_dev_set_features(struct vhost_kernel *vk, sluice_features features)
{
	struct features_array array = { RTE_DIM(array.words), { features, features >> 64 } };
	uint16_t i;
	int ret = 0;

	for (i = 0; i < vk->nb_pairs && ret == 0; i++)
		if (array.words[1] != 0)
			ret = REQUEST(vk, i, VHOST_SET_FEATURES_ARRAY, &array);
		else
			ret = REQUEST(vk, i, VHOST_SET_FEATURES, &array.words[0]);
	return ret;
}

static int
refuse(struct vhost_kernel *vk, unsigned int nb)
{
	if (!sluice_vk_is_told(vk, "regions", nb))
		SLUICE_LOG(ERR,
				"path=%s: rings and mempools lie in %u pieces of memory (regions), vhost "
				"takes %u: use larger huge pages, smaller mempools, or the module's "
				"parameter: modprobe vhost max_mem_regions=%u",
				vk->path, nb, vk->regions_max, 2 * nb);
	return -ENOSPC;
}

static int
by_address(const void *a, const void *b)
{
	const struct vhost_memory_region *x = a, *y = b;

	return x->userspace_addr < y->userspace_addr ? -1 : 1;
}

/*
 * Pages that follow each other for us and for vhost are one region: it needs no files, and takes
 * few regions. Returns how many are left.
 */
static unsigned int
merge(struct vhost_memory_region *r, unsigned int nb)
{
	unsigned int i, last = 0;

	if (nb == 0)
		return 0;
	qsort(r, nb, sizeof(*r), by_address);
	for (i = 1; i < nb; i++)
		if (r[last].userspace_addr + r[last].memory_size == r[i].userspace_addr &&
				r[last].guest_phys_addr + r[last].memory_size ==
						r[i].guest_phys_addr)
			r[last].memory_size += r[i].memory_size;
		else
			r[++last] = r[i];
	return last + 1;
}

int
sluice_vk_dev_set_memory(
		struct vhost_kernel *vk, const struct dmap_region *regions, unsigned int nb)
{
	struct vhost_memory *table;
	uint64_t bytes = 0;
	unsigned int i;
	int ret = 0;

	table = calloc(1, sizeof(*table) + nb * sizeof(table->regions[0]));
	if (table == NULL)
		return -ENOMEM;
	for (i = 0; i < nb; i++) {
		table->regions[i].guest_phys_addr = regions[i].da.v;
		table->regions[i].memory_size = regions[i].len;
		table->regions[i].userspace_addr = regions[i].va;
		bytes += regions[i].len;
	}
	table->nregions = merge(table->regions, nb);
	if (table->nregions > vk->regions_max)
		ret = refuse(vk, table->nregions);
	for (i = 0; i < vk->nb_pairs && ret == 0; i++)
		ret = REQUEST(vk, i, VHOST_SET_MEM_TABLE, table);
	SLUICE_LOG(DEBUG, "path=%s: VHOST_SET_MEM_TABLE: %u regions, %" PRIu64 " bytes", vk->path,
			table->nregions, bytes);
	free(table);
	return ret;
}

struct pair_of {
	struct vhost_kernel *vk;
	uint16_t pair;
};

static int
request_of(void *ctx, unsigned long what, const char *name, void *arg)
{
	const struct pair_of *p = ctx;

	return request(p->vk, p->pair, what, name, arg);
}

/* How long vhost-net looks at the ring, and for frames, before it waits for a kick. */
static int
set_busy_poll(struct vhost_kernel *vk, uint16_t vq)
{
	struct vhost_vring_state us = { .index = vq % 2, .num = vk->busy_poll_us };
	int ret = vk->sys->ioctl(vk->fds[vq / 2], VHOST_SET_VRING_BUSYLOOP_TIMEOUT, &us);

	if (ret >= 0)
		return 0;
	if (!sluice_vk_is_told(vk, "busy_poll_us", ret))
		SLUICE_LOG(ERR, "path=%s: the kernel refuses busy_poll_us=%u: %s: leave it out",
				vk->path, vk->busy_poll_us, strerror(-ret));
	return ret;
}

int
sluice_vk_dev_set_ring(struct vhost_kernel *vk, const struct sluice_vq_setup *vq)
{
	struct vhost_ring ring = { .index = vq->vq % 2,
		.desc = (uintptr_t)vq->dv_desc,
		.driver = (uintptr_t)vq->dv_driver,
		.device = (uintptr_t)vq->dv_device,
		.err_fd = vk->err_fd };
	struct pair_of p = { vk, vq->vq / 2 };
	int ret = sluice_vhost_set_ring(&ring, vq, request_of, &p);

	return ret == 0 && vk->busy_poll_us != 0 ? set_busy_poll(vk, vq->vq) : ret;
}

int
sluice_vk_dev_set_backend(struct vhost_kernel *vk, uint16_t vq, int tap_fd)
{
	struct vhost_vring_file file = { .index = vq % 2, .fd = tap_fd };

	return REQUEST(vk, vq / 2, VHOST_NET_SET_BACKEND, &file);
}

/* The kernel is inside of no ring, and enters none, when this request returns. */
int
sluice_vk_dev_take_back(struct vhost_kernel *vk, uint16_t vq)
{
	return sluice_vk_dev_set_backend(vk, vq, VHOST_FILE_UNBIND);
}

void
sluice_vk_dev_take_all(struct vhost_kernel *vk)
{
	struct vhost_vring_file file = { .fd = VHOST_FILE_UNBIND };
	uint16_t vq;

	rte_spinlock_lock(&vk->lock);
	for (vq = 0; vq < 2 * vk->nb_pairs; vq++) {
		file.index = vq % 2;
		/* It fails where there is nothing to take. */
		if (vk->fds[vq / 2] >= 0)
			vk->sys->ioctl(vk->fds[vq / 2], VHOST_NET_SET_BACKEND, &file);
	}
	rte_spinlock_unlock(&vk->lock);
}
